// Races of two servers on one database. Where one must wait for the other it is *seen* waiting in
// the database's own list of sessions, or seen to pass over what the other holds.
import { expect, test } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import { fromTypeId, newUuid } from "../../src/std/ids.ts";
import { columnsOf } from "../store/rows.ts";
import { nameProjects } from "../store/sessions.ts";
import { claimUpTo, ok, seenWaiting, submitAll, useDuo } from "./duo.ts";
import { newRunOf, origin } from "./fixtures.ts";

const duo = useDuo();

/** How often the states came, as `{completed: 3, cancelled: 2}`. */
function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

test("claim against claim: a run another transaction holds is passed over", async () => {
  const project = await duo.project();
  const [held, free] = await submitAll(duo.a, project, 2);
  await duo.owner.query("begin");
  await duo.owner.query("select from signalbox.run r where r.id = $1 for no key update", [held]);
  const claimed = await claimUpTo(duo.a, project, 9);
  expect(claimed.map((one) => one.runId)).toEqual([free]);
  await duo.owner.query("rollback");
  expect((await claimUpTo(duo.b, project, 9)).map((one) => one.runId)).toEqual([held]);
});

test("sixteen claimers of two servers: each run goes to exactly one", async () => {
  const project = await duo.project();
  const ids = await submitAll(duo.a, project, 120);
  const claimed = await Promise.all(
    Array.from({ length: 16 }, async (_, n) => {
      const mine: string[] = [];
      for (let idle = 0; idle < 3;) {
        const got = await claimUpTo(n % 2 === 0 ? duo.a : duo.b, project, 2);
        idle = got.length === 0 ? idle + 1 : 0;
        mine.push(...got.map((one) => one.runId));
      }
      return mine;
    }),
  );
  expect(claimed.flat().toSorted()).toEqual(ids.toSorted());
});

test("complete against cancel: both wait for the run, the order of commit decides", async () => {
  const project = await duo.project();
  await submitAll(duo.a, project, 1);
  const [claim] = await claimUpTo(duo.a, project, 1);
  const { runId, fence } = claim as NonNullable<typeof claim>;
  await duo.owner.query("begin");
  await duo.owner.query("select from signalbox.run r where r.id = $1 for no key update", [runId]);
  const cancelled = duo.b.cancel(project, runId, { reason: null, cascade: false }, origin);
  await seenWaiting(duo.owner, "signalbox control");
  const command = { kind: "complete", output: 1 } as const;
  const completed = duo.a.report(project, [{ runId, fence, command }], origin);
  await duo.owner.query("rollback");
  const [cancel, [complete]] = await Promise.all([cancelled, completed]);
  const outcome = [isRefusal(cancel) ? cancel.code : cancel.state, ok(complete).state].join(", ");
  expect(["claimed, cancelled", "already_terminal, completed"]).toContain(outcome);
});

test("complete against cancel at once, 500 trials: every history is lawful", async () => {
  const project = await duo.project();
  const ids = await submitAll(duo.a, project, 500);
  const claims = await claimUpTo(duo.a, project, 500);
  expect(claims).toHaveLength(500);
  const outcomes: string[] = [];
  const trial = async ({ runId, fence }: (typeof claims)[number], n: number): Promise<void> => {
    const command = { kind: "complete", output: n } as const;
    const ask = { reason: null, cascade: false };
    const complete = () => duo.a.report(project, [{ runId, fence, command }], origin);
    const cancel = () => duo.b.cancel(project, runId, ask, origin);
    const [first, second] = n % 2 === 0 ? [complete, cancel] : [cancel, complete];
    const answers = await Promise.all([first(), second()]);
    const [report, order] = n % 2 === 0 ? answers : answers.toReversed();
    const done = ok((report as Awaited<ReturnType<typeof complete>>)[0]).state;
    const asked = order as Awaited<ReturnType<typeof cancel>>;
    outcomes.push(`${done}, ${isRefusal(asked) ? asked.code : "flagged"}`);
  };
  for (let n = 0; n < claims.length; n += 5) {
    await Promise.all(claims.slice(n, n + 5).map((claim, at) => trial(claim, n + at)));
  }
  const counts = tally(outcomes);
  expect(Object.keys(counts).toSorted()).toEqual([
    "cancelled, flagged",
    "completed, already_terminal",
  ]);
  const { rows } = await duo.owner.query<{ shape: string; n: number }>(
    `select string_agg(e.type, ' ' order by e.seq) as shape, 1 as n
     from signalbox.event e where e.stream_id = any ($1::uuid[]) group by e.stream_id`,
    [ids],
  );
  const shapes = tally(rows.map((row) => row.shape.replaceAll("run.", "")));
  expect(shapes).toEqual({
    "submitted claimed started completed": counts["completed, already_terminal"],
    "submitted claimed cancel_requested cancelled": counts["cancelled, flagged"],
  });
});

