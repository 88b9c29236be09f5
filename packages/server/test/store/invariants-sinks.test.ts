// The invariants of events out: what is right violates none, and each catches what it is there for.

import type pg from "pg";
import { afterAll, beforeAll } from "vitest";
import { runnerOf } from "../../src/store/db.ts";
import type { Violation } from "../../src/store/house/invariants.ts";
import { invariants, violationsOf } from "../../src/store/house/invariants.ts";
import { newRunOf, origin } from "../engine/fixtures.ts";
import { openReceiver } from "../engine/receiver.ts";
import { useStage } from "../engine/stage.ts";
import { must } from "../http/scene.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import type { Planted } from "./planted.ts";
import { everyFaultIsNamed } from "./planted.ts";
import { openAs } from "./sessions.ts";

const stage = useStage();
let owner: pg.Client;

beforeAll(async () => {
  const projectId = await stage.project();
  const at = await openReceiver();
  const input = { url: at.url, allow_private: true };
  must(await stage.engine.createWebhook(projectId, { input, owner: true, origin }));
  const [made] = await stage.engine.submit(projectId, [newRunOf()], origin);
  if (made === undefined || "refused" in made) throw new Error("not submitted");
  const runId = fromTypeId("run", made.run.id) as string;
  await stage.engine.cancel(projectId, runId, { reason: null, cascade: false }, origin);
  for (let n = 0; n < 4; n++) await stage.engine.parts.deliveries().once();
  at.answer = () => 500;
  const [second] = await stage.engine.submit(projectId, [newRunOf()], origin);
  if (second === undefined || "refused" in second) throw new Error("not submitted");
  const secondId = fromTypeId("run", second.run.id) as string;
  await stage.engine.cancel(projectId, secondId, { reason: null, cascade: false }, origin);
  await stage.engine.parts.deliveries().once();
  await at.close();
  owner = await openAs(stage.database.connection, null);
});
afterAll(() => owner?.end());

async function found(...changes: string[]): Promise<Violation[]> {
  await owner.query("begin");
  try {
    await owner.query("set local session_replication_role = replica");
    for (const change of changes) {
      const { rowCount } = await owner.query(change);
      if ((rowCount ?? 0) === 0) throw new Error(`touched nothing: ${change}`);
    }
    const all: Violation[] = [];
    for (const one of invariants) all.push(...(await violationsOf(runnerOf(owner), one)));
    return all;
  } finally {
    await owner.query("rollback");
  }
}

const planted: Planted = {
  "I-26 deliveries": {
    "a delivery of an event that is not there": ["update signalbox.delivery set seq = seq + 100"],
    "a delivery of another type": ["update signalbox.delivery set type = 'run.failed'"],
    "a delivery above the cursor": ["update signalbox.webhook set cursor = 0"],
    "a delivery for nobody": ["update signalbox.delivery set webhook_id = gen_random_uuid()"],
  },
  "I-26 order": {
    "one that came after a later one and says nothing": [
      `update signalbox.delivery set ended_at = now() + interval '1 day'
       where state = 'delivered' and type = 'run.submitted'`,
    ],
  },
  "I-26 line": {
    "one that waits for nothing": [
      "update signalbox.delivery set next_at = null where next_at is not null",
    ],
    "one that waits for what stepped aside": [
      "update signalbox.delivery set aside = true where state = 'pending'",
    ],
  },
  "I-26 cursors": {
    "a cursor ahead of the feed": ["update signalbox.webhook set cursor = 100000"],
  },
};

everyFaultIsNamed("sinks", planted, found);
