// What a server counts of runs on their way, at instants moved by hand: waits, lost leases, limits.

import { expect, test } from "vitest";
import { Crew } from "./crew.ts";
import { useStage } from "./stage.ts";

const stage = useStage();

/** The value of each line of the metrics of ours. */
async function figures(): Promise<ReadonlyMap<string, number>> {
  const lines = (await stage.engine.metrics()).split("\n");
  return new Map(
    lines
      .filter((line) => line.startsWith("signalbox_"))
      .map((line) => {
        const cut = line.lastIndexOf(" ");
        return [line.slice(0, cut), Number(line.slice(cut + 1))];
      }),
  );
}

/** How much each of these lines grew while something was done. */
async function growth(lines: readonly string[], act: () => Promise<void>): Promise<number[]> {
  const before = await figures();
  await act();
  const after = await figures();
  return lines.map((line) => (after.get(line) ?? Number.NaN) - (before.get(line) ?? 0));
}

test("a lease that runs out is counted as such, and its run as gone back to the line", async () => {
  const c = await Crew.of(stage);
  await c.worker("w1");
  await c.agent("a");
  const lines = [
    "signalbox_leases_expired_total",
    'signalbox_attempts_ended_total{cause="lease_expired"}',
    'signalbox_attempt_seconds_count{outcome="lost"}',
    'signalbox_attempt_seconds_sum{outcome="lost"}',
    "signalbox_runs_requeued_total",
    'signalbox_runs_ended_total{cause="completed"}',
  ];
  const grown = await growth(lines, async () => {
    await c.submit(1);
    await stage.engine.sweepOnce();
    expect(await c.claim("w1", ["a"])).toHaveLength(1);
    stage.tick(61_000);
    await stage.engine.sweepOnce();
  });
  const seconds = grown.splice(3, 1)[0] ?? 0;
  expect(grown).toEqual([1, 1, 1, 1, 0]);
  // Time goes on beside what is ticked; counted twice it would be more than this.
  expect(seconds).toBeGreaterThanOrEqual(61);
  expect(seconds).toBeLessThan(2 * 61);
});

test("the wait for a claim counts from the submit, once per run", async () => {
  const c = await Crew.of(stage);
  await c.worker("w1");
  const lines = [
    "signalbox_run_claim_wait_seconds_count",
    "signalbox_run_claim_wait_seconds_sum",
    'signalbox_run_claim_wait_seconds_bucket{le="30"}',
    'signalbox_run_claim_wait_seconds_bucket{le="60"}',
    "signalbox_runs_claimed_total",
  ];
  const grown = await growth(lines, async () => {
    await c.agent("a");
    await c.submit(1);
    stage.tick(40_000);
    const [held] = await c.claim("w1", ["a"]);
    await c.report(held as never, { kind: "release", cause: "declined" });
    expect(await c.claim("w1", ["a"])).toHaveLength(1);
  });
  const seconds = grown.splice(1, 1)[0] ?? 0;
  expect(grown).toEqual([1, 0, 1, 2]);
  expect(seconds).toBeGreaterThanOrEqual(40);
  expect(seconds).toBeLessThan(2 * 40);
});

test("a limit that was met is counted by its reason", async () => {
  const c = await Crew.of(stage);
  await c.worker("w1");
  await c.agent("a");
  const lines = [
    'signalbox_exhaustions_total{reason="quota"}',
    'signalbox_exhaustions_total{reason="billing"}',
    'signalbox_attempts_ended_total{cause="exhausted"}',
  ];
  const grown = await growth(lines, async () => {
    await c.submit(1);
    const [held] = await c.claim("w1", ["a"]);
    await c.exhaust(held as never, { reason: "quota", recovery_in_ms: 90_000 });
  });
  expect(grown).toEqual([1, 0, 1]);
});

test("a run without attempts left is counted as ended and as a dead letter", async () => {
  const c = await Crew.of(stage);
  await c.worker("w1");
  await c.agent("a");
  const lines = [
    'signalbox_runs_ended_total{cause="attempts"}',
    "signalbox_runs_dead_lettered_total",
    'signalbox_run_seconds_count{state="failed"}',
    "signalbox_runs_requeued_total",
  ];
  const grown = await growth(lines, async () => {
    await c.submit(1, { maxAttempts: 1 });
    const [held] = await c.claim("w1", ["a"]);
    const error = { code: "E", message: "no" };
    await c.report(held as never, { kind: "fail", error, retryable: true } as never);
  });
  expect(grown).toEqual([1, 1, 1, 0]);
});
