// Numbers beyond 32 bits, and near 2^53: feeds, sequences and ranks are exact all the way (F-64).
// An own database: its counters were set by hand, so its feed has a gap.
import { afterAll, beforeAll, expect, test } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase, withClient } from "../setup/database.ts";
import { claimUpTo, ok, submitAll } from "./duo.ts";
import { origin } from "./fixtures.ts";

let database: FreshDatabase;
let engine: RunningEngine;

beforeAll(async () => {
  database = await freshDatabase();
  const { connection } = database;
  engine = await startEngine({ connection, version: "0.0.0", sweeps: false });
});
afterAll(async () => {
  await engine?.stop();
  await database?.drop();
});

test.each([2 ** 31 - 2, 2 ** 53 - 20])("a register that has got to %i goes on", async (far) => {
  const created = await engine.createProject(`far-${far}`, origin);
  if (isRefusal(created)) throw new Error(created.detail);
  const project = fromTypeId("prj", created.id) as string;
  ok(await engine.registerRuntime(project, "w1", {}, origin));
  const [runId] = await submitAll(engine, project, 1);
  await withClient(database.connection, async (client) => {
    await client.query("update signalbox.feed_counter set n = $1 where project_id = $2", [
      far,
      project,
    ]);
    await client.query("update signalbox.run set last_seq = $1 where id = $2", [far, runId]);
  });
  const [claim] = await claimUpTo(engine, project, 1);
  const one = claim as NonNullable<typeof claim>;
  const events = [{ type: "log.line", producer_seq: far, data: {} }];
  const [appended] = await engine.append(project, [{ ...one, events }], origin);
  expect(appended).toEqual({ last_seq: String(far + 2), stored: 1 });
  const done = { kind: "complete", output: null } as const;
  ok((await engine.report(project, [{ ...one, command: done }], origin))[0]);
  const page = { order: "asc", limit: 9, afterSeq: far } as const;
  const { items } = await engine.runEvents(project, one.runId, page);
  expect(items.map((event) => [Number(event.seq) - far, Number(event.feed) - far])).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 4],
  ]);
});
