// Canaries: what is planted in one project is seen by nobody of another, on no route, stream,
// document or page of errors; and secrets are in no log line, event or problem document.
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { routesOf } from "../../src/http/routes/index.ts";
import { withClient } from "../setup/database.ts";
import { ask, openScene } from "./scene.ts";
import type { Scene } from "./scene.ts";
import { CANARY, settle } from "./town.ts";
import type { Town } from "./town.ts";

let scene: Scene;
let town: Town;
const lines: string[] = [];
beforeAll(async () => {
  const log = (fields: object, message: string): void => {
    const plain = JSON.stringify(fields, (_key, value: unknown) =>
      value instanceof Error ? `${String(value)} ${String(value.stack)}` : value,
    );
    lines.push(`${message} ${plain}`);
  };
  const logger = { debug: log, info: log, warn: log, error: log };
  scene = await openScene({ logger });
  town = await settle(scene);
});
afterAll(async () => {
  await scene?.close();
});

const gets = routesOf("0", () => ({})).filter(({ method }) => method === "GET");

/** Every address one can ask for: lists, and single things by the names and ids of the other. */
function addresses(): string[] {
  return gets
    .filter(({ url }) => !url.endsWith("/directives"))
    .flatMap(({ url }) => {
      const collection = /(\w+)\/:/.exec(url)?.[1];
      const at =
        collection === undefined ? url : url.replace(/:\w+/, town.planted[collection] ?? "");
      return [at.replace("/wait", "/wait?timeout_ms=0")];
    });
}

test("the canary is seen in its own project: otherwise this file would find nothing", async () => {
  const seen: string[] = [];
  for (const url of addresses()) {
    const { text } = await ask(scene.app, scene.keys.admin, `GET ${url}`);
    if (text.includes(CANARY)) seen.push(url.replace(/\?.*/, ""));
  }
  const { planted } = town;
  for (const url of [
    "/v1/runs",
    `/v1/runs/${planted["runs"]}`,
    `/v1/runs/${planted["runs"]}/events`,
    "/v1/agents",
    "/v1/accounts",
    "/v1/runtimes",
    "/v1/queues",
    "/v1/slots",
    "/v1/allowances",
    "/v1/keys",
    "/v1/events",
    "/v1/audit",
  ]) {
    expect(seen).toContain(url);
  }
});

test("no answer to a key of another project holds it", async () => {
  for (const key of Object.values(town.foreign)) {
    for (const url of addresses()) {
      const { text } = await ask(scene.app, key, `GET ${url}`);
      const withoutOwnWords = text.replaceAll(url, "");
      expect(withoutOwnWords, `GET ${url}`).not.toContain(CANARY);
    }
  }
});

test("nor does what needs no key, nor what the server counts about itself", async () => {
  for (const { url } of gets.filter(({ auth }) => auth === "public")) {
    expect((await ask(scene.app, null, `GET ${url}`)).text, url).not.toContain(CANARY);
  }
  const { text, status } = await ask(scene.app, scene.keys.owner, "GET /metrics");
  expect(status).toBe(200);
  expect(text).not.toContain(CANARY);
});

