// The book of leases in simulated time: when a lease freezes, thaws, is lost, or runs out of time.
// Promises: every rule of the keeper that needs no network is told here as a table of moments.
// Leaves to others: sending (keeper.test.ts).

import { beforeEach, expect, test } from "vitest";

import { KeptLeases } from "../../src/worker/kept-leases.ts";
import type { LeaseAnswer } from "../../src/wire.ts";

let told: string[];
let leases: KeptLeases;

const fence = (token: number, run = "run_1") => ({
  run_id: run,
  attempt_id: `att_${run.slice(4)}_${token}`,
  fencing_token: token,
});
const lease = (token: number, timeLeftMs: number | null = null) => ({
  fence: fence(token),
  leaseMs: 20_000,
  timeLeftMs,
});
const ok = (token: number, more: Partial<LeaseAnswer> = {}): LeaseAnswer => {
  const { attempt_id, run_id } = fence(token);
  return { run_id, attempt_id, ok: true, ...more };
};

beforeEach(() => {
  told = [];
  leases = new KeptLeases({
    onDirective: (d) => told.push(d.kind),
    onFreeze: ({ fencing_token }) => told.push(`freeze ${fencing_token}`),
    onThaw: ({ fencing_token }) => told.push(`thaw ${fencing_token}`),
    onLost: ({ fencing_token }, code) => told.push(`lost ${fencing_token} ${code}`),
    onCheckpoint: (_, stored) => told.push(`checkpoint ${stored}`),
  });
});

test("freezes 10 % before the end, once, and thaws when an answer comes", () => {
  leases.add(lease(1), 0);
  expect(leases.nextDue()).toBe(18_000);
  leases.tick(17_999);
  expect(told).toEqual([]);
  leases.tick(18_000);
  leases.tick(30_000);
  expect(told).toEqual(["freeze 1"]);
  leases.acknowledge(leases.renewals(), [ok(1)], 31_000);
  expect(told).toEqual(["freeze 1", "thaw 1"]);
  expect(leases.nextDue()).toBe(31_000 + 18_000);
});

test("the end counts from the sending of the heartbeat, with the length the server gave", () => {
  leases.add(lease(1), 0);
  leases.acknowledge(leases.renewals(), [ok(1, { lease_ms: 10_000 })], 5_000);
  expect(leases.nextDue()).toBe(5_000 + 10_000 - 2_000);
});

test("a lease that the answer leaves out is not renewed", () => {
  leases.add(lease(1), 0);
  leases.acknowledge(leases.renewals(), [], 5_000);
  expect(leases.nextDue()).toBe(18_000);
});

test("not ok means lost: forgotten at once", () => {
  leases.add(lease(1), 0);
  const answer = ok(1, { ok: false, code: "stale_fencing_token" });
  leases.acknowledge(leases.renewals(), [answer], 5_000);
  expect(told).toEqual(["lost 1 stale_fencing_token"]);
  expect(leases.size).toBe(0);
});

test("a run claimed again by the same worker is another lease", () => {
  leases.add(lease(1), 0);
  const sent = leases.renewals();
  leases.add(lease(2), 100);
  leases.acknowledge(sent, [ok(1, { ok: false, code: "stale_fencing_token" })], 50);
  expect(told).toEqual(["lost 1 stale_fencing_token"]);
  expect(leases.renewals().map(({ body }) => body.fencing_token)).toEqual([2]);
});

test("an answer to a lease removed meanwhile is nothing", () => {
  leases.add(lease(1), 0);
  const sent = leases.renewals();
  leases.remove(fence(1));
  leases.acknowledge(sent, [ok(1, { ok: false, code: "already_terminal" })], 50);
  expect(told).toEqual([]);
});

test("a directive is told once per attempt and kind, fenced means lost, wake always passes", () => {
  leases.add(lease(1), 0);
  const { attempt_id, run_id } = fence(1);
  const cancel = { kind: "cancel", run_id, attempt_id, reason: null, grace_ms: 30_000 } as const;
  leases.direct(cancel);
  leases.direct(cancel);
  leases.direct({ kind: "kill", run_id, attempt_id, reason: null });
  leases.direct({ kind: "kill", run_id, attempt_id: "att_other", reason: null });
  leases.direct({ kind: "wake", reason: null });
  leases.direct({ kind: "wake", reason: null });
  leases.direct({ kind: "fenced", run_id, attempt_id, reason: null });
  expect(told).toEqual(["cancel", "kill", "wake", "wake", "lost 1 stale_fencing_token"]);
});

test("the time limit is a directive of its own, once, and follows the server's word", () => {
  leases.add(lease(1, 3_000), 0);
  expect(leases.nextDue()).toBe(3_000);
  leases.acknowledge(leases.renewals(), [ok(1, { time_left_ms: 2_500 })], 1_000);
  leases.tick(3_400);
  expect(told).toEqual([]);
  leases.tick(3_500);
  leases.acknowledge(leases.renewals(), [ok(1, { time_left_ms: 0 })], 4_000);
  leases.tick(4_000);
  expect(told).toEqual(["deadline"]);
});

test("a time limit beyond what setTimeout can hold is only a number here", () => {
  leases.add(lease(1, 2_678_400_000), 0);
  expect(leases.nextDue()).toBe(18_000);
  leases.tick(2_678_400_000);
  expect(told).toEqual(["freeze 1", "deadline"]);
});

test("the newest checkpoint wins; an older answer does not speak for it", () => {
  leases.add(lease(1), 0);
  leases.setCheckpoint(fence(1), { step: 1 });
  const first = leases.renewals();
  leases.setCheckpoint(fence(1), { step: 2 });
  leases.acknowledge(first, [ok(1)], 10);
  expect(told).toEqual([]);
  const second = leases.renewals();
  expect(second[0]?.body.checkpoint).toEqual({ step: 2 });
  leases.acknowledge(second, [ok(1)], 20);
  expect(told).toEqual(["checkpoint true"]);
  expect(leases.renewals()[0]?.body).not.toHaveProperty("checkpoint");
});

test("checkpoints of one heartbeat are at most 1 MiB together", () => {
  for (let token = 1; token <= 6; token += 1) {
    leases.add(lease(token), 0);
    leases.setCheckpoint(fence(token), "x".repeat(250 * 1024));
  }
  const carried = leases.renewals().filter(({ checkpoint }) => checkpoint !== null);
  expect(carried).toHaveLength(4);
  leases.refuseCheckpoints(carried);
  expect(told).toEqual(Array(4).fill("checkpoint false"));
  expect(leases.renewals().filter(({ checkpoint }) => checkpoint !== null)).toHaveLength(2);
});