test("the same idempotency key at two servers, 50 times: one run, one answer", async () => {
  const project = await duo.project();
  for (let n = 0; n < 50; n += 1) {
    const spec = newRunOf({ idempotencyKey: `key-${n}`, input: n });
    const results = await Promise.all([
      duo.a.submit(project, [spec], origin),
      duo.b.submit(project, [spec], origin),
    ]);
    const answers = results.map(([one]) => ok(one));
    expect(answers.filter((one) => one.created)).toHaveLength(1);
    expect(answers[0]?.run.id).toBe(answers[1]?.run.id);
  }
  const { rows } = await duo.owner.query("select 1 from signalbox.run r where r.project_id = $1", [
    project,
  ]);
  expect(rows).toHaveLength(50);
});

test("the same key with two bodies at two servers: one run, one mismatch", async () => {
  const project = await duo.project();
  for (let n = 0; n < 20; n += 1) {
    const specs = [1, 2].map((input) => newRunOf({ idempotencyKey: `key-${n}`, input }));
    const results = await Promise.all(
      specs.map((spec, at) => (at === 0 ? duo.a : duo.b).submit(project, [spec], origin)),
    );
    const words = results.map(([one]) => (isRefusal(one) ? one.code : "created"));
    expect(words.toSorted()).toEqual(["created", "idempotency_mismatch"]);
  }
});

test.each([1, 3])("a concurrency key of limit %i under sixteen claimers", async (limit) => {
  const project = await duo.project();
  const ids = await submitAll(duo.a, project, 60, {
    concurrencyKey: "k",
    concurrencyLimit: limit,
  });
  const left = new Set(ids);
  const end = performance.now() + 50_000;
  let [live, most] = [0, 0];
  const worker = async (n: number): Promise<void> => {
    const engine = n % 2 === 0 ? duo.a : duo.b;
    while (left.size > 0) {
      expect(performance.now()).toBeLessThan(end);
      for (const { runId, fence } of await claimUpTo(engine, project, 1)) {
        live += 1;
        most = Math.max(most, live);
        left.delete(runId);
        const command = { kind: "complete", output: null } as const;
        const report = engine.report(project, [{ runId, fence, command }], origin);
        // Counted down before the answer: it may be free again as soon as the database says so.
        live -= 1;
        ok((await report)[0]);
      }
      await engine.parts.after.settled();
      if (n === 0) await engine.sweepOnce();
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, n) => worker(n)));
  expect(most).toBeLessThanOrEqual(limit); // and I-16, in commit order, by the checker
});

test("a claim in flight holds its concurrency key: another server waits for it", async () => {
  const project = await duo.project();
  const [first, second] = await submitAll(duo.a, project, 2, { concurrencyKey: "k" });
  await duo.owner.query("begin");
  await nameProjects(duo.owner, [project]);
  const lock = "select pg_advisory_xact_lock(hashtextextended($1::text || 'k', 7203))";
  await duo.owner.query(lock, [project]);
  const claimed = claimUpTo(duo.b, project, 9);
  await seenWaiting(duo.owner, "signalbox work");
  const columns = { ...columnsOf("claimed"), attempt_id: newUuid(), attempts_used: 1 };
  const far = { lease_expires_at: "2100-01-01T00:00:00Z", due_at: "2100-01-01T00:00:00Z" };
  // The flush at b has locked both runs; the claim that is in flight here is a third one's.
  const third = newUuid();
  await duo.owner.query(
    `insert into signalbox.run (id, project_id, lane_id, rank, last_seq, created_at, priority,
       max_attempts, state, concurrency_key, attempt_id, fencing_token, attempts_used, claimed_at,
       lease_ms, lease_expires_at, due_at)
     select $1, r.project_id, r.lane_id, r.rank, 1, r.created_at, r.priority, 3, 'claimed', 'k',
       $2, 1, 1, now(), 1000, $3, $3 from signalbox.run r where r.id = $4`,
    [third, columns.attempt_id, far.due_at, first],
  );
  await duo.owner.query("commit");
  expect(await claimed).toEqual([]);
  // Taken away again: it has no history of its own for the checker to read.
  await duo.owner.query("delete from signalbox.run where id = $1", [third]);
  await duo.b.sweepOnce();
  expect((await claimUpTo(duo.a, project, 9)).map((one) => one.runId)).toEqual([first]);
  expect(second).toBeDefined();
});

