// Webhooks with two servers on one database: whatever both do at once, each event is delivered, in
// order per run, and what one has taken the other leaves alone.

import { expect, test } from "vitest";
import { groupBy } from "../../src/std/group.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { must } from "../http/scene.ts";
import { useDuo } from "./duo.ts";
import { newRunOf, origin } from "./fixtures.ts";
import { useReceivers } from "./receiver.ts";

const duo = useDuo();
const receiver = useReceivers();

test("both servers deliver: each event once, those of a run in order", async () => {
  const projectId = await duo.project();
  const at = await receiver();
  const input = { url: at.url, allow_private: true, types: ["run.*"] };
  must(await duo.a.createWebhook(projectId, { input, owner: true, origin }));
  const engines = [duo.a, duo.b];
  const deliver = async (): Promise<void> => {
    await Promise.all(engines.map((engine) => engine.parts.deliveries().once()));
  };
  const act = async (): Promise<void> => {
    for (let n = 0; n < 20; n++) {
      const engine = engines[n % 2] as typeof duo.a;
      const [made] = await engine.submit(projectId, [newRunOf()], origin);
      if (made === undefined || "refused" in made) throw new Error("not submitted");
      const runId = fromTypeId("run", made.run.id) as string;
      await engine.cancel(projectId, runId, { reason: null, cascade: false }, origin);
    }
  };
  const acting = act();
  for (let n = 0; n < 5; n++) await deliver();
  await acting;
  for (let before = -1; before !== at.got.length;) {
    before = at.got.length;
    await deliver();
  }
  const ids = at.got.map(({ headers }) => headers["webhook-id"]);
  expect(new Set(ids).size).toBe(40);
  expect(ids).toHaveLength(40);
  const byRun = groupBy(at.got, ({ event }) => event.subject);
  expect(byRun.size).toBe(20);
  for (const got of byRun.values()) {
    expect(got.map(({ event }) => event.type)).toEqual(["run.submitted", "run.cancelled"]);
  }
});
