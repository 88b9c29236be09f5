// Logins: a link from a key, used up by the first who opens it; a session that can what its key
// can, from pages of this server alone; and every way it ends.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withClient } from "../setup/database.ts";
import { keyed } from "./access-table.ts";
import { ask, openScene } from "./scene.ts";
import type { Reply, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(async () => {
  await scene?.close();
});

const linkOf = async (key: string): Promise<string> =>
  (await ask(scene.app, key, "POST /v1/logins")).body.code;
const open = (code: string, headers: { [name: string]: string } = {}): Promise<Reply> =>
  ask(scene.app, null, "POST /v1/sessions", {
    body: { code },
    headers: { host: "localhost", ...headers },
  });

type Browser = { cookie: string; csrf: string; id: string };
const setCookie = ({ headers }: Reply): string => String(headers["set-cookie"]);
async function login(key: string): Promise<Browser> {
  const reply = await open(await linkOf(key));
  const cookie = setCookie(reply).split(";")[0] ?? "";
  return { cookie, csrf: reply.body.csrf_token, id: reply.body.id };
}
/** As a page of this server asks. */
const page = (
  { cookie, csrf }: Browser,
  line: string,
  rest: { body?: object; headers?: { [name: string]: string } } = {},
): Promise<Reply> => {
  const own = { cookie, host: "localhost", origin: "http://localhost", "signalbox-csrf": csrf };
  return ask(scene.app, null, line, {
    body: rest.body ?? {},
    headers: { ...own, ...rest.headers },
  });
};

describe("a link", () => {
  test("opens one session, once", async () => {
    const reply = await ask(scene.app, scene.keys.operator, "POST /v1/logins");
    const { code, path, expires_at: ends } = reply.body;
    expect(path).toBe(`/login#${code}`);
    expect(Math.round((Date.parse(ends) - Date.now()) / 60_000)).toBe(10);
    const first = await open(code);
    expect([first.status, first.body.ended_at]).toEqual([201, null]);
    const second = await open(code);
    expect([second.status, second.body.code]).toEqual([401, "unauthorized"]);
    expect(second.headers["set-cookie"]).toBeUndefined();
  });

  test("of many who open it at once, one gets a session", async () => {
    const code = await linkOf(scene.keys.viewer);
    const { engine } = scene;
    const origin = { actor: "nobody", requestId: "t", traceparent: null };
    const all = await Promise.all(
      Array.from({ length: 8 }, () => engine.openSession(code, origin)),
    );
    expect(all.filter((one) => one !== null)).toHaveLength(1);
  });

  test("is worth nothing after ten minutes, or without its key", async () => {
    const old = await linkOf(scene.keys.viewer);
    await withClient(scene.connection, (client) =>
      client.query(
        "update signalbox.session set created_at = created_at - interval '1 hour', " +
          "link_expires_at = link_expires_at - interval '1 hour' where opened_at is null",
      ),
    );
    expect(await scene.engine.openSession(old, testOrigin)).toBeNull();
    const body = { name: "short", roles: ["viewer"] };
    const made = (await ask(scene.app, scene.keys.admin, "POST /v1/keys", { body })).body;
    const orphan = await linkOf(made.key);
    await ask(scene.app, scene.keys.admin, `POST /v1/keys/${made.id}/revoke`);
    expect(await scene.engine.openSession(orphan, testOrigin)).toBeNull();
  });

  test("is guessed at most ten times a minute from one address", async () => {
    const own = await openScene();
    try {
      const codes: number[] = [];
      for (let n = 0; n < 12; n++) {
        const body = { code: `sbl_aaaaaaaaaaaa_${"x".repeat(43)}` };
        codes.push((await ask(own.app, null, "POST /v1/sessions", { body })).status);
      }
      expect(codes).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429]);
    } finally {
      await own.close();
    }
  });

  test("is made by keys, not by sessions", async () => {
    const browser = await login(scene.keys.admin);
    expect((await page(browser, "POST /v1/logins")).status).toBe(403);
  });
});

const testOrigin = { actor: "nobody", requestId: "t", traceparent: null };

