// The matrix: every route × every credential × {own, foreign, absent}, made from the table of
// routes and compared with the table of `access-table.ts`, on two projects.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { roles } from "../../src/domain/key.ts";
import type { Role } from "../../src/domain/key.ts";
import { routesOf } from "../../src/http/routes/index.ts";
import type { Route } from "../../src/http/route.ts";
import { keyed, table } from "./access-table.ts";
import { ask, openScene } from "./scene.ts";
import type { Reply, Scene } from "./scene.ts";
import { settle } from "./town.ts";
import type { Town } from "./town.ts";

let scene: Scene;
let town: Town;
beforeAll(async () => {
  // Many wrong keys come from one address here.
  scene = await openScene();
  town = await settle(scene);
});
afterAll(async () => {
  await scene?.close();
});

const absent: { readonly [collection: string]: string } = {
  runs: "run_01h455vb4pex5vsknk084sn02q",
  allowances: "alw_01h455vb4pex5vsknk084sn02q",
  slots: "slt_01h455vb4pex5vsknk084sn02q",
  keys: "key_01h455vb4pex5vsknk084sn02q",
  sessions: "ses_01h455vb4pex5vsknk084sn02q",
  approvals: "apr_01h455vb4pex5vsknk084sn02q",
  webhooks: "whk_01h455vb4pex5vsknk084sn02q",
  deliveries: "dlv_01h455vb4pex5vsknk084sn02q",
  "dead-letters": "0123456789abcdef",
};
const nameless = "nobody-of-this-name";
const nonsense = { body: { "no such field": 1 } };
const routes = new Map(
  routesOf("0", () => ({})).map((route) => [`${route.method} ${route.url}`, route]),
);
const routeOf = (line: string): Route => routes.get(line) as Route;

/** The collection an address is about: `/v1/runs/:id/kill` → `runs`. */
const collectionOf = (line: string): string => /([\w-]+)\/:/.exec(line)?.[1] ?? "";
const address = (line: string, which: "planted" | "absent"): string => {
  const collection = collectionOf(line);
  const planted = town.planted[collection] as string;
  const id = which === "planted" ? planted : (absent[collection] ?? nameless);
  const asked = which === "planted" ? town.planted["approvals"] : absent["approvals"];
  return line
    .replace(":approval_id", asked as string)
    .replace(/:\w+/, id)
    .replace("/wait", "/wait?timeout_ms=0");
};
const isAllowed = ({ status }: Reply): boolean => status !== 401 && status !== 403;

/** Cells of the matrix that a role opens; the others answer 403. */
const cells = (role: Role): { line: string; open: boolean }[] =>
  keyed.map(({ line, who }) => ({ line, open: who.includes(role) }));

describe.each(roles)("%s", (role) => {
  test("of the project: every route as the table says", async () => {
    for (const { line, open } of cells(role)) {
      if (routeOf(line).streams !== undefined && line.includes("directives")) continue;
      const reply = await ask(scene.app, scene.keys[role], address(line, "planted"), nonsense);
      expect(`${line} ${isAllowed(reply)}`).toBe(`${line} ${open}`);
    }
  });
});

/** A good body for each route that needs one, so that nothing but the id decides. */
function bodyOf(line: string): object {
  const { claim } = town;
  const fence = { attempt_id: claim.attempt_id, fencing_token: claim.fencing_token };
  const verb = line.split("/").at(-1) ?? "";
  if (line.startsWith("PUT /v1/allowances")) return { limit: 6 };
  if (!line.startsWith("POST /v1/runs/")) {
    return ["pause", "drain", "recover", "disable"].includes(verb) ? { reason: "test" } : {};
  }
  if (verb === "cancel") return {};
  if (verb === "kill") return { reason: "test" };
  if (verb === "redrive") return {};
  if (verb === "discard") return { note: "test" };
  if (verb === "approvals") return { ...fence, title: "Merge?", action: "merge" };
  if (verb === "executed") return { ...fence, arguments: {} };
  if (verb === "events") return { ...fence, events: [{ type: "log.line" }] };
  if (verb === "fail") return { ...fence, error: { code: "x", message: "y" } };
  if (verb === "exhausted") return { ...fence, reason: "quota" };
  return fence;
}

/** Routes that make what they name, or need none: with a foreign name they mean one's own. */
const makers = new Set([
  "PUT /v1/agents/:name",
  "PUT /v1/accounts/:name",
  "PUT /v1/runtimes/:name",
  "POST /v1/queues/:name/pause",
  "POST /v1/queues/:name/resume",
  "POST /v1/accounts/:name/exhausted",
  // Nobody's dead letters look like this: an empty page.
  "GET /v1/dead-letters/:fingerprint",
]);