describe("streams", () => {
  /** What a stream says until both projects have told that they are paused. */
  async function heard(key: string): Promise<string> {
    const { app, keys } = scene;
    const address = app.server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const headers = { authorization: `Bearer ${key}`, accept: "text/event-stream" };
    const asked = request({ port, host: "127.0.0.1", path: "/v1/events?after_feed=0", headers });
    asked.end();
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    let text = "";
    answer.setEncoding("utf8");
    const told = new Promise<void>((resolve) => {
      answer.on("data", (piece: string) => {
        text += piece;
        if (text.includes("the end of the test")) resolve();
      });
    });
    const body = { reason: "the end of the test" };
    await ask(app, keys.admin, "POST /v1/queues/loud/pause", { body });
    await ask(app, town.foreign.admin, "POST /v1/queues/loud/pause", { body });
    await told;
    asked.destroy();
    await ask(app, keys.admin, "POST /v1/queues/loud/resume");
    await ask(app, town.foreign.admin, "POST /v1/queues/loud/resume");
    return text;
  }

  test("of the project's feed carry what is its own, live and from the register", async () => {
    await scene.app.listen({ host: "127.0.0.1", port: 0 });
    expect(await heard(scene.keys.viewer)).toContain(CANARY);
    expect(await heard(town.foreign.viewer)).not.toContain(CANARY);
  });

  test("of another project's run or runtime do not open", async () => {
    const { planted } = town;
    const headers = { accept: "text/event-stream" };
    for (const [key, url] of [
      [town.foreign.viewer, `/v1/runs/${planted["runs"]}/events`],
      [town.foreign.worker, `/v1/runtimes/${planted["runtimes"]}/directives`],
    ] as const) {
      expect((await ask(scene.app, key, `GET ${url}`, { headers })).status).toBe(404);
    }
  });
});

describe("secrets", () => {
  /** Everything that opens something: keys, attempt keys, login codes, sessions. */
  async function secrets(): Promise<string[]> {
    const { app, keys } = scene;
    const body = { name: "secret", roles: ["viewer"] };
    const headers = { "idempotency-key": "canary" };
    const made = (await ask(app, keys.admin, "POST /v1/keys", { body, headers })).body;
    const rotated = (await ask(app, keys.admin, `POST /v1/keys/${made.id}/rotate`)).body;
    const { code } = (await ask(app, keys.admin, "POST /v1/logins")).body;
    const opened = await ask(app, null, "POST /v1/sessions", { body: { code } });
    const token = /=(sbs_[^;]+)/.exec(String(opened.headers["set-cookie"]))?.[1] as string;
    const { claim } = town;
    const wires = [...Object.values(keys), made.key, rotated.key, code, token];
    // Of an attempt's key the secret is the last 32 characters, of the others the last 43.
    return [...wires, claim.attempt_key, claim.child_key].map((one) => String(one).slice(-32));
  }

  test("are in no log line, event, list or problem document, nor in the database", async () => {
    const all = await secrets();
    expect(all.every((one) => /^[\w-]{32}$/.test(one))).toBe(true);
    const said: string[] = [];
    for (const url of addresses()) {
      said.push((await ask(scene.app, scene.keys.admin, `GET ${url}`)).text);
      said.push((await ask(scene.app, scene.keys.owner, `GET ${url}`)).text);
      said.push((await ask(scene.app, `${scene.keys.admin}x`, `GET ${url}`)).text);
      said.push((await ask(scene.app, scene.keys.viewer, `POST ${url}`, { body: "{" })).text);
    }
    for (const secret of all) {
      const cookie = `signalbox=sbs_aaaaaaaaaaaa_${secret}`;
      said.push((await ask(scene.app, null, "GET /v1/runs", { headers: { cookie } })).text);
      const body = { code: secret };
      said.push((await ask(scene.app, null, "POST /v1/sessions", { body })).text);
    }
    await scene.engine.parts.denials.settled();
    expect(lines.length).toBeGreaterThan(100);
    const dump = await dumpOf(scene);
    for (const secret of all) {
      expect(said.some((text) => text.includes(secret))).toBe(false);
      expect(lines.some((line) => line.includes(secret))).toBe(false);
      expect(dump.includes(secret)).toBe(false);
      expect(dump.includes(Buffer.from(secret).toString("hex"))).toBe(false);
    }
    expect(dump).toContain(CANARY); // the dump holds what was written
  });
});

/** All rows of all tables as text. */
function dumpOf({ connection }: Scene): Promise<string> {
  return withClient(connection, async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = 'signalbox'",
    );
    let text = "";
    for (const { name } of tables) {
      const { rows } = await client.query<{ row: string }>(
        `select t::text as row from signalbox.${name} t`,
      );
      text += rows.map(({ row }) => row).join("\n");
    }
    return text;
  });
}
