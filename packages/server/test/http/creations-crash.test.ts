// A creating request that breaks off between its effect and its kept answer: it stays in doubt, on
// every server, and no repetition ever does it again.
import type pg from "pg";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createHttp } from "../../src/http/server.ts";
import { startEngine } from "../../src/engine/engine.ts";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { silentLogger } from "../../src/std/logger.ts";
import { openAs } from "../store/sessions.ts";
import { ask, openScene } from "./scene.ts";
import type { Reply, Scene } from "./scene.ts";

let scene: Scene;
let owner: pg.Client;
let second: { engine: RunningEngine; app: FastifyInstance };
beforeAll(async () => {
  scene = await openScene();
  const engine = await startEngine({ connection: scene.connection, version: "1.2.3" });
  const app = createHttp(engine, { logger: silentLogger, version: "1.2.3" });
  second = { engine, app };
  owner = await openAs(scene.connection as Parameters<typeof openAs>[0], null);
  // Whoever keeps an answer waits for the lock that the test holds.
  await owner.query(
    `create function signalbox.wait_here() returns trigger language plpgsql as $$
       begin perform pg_advisory_xact_lock(7205, 1); return new; end $$`,
  );
  await owner.query(
    `create trigger wait_here before update on signalbox.idempotency
       for each row when (new.status is not null) execute function signalbox.wait_here()`,
  );
});
afterAll(async () => {
  await owner?.end();
  await second?.app.close();
  await second?.engine.stop();
  await scene?.close();
});

/** Ends the session that waits to keep its answer; as if its server had died just there. */
async function cutOff(): Promise<void> {
  for (;;) {
    const { rows } = await owner.query<{ cut: boolean }>(
      `select pg_terminate_backend(l.pid) as cut from pg_locks l
       where l.locktype = 'advisory' and not l.granted and l.classid = 7205 and l.objid = 1`,
    );
    if (rows.some(({ cut }) => cut)) return;
  }
}

const count = async (what: string): Promise<number> => {
  const { rows } = await owner.query<{ n: number }>(`select count(*)::integer as n from ${what}`);
  return rows[0]?.n ?? NaN;
};

const window = { starts_at: "2091-01-01T08:00:00Z", ends_at: "2091-01-01T09:00:00Z" };
test.each([
  ["POST /v1/keys", { name: "k", roles: ["viewer"] }, "signalbox.api_key"],
  ["POST /v1/allowances", { scope: "project", metric: "runs", limit: 5, window: "day" }],
  ["POST /v1/slots", { agent: "ada", type: "work", ...window }, "signalbox.slot"],
  ["POST /v1/webhooks", { url: "https://example.org/" }, "signalbox.webhook"],
  ["POST /v1/projects", { name: "doubtful" }, "signalbox.project"],
] as const)(
  "%s: done once, however often it is asked again",
  async (line, body, where?: string) => {
    const table = where ?? "signalbox.allowance";
    const before = await count(table);
    const headers = { "idempotency-key": `doubt ${line}` };
    const post = (app: FastifyInstance): Promise<Reply> =>
      ask(app, scene.keys.owner, line, { body, headers });
    await owner.query("select pg_advisory_lock(7205, 1)");
    const first = post(scene.app);
    await cutOff();
    expect((await first).status).toBeGreaterThanOrEqual(500);
    await owner.query("select pg_advisory_unlock(7205, 1)");
    expect(await count(table)).toBe(before + 1);
    const apps = [scene.app, second.app];
    const askAgain = async (): Promise<unknown[]> => {
      const replies = await Promise.all([...apps, ...apps, ...apps, ...apps].map(post));
      return [...new Set(replies.map((reply) => `${reply.status} ${reply.body.code}`))];
    };
    expect(await askAgain()).toEqual(["409 idempotency_in_progress"]);
    await owner.query(
      "update signalbox.idempotency set at = at - interval '2 minutes' where status is null",
    );
    expect(await askAgain()).toEqual(["409 idempotency_in_doubt"]);
    expect(await count(table)).toBe(before + 1);
  },
);
