// Back-pressure as a client meets it: while the work batcher is stuck on a lock and its queue is
// full, what comes is refused with a time to come back and leaves no run and no key behind (a new
// lane may stay: it is a name, not work); control goes on; when the lock is gone everything
// accepted is done.

import type { FastifyInstance } from "fastify";
import type { Claim } from "@signalbox/sdk";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { createHttp } from "../../src/http/server.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { silentLogger } from "../../src/std/logger.ts";
import type { Reply } from "../http/scene.ts";
import { ask, must } from "../http/scene.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import { expectNoViolations } from "../store/checker.ts";
import { openAs } from "../store/sessions.ts";
import { seenWaiting } from "./duo.ts";
import { origin } from "./fixtures.ts";

/** So many rows may wait here; 50,000 elsewhere. */
const BOUND = 10;

let database: FreshDatabase;
let engine: RunningEngine;
let app: FastifyInstance;
let owner: pg.Client;
let key: string;
let ownerKey: string;

beforeAll(async () => {
  database = await freshDatabase();
  owner = await openAs(database.connection, null);
  engine = await startEngine({
    connection: database.connection,
    version: "0.0.0",
    sweeps: false,
    maxWaitingRows: BOUND,
  });
  app = createHttp(engine, { logger: silentLogger, version: "0.0.0", checkResponses: true });
  const project = must(await engine.createProject("default", origin));
  const projectId = fromTypeId("prj", project.id) ?? "";
  const input = { name: "test", roles: ["admin" as const], expiresAt: null };
  key = must(await engine.createKey(projectId, input, origin)).key;
  ownerKey = must(await engine.createKey(null, { ...input, roles: ["owner"] }, origin)).key;
  await post("PUT /v1/runtimes/w1", {});
});
afterAll(async () => {
  await app?.close();
  await engine?.stop();
  await owner?.end();
  try {
    if (database !== undefined) await expectNoViolations(database.connection);
  } finally {
    await database?.drop();
  }
});

function post(line: string, body: object): Promise<Reply> {
  return ask(app, key, line, { body });
}

const submission = (name: string): object => ({ idempotency_key: name, queue: name });
const batchOf = (name: string, size: number): object => ({
  items: Array.from({ length: size }, (_, n) => submission(`${name}-${n}`)),
});

const retried = 'signalbox_batcher_failed_flushes_total{batcher="work",then="retried"}';
const overloaded = 'signalbox_batcher_refused_total{batcher="work",reason="overloaded"}';

/** The figure of a batcher, as `/metrics` tells it. */
async function figure(line: string): Promise<number> {
  const { text } = await ask(app, ownerKey, "GET /metrics");
  const found = text.split("\n").find((one) => one.startsWith(`${line} `));
  return Number(found?.slice(line.length + 1));
}

async function storedKeys(): Promise<string[]> {
  const { rows } = await owner.query<{ name: string }>(
    `select s.idempotency_key as name from signalbox.run_spec s
     join signalbox.run r on r.id = s.run_id order by s.idempotency_key`,
  );
  return rows.map(({ name }) => name);
}

/** Claims so many runs; the answers of the door. */
async function claimed(free: number): Promise<Claim[]> {
  const reply = await post("POST /v1/claims", { runtime: "w1", free, lease_ms: 600_000 });
  return reply.body.claims;
}

const fenceOf = ({ attempt_id, fencing_token }: Claim) => ({ attempt_id, fencing_token });

/** Is what is said to a client that comes too many. */
function expectOverloaded(reply: Reply): void {
  expect([reply.status, reply.body.code, reply.body.retryable]).toEqual([429, "overloaded", true]);
  expect(Number(reply.headers["retry-after"])).toBe(1);
}

test("beyond the bound a client is told when to come back, and nothing else suffers", async () => {
  expect((await post("POST /v1/runs/batch", batchOf("first", 4))).status).toBe(200);
  const claims = await claimed(4);
  const [cancelled, killed, kept, done] = claims as [Claim, Claim, Claim, Claim];

  // Nobody can insert a spec, everybody can read; both lanes of the work batcher get stuck.
  await owner.query("begin");
  await owner.query("lock table signalbox.run_spec in share mode");
  const accepted = post("POST /v1/runs/batch", batchOf("accepted", BOUND));
  await seenWaiting(owner, "signalbox work");
  expect(engine.parts.work.waiting).toBe(BOUND);

  expectOverloaded(await post("POST /v1/runs", submission("refused")));
  const { results } = (await post("POST /v1/runs/batch", batchOf("refused", 3))).body;
  for (const { problem } of results) expect(problem.code).toBe("overloaded");
  expectOverloaded(await post("POST /v1/claims", { runtime: "w1", free: 1 }));
  expectOverloaded(await post(`POST /v1/runs/${done.run.id}/complete`, fenceOf(done)));
  expect(engine.parts.work.waiting).toBe(BOUND);

  // Control has a connection and a queue of its own.
  const cancel = await post(`POST /v1/runs/${cancelled.run.id}/cancel`, { reason: "too slow" });
  expect(cancel.status).toBe(200);
  const kill = await post(`POST /v1/runs/${killed.run.id}/kill`, { reason: "gone mad" });
  expect(kill.status).toBe(200);
  const leases = [{ run_id: kept.run.id, ...fenceOf(kept) }];
  const beat = await post("POST /v1/heartbeats", { runtime: "w1", leases });
  expect([beat.status, beat.body.leases?.[0]?.ok]).toEqual([200, true]);

  // Also after the lock was not got in time, and again.
  await expect.poll(() => figure(retried), { timeout: 10_000 }).toBeGreaterThan(1);
  expect(engine.parts.work.waiting).toBe(BOUND);
  expectOverloaded(await post("POST /v1/runs", submission("refused")));

  expect(await storedKeys()).toEqual(["first-0", "first-1", "first-2", "first-3"]);
  await owner.query("rollback");

  const stored = (await accepted).body.results;
  expect(stored.map(({ ok, created }: { ok: boolean; created: boolean }) => ok && created)).toEqual(
    Array.from({ length: BOUND }, () => true),
  );
  expect(engine.parts.work.waiting).toBe(0);
  expect((await storedKeys()).filter((name) => name.startsWith("refused"))).toEqual([]);
  // The same requests again are new: the refusals left no key either.
  expect((await post("POST /v1/runs", submission("refused"))).status).toBe(201);
  expect((await post(`POST /v1/runs/${done.run.id}/complete`, fenceOf(done))).status).toBe(200);
  expect((await claimed(3)).length).toBe(3);
});

test("what was refused is counted, and nothing waits any more", async () => {
  expect(await figure(overloaded)).toBe(5);
  for (const batcher of ["work", "control"]) {
    expect(await figure(`signalbox_batcher_waiting_items{batcher="${batcher}"}`)).toBe(0);
    expect(await figure(`signalbox_batcher_waiting_rows{batcher="${batcher}"}`)).toBe(0);
  }
});