describe("the cookie", () => {
  test("is for this host and its own pages, and no script reads it", async () => {
    const cookie = setCookie(await open(await linkOf(scene.keys.viewer)));
    expect(cookie).toMatch(/^signalbox=sbs_\w+_[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; /);
    expect(cookie).not.toMatch(/domain|secure/i);
  });

  test("is Secure and bound to the host over https", async () => {
    const headers = { host: "localhost:4400", origin: "https://localhost:4400" };
    const cookie = setCookie(await open(await linkOf(scene.keys.viewer), headers));
    expect(cookie).toMatch(/^__Host-signalbox-4400=sbs_.*; Path=\/; .*SameSite=Strict; Secure/);
  });

  test("over https that another host has set writes nothing: the bound one counts", async () => {
    const headers = { host: "localhost", origin: "https://localhost" };
    const reply = await open(await linkOf(scene.keys.operator), headers);
    const bound = setCookie(reply).split(";")[0] ?? "";
    const own = { ...headers, "signalbox-csrf": reply.body.csrf_token };
    const logout = (cookie: string): Promise<Reply> =>
      ask(scene.app, null, "POST /v1/session/end", { headers: { ...own, cookie } });
    expect((await logout(bound.replace("__Host-", ""))).status).toBe(401);
    expect((await logout(bound)).status).toBe(200);
  });

  test("does not stand in any body", async () => {
    const reply = await open(await linkOf(scene.keys.viewer));
    expect(reply.text).not.toContain("sbs_");
  });
});

describe("a session", () => {
  test.each(["viewer", "operator", "admin", "owner"] as const)(
    "of a key with the role %s may do what that key may, and nothing else",
    async (role) => {
      const browser = await login(scene.keys[role]);
      for (const { line, who } of keyed) {
        const address = line.replace(":id", "run_01h455vb4pex5vsknk084sn02q");
        if (line === "POST /v1/logins" || line === "POST /v1/session/end") continue;
        const url = address.replace(":name", "nobody").replace("/wait", "/wait?timeout_ms=0");
        const reply = await page(browser, url, { body: { "no such field": 1 } });
        const isAllowed = reply.status !== 403 && reply.status !== 401;
        expect(`${line}: ${isAllowed}`).toBe(`${line}: ${who.includes(role)}`);
      }
    },
  );

  test("writes nothing without the token of its page, or without saying where from", async () => {
    const browser = await login(scene.keys.operator);
    const body = { reason: "test" };
    const line = "POST /v1/queues/q/pause";
    const refused = async (headers: { [name: string]: string }): Promise<unknown[]> => {
      const { cookie } = browser;
      const own = { cookie, host: "localhost" };
      const reply = await ask(scene.app, null, line, { body, headers: { ...own, ...headers } });
      return [reply.status, reply.body.code];
    };
    const wrong = [403, "forbidden_origin"];
    const { csrf } = browser;
    const here = "http://localhost";
    expect(await refused({})).toEqual(wrong);
    expect(await refused({ origin: here })).toEqual(wrong);
    expect(await refused({ "signalbox-csrf": csrf })).toEqual(wrong);
    expect(await refused({ origin: here, "signalbox-csrf": `${csrf}x` })).toEqual(wrong);
    expect(await refused({ origin: "http://evil.test", "signalbox-csrf": csrf })).toEqual(wrong);
    const cross = { "sec-fetch-site": "cross-site", "signalbox-csrf": csrf };
    expect(await refused(cross)).toEqual(wrong);
    const queues = await ask(scene.app, scene.keys.viewer, "GET /v1/queues");
    expect(queues.body.items).toEqual([]);
    const own = { "sec-fetch-site": "same-origin", "signalbox-csrf": csrf };
    expect((await refused(own))[0]).toBe(200);
  });

  test("the token of another session opens nothing", async () => {
    const [one, two] = [await login(scene.keys.operator), await login(scene.keys.operator)];
    const mixed = { ...one, csrf: two.csrf };
    expect((await page(mixed, "POST /v1/queues/q/resume")).status).toBe(403);
  });

  test("reads its own token again, and is the actor of what it does", async () => {
    const browser = await login(scene.keys.operator);
    const mine = (await page(browser, "GET /v1/session")).body;
    expect([mine.id, mine.csrf_token]).toEqual([browser.id, browser.csrf]);
    const allowed = ["read", "submit", "cancel", "operate", "approve"];
    expect([mine.roles, mine.permissions]).toEqual([["operator"], allowed]);
    await page(browser, "POST /v1/queues/acted/pause", { body: { reason: "by hand" } });
    const [deed] = (await page(browser, "GET /v1/audit?type=queue.paused&limit=1")).body.items;
    expect(deed).toMatchObject({
      actor: `session:${mine.prefix}`,
      actor_name: "operator",
      reason: "by hand",
    });
    expect((await ask(scene.app, scene.keys.operator, "GET /v1/session")).status).toBe(404);
  });

  test("a key in the request goes before the cookie", async () => {
    const { cookie } = await login(scene.keys.admin);
    const reply = await ask(scene.app, "sbx_wrong", "GET /v1/project", { headers: { cookie } });
    expect([401, 429]).toContain(reply.status);
  });
});

describe("the end of a session", () => {
  const works = async (browser: Browser): Promise<boolean> =>
    (await page(browser, "GET /v1/project")).status === 200;

  test("is a logout, which takes the cookie away", async () => {
    const browser = await login(scene.keys.viewer);
    const reply = await page(browser, "POST /v1/session/end");
    expect(setCookie(reply)).toMatch(/^signalbox=; .*Max-Age=0/);
    expect(reply.body.ended_at).not.toBeNull();
    expect(await works(browser)).toBe(false);
  });

  test("is at an administrator's word", async () => {
    const browser = await login(scene.keys.viewer);
    const listed = (await ask(scene.app, scene.keys.admin, "GET /v1/sessions")).body.items;
    expect(listed.map((one: { id: string }) => one.id)).toContain(browser.id);
    await ask(scene.app, scene.keys.admin, `POST /v1/sessions/${browser.id}/end`);
    expect(await works(browser)).toBe(false);
    const left = (await ask(scene.app, scene.keys.admin, "GET /v1/sessions")).body.items;
    expect(left.map((one: { id: string }) => one.id)).not.toContain(browser.id);
  });

  test("of the owner's is the owner's alone to say", async () => {
    const browser = await login(scene.keys.owner);
    const line = `POST /v1/sessions/${browser.id}/end`;
    expect((await ask(scene.app, scene.keys.admin, line)).status).toBe(404);
    const own = await ask(scene.app, scene.keys.owner, "GET /v1/installation/sessions");
    expect(own.body.items.map((one: { id: string }) => one.id)).toContain(browser.id);
    const url = `POST /v1/installation/sessions/${browser.id}/end`;
    expect((await ask(scene.app, scene.keys.owner, url)).status).toBe(200);
    expect(await works(browser)).toBe(false);
  });

  test("is the end of its key", async () => {
    const { app, keys } = scene;
    const body = { name: "mortal", roles: ["viewer"] };
    const made = (await ask(app, keys.admin, "POST /v1/keys", { body })).body;
    const browser = await login(made.key);
    expect(await works(browser)).toBe(true);
    await ask(app, keys.admin, `POST /v1/keys/${made.id}/revoke`);
    expect(await works(browser)).toBe(false);
  });

  test.each([
    ["twelve hours without use", "seen_at = seen_at - interval '12 hours'"],
    [
      "seven days in any case",
      "opened_at = opened_at - interval '7 days', expires_at = expires_at - interval '7 days'",
    ],
  ])("comes after %s", async (_name, change) => {
    const browser = await login(scene.keys.viewer);
    expect(await works(browser)).toBe(true);
    await scene.engine.parts.uses.settled();
    await withClient(scene.connection, (client) =>
      client.query(`update signalbox.session set ${change} where opened_at is not null`),
    );
    expect(await works(browser)).toBe(false);
  });
});

describe("the page at /login", () => {
  test("asks nobody but this server and makes no HTML of text", async () => {
    const html = await ask(scene.app, null, "GET /login");
    const script = await ask(scene.app, null, "GET /login.js");
    expect([html.status, script.status]).toEqual([200, 200]);
    expect(String(script.headers["content-type"])).toContain("text/javascript");
    for (const { text } of [html, script]) {
      expect(text).not.toMatch(/https?:\/\/|innerHTML|eval|document\.write/);
    }
    expect(String(html.headers["content-security-policy"])).toContain("script-src 'self'");
  });
});