test("a queue that was paused hands out nothing more, at any server", async () => {
  const project = await duo.project();
  await submitAll(duo.a, project, 200);
  let paused = false;
  let after = 0;
  const worker = async (n: number): Promise<void> => {
    for (let rounds = 0; rounds < 12; rounds += 1) {
      const begunAfter = paused;
      const got = await claimUpTo(n % 2 === 0 ? duo.a : duo.b, project, 1);
      if (begunAfter) after += got.length;
    }
  };
  const workers = Array.from({ length: 8 }, (_, n) => worker(n));
  ok(await duo.b.pauseQueue(project, "default", "cleaning", origin));
  paused = true;
  await Promise.all(workers);
  expect(after).toBe(0);
  expect(await claimUpTo(duo.a, project, 9)).toEqual([]);
  ok(await duo.a.resumeQueue(project, "default", null, origin));
  expect((await claimUpTo(duo.b, project, 9)).length).toBe(9);
});

test("a stop waits for the claims in flight, and no claim commits after it", async () => {
  const project = await duo.project();
  await submitAll(duo.a, project, 3);
  await duo.owner.query("begin");
  const share = "select pg_advisory_xact_lock_shared(hashtextextended($1::text, 7204))";
  await duo.owner.query(share, [project]);
  const stopped = duo.b.stopProject(project, { reason: "fire", cancelLive: false }, origin);
  await seenWaiting(duo.owner, "signalbox writer");
  const claimed = claimUpTo(duo.a, project, 9);
  await seenWaiting(duo.owner, "signalbox work");
  await duo.owner.query("rollback");
  ok(await stopped);
  expect(await claimed).toEqual([]);
  ok(await duo.a.resumeProject(project, "out", origin));
  expect(await claimUpTo(duo.a, project, 9)).toHaveLength(3);
});

const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test("stop against claim, 40 trials: what is claimed is given back, uncounted", async () => {
  const project = await duo.project();
  const ids = await submitAll(duo.a, project, 2, { maxAttempts: 1 });
  let got = 0;
  for (let n = 0; n < 40; n += 1) {
    // A head start of up to 39 turns of the event loop, so that either comes first.
    const claiming = claimUpTo(duo.a, project, 2);
    for (let turn = 0; turn < n; turn += 1) await nextTurn();
    const stopping = duo.b.stopProject(project, { reason: "fire", cancelLive: false }, origin);
    const [claimed, stop] = await Promise.all([claiming, stopping]);
    ok(stop);
    got += claimed.length;
    const { rows } = await duo.owner.query<{ state: string; used: number }>(
      "select r.state, r.attempts_used as used from signalbox.run r where r.id = any ($1::uuid[])",
      [ids],
    );
    expect(rows).toEqual(ids.map(() => ({ state: "pending", used: 0 })));
    ok(await duo.a.resumeProject(project, "out", origin));
  }
  // Both orders came; I-22 holds in commit order, by the checker.
  expect(got).toBeGreaterThan(0);
});

test("two servers sweep the same hundred expired leases: each is lost once", async () => {
  const project = await duo.project();
  const ids = await submitAll(duo.a, project, 100);
  expect(await claimUpTo(duo.a, project, 100)).toHaveLength(100);
  duo.tick(61_000);
  await duo.beat();
  await Promise.all([duo.a.sweepOnce(), duo.b.sweepOnce(), duo.a.sweepOnce()]);
  const { rows } = await duo.owner.query<{ losses: number }>(
    `select count(*)::integer as losses from signalbox.event e
     where e.stream_id = any ($1::uuid[]) and 'attempt.lost' = any (e.also) group by e.stream_id`,
    [ids],
  );
  expect(rows).toEqual(ids.map(() => ({ losses: 1 })));
});

test("a follower sees every event of a project once, in commit order", async () => {
  const project = await duo.project();
  const stop = new AbortController();
  const feeds: number[] = [];
  const followed = (async () => {
    for await (const items of duo.b.followProject(project, { afterFeed: 0 }, stop.signal)) {
      feeds.push(...items.flatMap((item) => ("feed" in item ? [Number(item.feed)] : [])));
      if (feeds.length >= 403) return;
    }
  })();
  const writers = Array.from({ length: 8 }, async (_, n) => {
    for (let rounds = 0; rounds < 25; rounds += 1) {
      const [result] = await (n % 2 === 0 ? duo.a : duo.b).submit(project, [newRunOf()], origin);
      const id = fromTypeId("run", ok(result).run.id) as string;
      ok(await duo.a.cancel(project, id, { reason: null, cascade: false }, origin));
    }
  });
  await Promise.all(writers);
  ok(await duo.a.pauseQueue(project, "default", "last", origin));
  await followed;
  stop.abort();
  expect(feeds).toEqual(feeds.map((_, n) => n + 1));
});
