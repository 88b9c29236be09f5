// A stop whose server died between the stop and the end of what was live: no lease is renewed while
// it stands, and any server's sweep finishes it.
import { expect, test } from "vitest";
import { toTypeId } from "../../src/std/ids.ts";
import { claimUpTo, ok, submitAll, useDuo } from "./duo.ts";
import { origin } from "./fixtures.ts";

const duo = useDuo();

/** The first transaction of a stop, and nothing after it. */
async function stopAndDie(project: string): Promise<void> {
  await duo.owner.query("begin");
  await duo.owner.query(
    `update signalbox.project set stopped_at = now() - interval '3 seconds', stop_reason = 'fire',
       stopped_by = 'ada', last_seq = last_seq + 1 where id = $1`,
    [project],
  );
  await duo.owner.query("update signalbox.feed_counter set n = n + 1 where project_id = $1", [
    project,
  ]);
  await duo.owner.query(
    `insert into signalbox.event (stream_id, seq, project_id, feed, at, stream, type, source,
       actor, request_id)
     select p.id, p.last_seq, p.id, f.n, now(), 'project', 'project.stopped', 'operator', 'ada', 'r'
     from signalbox.project p join signalbox.feed_counter f on f.project_id = p.id
     where p.id = $1`,
    [project],
  );
  await duo.owner.query("commit");
}

test("the next sweep finishes it at no cost; until then no lease is renewed", async () => {
  const project = await duo.project();
  const ids = await submitAll(duo.a, project, 3, { maxAttempts: 1 });
  const claims = await claimUpTo(duo.a, project, 9);
  const beat = (leases: typeof claims) =>
    duo.a.heartbeat(project, { runtime: "w1", agents: [], leases }, origin);
  expect(ok(await beat(claims)).leases.every((lease) => lease.ok)).toBe(true);

  await stopAndDie(project);
  const refused = ok(await beat(claims)).leases.map((lease) => (lease.ok ? "ok" : lease.code));
  expect(refused).toEqual(["project_stopped", "project_stopped", "project_stopped"]);

  await duo.b.sweepOnce();
  for (const id of ids) {
    await expect
      .poll(() => duo.a.run(project, id), { timeout: 30_000, interval: 10 })
      .toMatchObject({ state: "pending", attempts_used: 0, fencing_token: 1 });
    const [attempt] = await duo.a.attempts(project, id);
    expect(attempt).toMatchObject({ state: "released", cause: "stopped", counted: false });
  }
  const told = ok(await beat(claims)).directives.map((one) => one.kind);
  expect(told).toEqual(["stop", "stop", "stop"]);

  ok(await duo.b.resumeProject(project, "out", origin));
  const again = await claimUpTo(duo.b, project, 9);
  expect(again.map((one) => toTypeId("run", one.runId)).toSorted()).toEqual(
    ids.map((id) => toTypeId("run", id)).toSorted(),
  );
});

test("an attempt may still report what it has done before it is given back", async () => {
  const project = await duo.project();
  await submitAll(duo.a, project, 1);
  const [claim] = await claimUpTo(duo.a, project, 1);
  const one = claim as NonNullable<typeof claim>;
  await stopAndDie(project);
  const command = { kind: "complete", output: "done" } as const;
  expect(ok((await duo.a.report(project, [{ ...one, command }], origin))[0]).state).toBe(
    "completed",
  );
});