describe("what is another project's", () => {
  const addressed = keyed.filter(
    ({ line }) => /:\w+/.test(line) && !line.includes("/installation/") && !makers.has(line),
  );

  test("is answered like what does not exist, on every route that names something", async () => {
    const cell = async (line: string, which: "planted" | "absent"): Promise<string> => {
      const url = address(line, which);
      const reply = await ask(scene.app, town.foreign.admin, url, { body: bodyOf(line) });
      const { request_id: _id, ...problem } = reply.body;
      const name = /(?:\/v1\/\w+\/)([^/?]+)/.exec(url)?.[1] as string;
      return `${line} ${reply.status} ${JSON.stringify(problem).replaceAll(name, "…")}`;
    };
    expect(addressed.length).toBeGreaterThan(30);
    for (const { line } of addressed) {
      const foreign = await cell(line, "planted");
      expect(foreign).toBe(await cell(line, "absent"));
      expect(foreign).toContain(`${line} 404 `);
    }
  });

  test("stays as it was", async () => {
    const { app, keys } = scene;
    const { planted, claim } = town;
    const of = async (url: string) => (await ask(app, keys.viewer, `GET ${url}`)).body;
    expect((await of(`/v1/runs/${planted["runs"]}`)).fencing_token).toBe(claim.fencing_token);
    expect((await of(`/v1/runs/${planted["runs"]}`)).state).toBe("claimed");
    expect((await of(`/v1/agents/${planted["agents"]}`)).paused_at).toBeNull();
    expect((await of(`/v1/slots/${planted["slots"]}`)).status).toBe("not_started");
    const listed = (await ask(app, keys.admin, "GET /v1/keys?limit=100")).body.items;
    const key = listed.find((one: { id: string }) => one.id === planted["keys"]);
    expect([key.revoked_at, key.replaced_by]).toEqual([null, null]);
  });

  test("can be called by its name there too, and becomes one's own", async () => {
    for (const line of makers) {
      const body = line.endsWith("pause")
        ? { reason: "mine" }
        : line.endsWith("exhausted")
          ? { reason: "quota" }
          : {};
      const url = address(line, "planted");
      const reply = await ask(scene.app, town.foreign.admin, url, { body });
      expect(`${line} ${reply.status}`).toBe(`${line} 200`);
    }
    const agent = await ask(
      scene.app,
      scene.keys.viewer,
      `GET /v1/agents/${town.planted["agents"]}`,
    );
    expect(agent.body.accounts).toEqual([town.planted["accounts"]]);
  });

  test("is not entered by naming the project", async () => {
    for (const project of ["default", "nowhere"]) {
      const headers = { "signalbox-project": project };
      const reply = await ask(scene.app, town.foreign.admin, "GET /v1/runs", { headers });
      expect([reply.status, reply.body.code]).toEqual([404, "not_found"]);
    }
  });
});

describe("no good key", () => {
  const unknown = `sbx_aaaaaaaaaaaa_${"x".repeat(43)}`;
  const deadKeys = async (): Promise<{ [name: string]: string | null }> => {
    const { app, keys } = scene;
    const body = { name: "dead", roles: ["admin"] };
    const revoked = (await ask(app, keys.admin, "POST /v1/keys", { body })).body;
    await ask(app, keys.admin, `POST /v1/keys/${revoked.id}/revoke`);
    const late = { ...body, expires_at: "2001-01-01T00:00:00Z" };
    const expired = (await ask(app, keys.admin, "POST /v1/keys", { body: late })).body;
    const rotated = (await ask(app, keys.admin, "POST /v1/keys", { body })).body;
    const now = { body: { overlap_s: 0 } };
    await ask(app, keys.admin, `POST /v1/keys/${rotated.id}/rotate`, now);
    const wrongSecret = `${keys.admin.slice(0, -2)}xx`;
    return {
      none: null,
      malformed: "sbx_nothing",
      foreign: "sk-ant-api03-abc",
      unknown,
      wrongSecret,
      revoked: revoked.key,
      expired: expired.key,
      rotated: rotated.key,
      deadAttempt: town.claim.attempt_key.replace(/.{4}$/, "aaaa"),
    };
  };

  test("opens nothing but what needs none: 401 with one and the same sentence", async () => {
    const dead = await deadKeys();
    for (const [name, key] of Object.entries(dead)) {
      for (const { line } of keyed) {
        const reply = await ask(scene.app, key, address(line, "planted"), nonsense);
        // 429 once ten wrong ones have come from this address.
        const isCounted = !["none", "deadAttempt"].includes(name);
        expect(isCounted ? [401, 429] : [401], `${name}: ${line}`).toContain(reply.status);
      }
    }
  });

  test("opens what the table says is for anybody", async () => {
    const open = Object.entries(table).filter(([, who]) => who === "anybody");
    for (const [line] of open) {
      const reply = await ask(scene.app, unknown, line, nonsense);
      expect(`${line} ${isAllowed(reply)}`).toBe(`${line} true`);
    }
  });
});

describe.each(["attempt", "child"] as const)("the key of the %s", (whose) => {
  const opens = ({ attemptKey }: Route): boolean =>
    whose === "attempt" ? attemptKey !== undefined : attemptKey === "child";
  const keyOf = (): string => (whose === "attempt" ? town.claim.attempt_key : town.claim.child_key);

  test("opens its own run where the route says so, and nothing else", async () => {
    for (const { line } of keyed) {
      const reply = await ask(scene.app, keyOf(), address(line, "planted"), nonsense);
      expect(`${line} ${isAllowed(reply)}`).toBe(`${line} ${opens(routeOf(line))}`);
    }
  });

  test("knows no other run", async () => {
    for (const { line } of keyed.filter(({ line: one }) => opens(routeOf(one)))) {
      const reply = await ask(scene.app, keyOf(), address(line, "absent"), nonsense);
      expect(`${line} ${reply.status}`).toBe(`${line} 404`);
    }
  });

  test("approves nothing and administers nothing", () => {
    const strong = new Set(["approve", "administer", "operate", "own", "submit", "cancel"]);
    for (const route of routes.values()) {
      if (opens(route)) expect(strong.has(route.auth)).toBe(false);
    }
  });
});
