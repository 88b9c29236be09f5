// The status of an agent where a server died after it had changed a slot and before it had looked
// at the agent: the sweep of another server finds it.
// Promises: two servers on one database; the one that dies keeps no status from then on.
// Leaves to others: what statuses are (domain), slots (slots.test.ts), the checker of statuses
// (store/invariants-fleet.test.ts).
import { expect, test } from "vitest";
import { useCalendar } from "./calendar.ts";
import { ok } from "./duo.ts";

const { duo, calendar } = useCalendar();

test("an agent that is idle in its slot is found by the sweep, and one busy without", async () => {
  await calendar.awake();
  const slot = await calendar.plan();
  await duo.a.parts.statuses.stop();
  const sweep = async (): Promise<void> => {
    await duo.beat();
    await duo.b.sweepOnce();
    await duo.b.parts.statuses.settled();
  };
  ok(await calendar.change(slot, "start"));
  expect(await calendar.agent()).toMatchObject({ status: "idle", slot: { id: slot.id } });
  await sweep();
  expect(await calendar.agent()).toMatchObject({
    status: "busy",
    status_reason: expect.stringContaining("in a slot (work) until"),
  });
  ok(await calendar.change(slot, "finish"));
  expect(await calendar.agent()).toMatchObject({ status: "busy", slot: null });
  await sweep();
  expect(await calendar.agent()).toMatchObject({ status: "idle" });
});
