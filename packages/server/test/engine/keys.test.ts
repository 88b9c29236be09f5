// What follows a commit: freed concurrency keys, told dependents. Each is also found by the sweep,
// in case the server died between the commit and what follows it.
import { expect, test } from "vitest";
import { fromTypeId } from "../../src/std/ids.ts";
import { claimUpTo, ok, submitAll, useDuo } from "./duo.ts";
import { newRunOf, origin } from "./fixtures.ts";

const duo = useDuo();
const complete = { kind: "complete", output: null } as const;

test("two places of a key that are freed in one commit let two runs through", async () => {
  const project = await duo.project();
  await submitAll(duo.a, project, 4, { concurrencyKey: "k", concurrencyLimit: 2 });
  const first = await claimUpTo(duo.a, project, 9);
  expect(first).toHaveLength(2);
  expect(await claimUpTo(duo.a, project, 9)).toEqual([]);
  const items = first.map((one) => ({ ...one, command: complete }));
  for (const answer of await duo.a.report(project, items, origin)) ok(answer);
  await duo.a.parts.after.settled();
  expect(await claimUpTo(duo.a, project, 9)).toHaveLength(2);
});

/** Ends the first runs as if the server had died right after the commit: nobody is told. */
async function endUntold(ids: readonly string[]): Promise<void> {
  await duo.owner.query("begin");
  await duo.owner.query("set local session_replication_role = replica");
  await duo.owner.query(
    `update signalbox.run set held = held | 4 where id = any ($1::uuid[]) and state = 'pending'`,
    [ids],
  );
  await duo.owner.query("commit");
}

test("the sweep finds who waits for a key with a free place", async () => {
  const project = await duo.project();
  const ids = await submitAll(duo.a, project, 4, { concurrencyKey: "k", concurrencyLimit: 2 });
  expect(await claimUpTo(duo.a, project, 1)).toHaveLength(1);
  await endUntold(ids);
  expect(await claimUpTo(duo.a, project, 9)).toEqual([]);
  await duo.b.sweepOnce();
  expect(await claimUpTo(duo.a, project, 9)).toHaveLength(1);
});

test("a dependent nobody told is found by the sweep", async () => {
  const project = await duo.project();
  const [parent] = await submitAll(duo.a, project, 1);
  const [claim] = await claimUpTo(duo.a, project, 1);
  const { runId, fence } = claim as NonNullable<typeof claim>;
  ok((await duo.a.report(project, [{ runId, fence, command: complete }], origin))[0]);
  const spec = newRunOf({ dependsOn: [parent as string] });
  const child = fromTypeId("run", ok((await duo.b.submit(project, [spec], origin))[0]).run.id);
  await duo.b.parts.after.settled();
  await duo.owner.query("update signalbox.run set held = 2, open_dependencies = 1 where id = $1", [
    child,
  ]);
  expect(await claimUpTo(duo.a, project, 9)).toEqual([]);
  await duo.a.sweepOnce();
  expect((await claimUpTo(duo.a, project, 9)).map((one) => one.runId)).toEqual([child]);
});

test("a waiting claim is woken by what another commit set free", async () => {
  const project = await duo.project();
  await submitAll(duo.a, project, 2, { concurrencyKey: "k" });
  const [claim] = await claimUpTo(duo.a, project, 9);
  const { runId, fence } = claim as NonNullable<typeof claim>;
  const input = { runtime: "w1", agents: [], queues: null, runners: ["default"], free: 1 };
  const { signal } = new AbortController();
  const waiting = duo.a.claim(project, { ...input, leaseMs: 9000, waitMs: 20_000 }, origin, signal);
  ok((await duo.a.report(project, [{ runId, fence, command: complete }], origin))[0]);
  expect(ok(await waiting).claims).toHaveLength(1);
});

test("a claim whose caller went away gives back what it got, at no cost", async () => {
  const project = await duo.project();
  const gone = new AbortController();
  const input = { runtime: "w1", agents: [], queues: null, runners: ["default"], free: 1 };
  const options = { ...input, leaseMs: 9000, waitMs: 20_000 };
  const waiting = duo.a.claim(project, options, origin, gone.signal);
  gone.abort();
  const [id] = await submitAll(duo.a, project, 1, { maxAttempts: 1 });
  expect(ok(await waiting).claims).toEqual([]);
  const [claim] = await claimUpTo(duo.b, project, 1);
  expect(claim?.runId).toBe(id);
});
