// Everything that can happen to questions and their runs, at random and at once, on two servers:
// nobody hears of a fault, and the register is as the invariants want it (looked at when the file
// is done).
import { expect, test } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import type { Claimed } from "./duo.ts";
import { submitAll, useDuo } from "./duo.ts";
import { askOf, by } from "./asking.ts";
import { origin } from "./fixtures.ts";

const duo = useDuo();
const RUNS = 80;
const SEEDS = [1, 2, 3];
const ACTORS = 6;
const ACTS = 70;

/** Numbers that are the same in every run of the test (mulberry32). */
function drawing(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

type Town = { project: string; held: Claimed[]; questions: { id: string; runId: string }[] };
type Act = (engine: RunningEngine, town: Town, draw: (below: number) => number) => Promise<unknown>;

const pick = <T>(list: readonly T[], draw: (below: number) => number): T | undefined =>
  list[draw(list.length)];
const report = (
  engine: RunningEngine,
  { project }: Town,
  one: Claimed | undefined,
  command: Parameters<RunningEngine["report"]>[1][number]["command"],
): Promise<unknown> =>
  one === undefined
    ? Promise.resolve()
    : engine.report(project, [{ ...one, command }], origin).then(([answer]) => answer);

const claim: Act = async (engine, town) => {
  const input = { runtime: "w1", agents: [], queues: null, runners: ["default"], free: 4 };
  const asked = { ...input, leaseMs: 60_000, waitMs: 0 };
  const result = await engine.claim(town.project, asked, origin, new AbortController().signal);
  if (isRefusal(result)) return result;
  for (const one of result.claims) {
    const fence = {
      attemptId: fromTypeId("att", one.attempt_id) as string,
      token: one.fencing_token,
    };
    const held = { runId: fromTypeId("run", one.run.id) as string, fence };
    town.held.push(held);
    await report(engine, town, held, { kind: "start" });
  }
  return result;
};
const ask: Act = async (engine, town, draw) => {
  const held = pick(town.held, draw);
  if (held === undefined) return null;
  const parts = {
    key: `k${draw(6)}`,
    arguments: { pr: draw(2) },
    mode: (["hold", "suspend"] as const)[draw(2)] ?? "hold",
    onExpiry: (["timeout", "reject", "approve"] as const)[draw(3)] ?? "approve",
    holdMs: 1000 * (1 + draw(20)),
    expiresInMs: 1000 * (1 + draw(60)),
  };
  const input = { ...held, ask: askOf(parts) };
  const result = await engine.ask(town.project, input, origin);
  if (isRefusal(result) || result.approval === null) return result;
  const id = fromTypeId("apr", result.approval.id) as string;
  town.questions.push({ id, runId: held.runId });
  return result;
};
const answer: Act = async (engine, town, draw) => {
  const question = pick(town.questions.slice(-30), draw);
  if (question === undefined) return null;
  const edited = draw(3) === 0 ? { arguments: { pr: draw(9) } } : {};
  const said =
    draw(8) === 0
      ? ({ kind: "reject", comment: null } as const)
      : ({ kind: "approve", comment: null, ...edited } as const);
  return engine.answerApproval(town.project, question.id, said, by(`p${draw(3)}`));
};
const byLink: Act = async (engine, town, draw) => {
  const question = pick(town.questions.slice(-30), draw);
  if (question === undefined) return null;
  const link = await engine.linkApproval(town.project, question.id, by("ada"));
  if (isRefusal(link)) return link;
  const said = { kind: "approve", comment: "by link" } as const;
  return (await engine.answerByLink(link.token, said, origin)) ?? null;
};
const executed: Act = async (engine, town, draw) => {
  const held = pick(town.held, draw);
  const question = pick(town.questions, draw);
  if (held === undefined || question === undefined) return null;
  const done = { arguments: { pr: draw(2) } };
  return engine.executed(town.project, { ...held, approvalId: question.id, done }, origin);
};
const stop: Act = async (engine, { project }, draw) => {
  const call = { reason: "storm", cancelLive: draw(40) === 0 };
  const stopped = await engine.stopProject(project, call, origin);
  return isRefusal(stopped) ? stopped : engine.resumeProject(project, "over", origin);
};
const pass: Act = async (engine, _town, draw) => {
  duo.tick(500 * draw(20));
  await duo.beat();
  await engine.sweepOnce();
  return null;
};
const acts: readonly Act[] = [
  ...Array.from({ length: 4 }, () => [claim, ask, answer]).flat(),
  byLink,
  executed,
  pass,
  pass,
  stop,
  (engine, town, draw) => {
    const soft = { reason: null, cascade: false };
    const runId = pick(town.held, draw)?.runId;
    return runId === undefined
      ? Promise.resolve()
      : engine.cancel(town.project, runId, soft, origin);
  },
  (engine, town, draw) =>
    report(engine, town, pick(town.held, draw), { kind: "release", cause: "shutdown" }),
  (engine, town, draw) =>
    report(engine, town, pick(town.held, draw), { kind: "complete", output: null }),
];

test("each question is decided once, the rest is refused by name", async () => {
  const codes = new Set<string>();
  let decided = 0;
  for (const seed of SEEDS) {
    const town: Town = { project: await duo.project(), held: [], questions: [] };
    await submitAll(duo.a, town.project, RUNS, { maxAttempts: 5 });
    const actor = async (n: number): Promise<void> => {
      const draw = drawing(seed * 100 + n);
      for (let i = 0; i < ACTS; i += 1) {
        const act = pick(acts, draw) as Act;
        const result = await act(n % 2 === 0 ? duo.a : duo.b, town, draw);
        if (isRefusal(result)) codes.add(result.code);
        else if (act === answer || act === byLink) decided += result === null ? 0 : 1;
      }
    };
    await Promise.all(Array.from({ length: ACTORS }, (_, n) => actor(n)));
  }
  expect(decided).toBeGreaterThan(0);
  expect(codes).toContain("approval_decided");
  expect([...codes].filter((code) => code === "internal" || code === "unavailable")).toEqual([]);
});
