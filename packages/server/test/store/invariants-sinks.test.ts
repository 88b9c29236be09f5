// The invariants of events out: what is right violates none, and each catches what it is there for.

import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runnerOf } from "../../src/store/db.ts";
import { violationsOf } from "../../src/store/house/invariants.ts";
import { sinkInvariants } from "../../src/store/house/invariants-sinks.ts";
import { newRunOf, origin } from "../engine/fixtures.ts";
import { openReceiver } from "../engine/receiver.ts";
import { useStage } from "../engine/stage.ts";
import { must } from "../http/scene.ts";
import { fromTypeId } from "../../src/std/ids.ts";
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

async function found(change: string): Promise<string[]> {
  await owner.query("begin");
  try {
    await owner.query("set local session_replication_role = replica");
    const { rowCount } = await owner.query(change);
    if ((rowCount ?? 0) === 0) throw new Error(`touched nothing: ${change}`);
    const names: string[] = [];
    for (const one of sinkInvariants) {
      const violations = await violationsOf(runnerOf(owner), one);
      names.push(...violations.map(({ invariant }) => invariant));
    }
    return names;
  } finally {
    await owner.query("rollback");
  }
}

const mutations: Readonly<Record<string, readonly string[]>> = {
  "I-26 deliveries": [
    "update signalbox.delivery set seq = seq + 100",
    "update signalbox.delivery set type = 'run.failed'",
    "update signalbox.webhook set cursor = 0",
    "update signalbox.delivery set webhook_id = gen_random_uuid()",
  ],
  "I-26 order": [
    `update signalbox.delivery set ended_at = now() + interval '1 day'
     where state = 'delivered' and type = 'run.submitted'`,
  ],
  "I-26 line": [
    "update signalbox.delivery set next_at = null where next_at is not null",
    "update signalbox.delivery set aside = true where state = 'pending'",
  ],
  "I-26 cursors": ["update signalbox.webhook set cursor = 100000"],
};

test("deliveries that are made, waiting and done violate nothing", async () => {
  expect(await found("update signalbox.project set name = name")).toEqual([]);
  expect(Object.keys(mutations)).toEqual(sinkInvariants.map(({ name }) => name));
});

describe.each(Object.entries(mutations))("%s", (name, changes) => {
  test.each(changes)("catches %s", async (change) => {
    expect(await found(change)).toContain(name);
  });
});
