// The steps of an attempt from its claim to its completion: claim, start, wait for a tool or a
// person, complete. Promises: a completion that skipped start or resume records it first (² of the
// table).
// Leaves to others: giving back (`give-back.ts`), failing and ending (`ends.ts`), which step is
// allowed (`decide.ts` asks the table).

import type { Decision, Moment, RunCommand } from "./command.ts";
import { attemptEndOf, endRun, usageOf } from "./ends.ts";
import type { Fact } from "./event.ts";
import { go, moved } from "./facts.ts";
import { suspend } from "./give-back.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";
import type { JsonObject, LeasedRun, Run } from "./run.ts";
import { toLeased } from "./shape.ts";

type Of<K extends RunCommand["kind"]> = Extract<RunCommand, { kind: K }>;

/** A new attempt under the next fencing token; it costs one of `max_attempts` from here on. */
export function claim(run: Run, command: Of<"claim">, now: Moment): Decision | Refusal {
  if (run.held !== 0) return refuse("invalid_transition", "The run is held back.");
  const { attemptId, runtime, agent, leaseMs } = command;
  const token = run.fencingToken + 1;
  const lease = { expiresAt: now.at + leaseMs, leaseMs };
  const next = toLeased(run, "claimed", lease, {
    fencingToken: token,
    attemptsUsed: run.attemptsUsed + 1,
    attemptId,
    attemptEnd: null,
    runtime,
    agent,
    account: command.account ?? null,
    durationCapMs: command.durationCapMs ?? null,
    metered: command.metered === true,
    probing: command.probing === true,
    claimedAt: now.at,
    startedAt: null,
    lastProducerSeq: 0,
    statusReason: null,
  });
  const fact: Fact = {
    type: "run.claimed",
    also: ["attempt.spawning"],
    source: "host",
    at: now.at,
    from: "pending",
    to: "claimed",
    leaseDelta: 1,
    token,
    leaseExpiresAt: lease.expiresAt,
    data: {
      runtime,
      agent,
      lease_ms: leaseMs,
      ...(next.account === null ? {} : { account: next.account }),
      ...(next.probing ? { probe: true } : {}),
    },
  };
  return { run: next, facts: [fact], attempt: [{ kind: "spawned", agent, runtime }] };
}

/** The worker has begun: claimed → running. */
export function start(
  run: LeasedRun,
  command: Of<"start">,
  now: Moment,
): Decision & { run: LeasedRun } {
  const next = toLeased(run, "running", run.lease, { startedAt: now.at });
  const data: JsonObject = {};
  if (command.process?.pid !== undefined) data["pid"] = command.process.pid;
  if (command.process?.host !== undefined) data["host"] = command.process.host;
  const fact: Fact = {
    ...moved(run, now, { type: "run.started", to: "running", data }),
    also: ["attempt.running"],
  };
  const change = command.process === undefined ? {} : { process: command.process };
  return { run: next, facts: [fact], attempt: [{ kind: "running", ...change }] };
}

/** The attempt waits for a tool and keeps its lease. */
export function awaitTool(run: LeasedRun, command: Of<"await_tool">, now: Moment): Decision {
  return go(run, now, {
    type: "run.waiting_tool",
    phase: "waiting_tool",
    data: command.tool === undefined ? {} : { tool: command.tool },
    checkpoint: command.checkpoint,
  });
}

/** The attempt waits for a person: holding its lease, or suspended without one. */
export function awaitApproval(
  run: LeasedRun,
  command: Of<"await_approval">,
  now: Moment,
): Decision {
  const { mode, checkpoint } = command;
  if (mode === "suspend") return suspend(run, { cause: "suspended", checkpoint }, now);
  return go(run, now, {
    type: "run.waiting_approval",
    phase: "waiting_approval_held",
    data: { mode },
    checkpoint,
  });
}

/** The run is done, with its output. */
export function complete(run: LeasedRun, command: Of<"complete">, now: Moment): Decision {
  const first = skipped(run, now);
  const last = endRun(
    first.run,
    { phase: "completed", cause: "completed", reason: null, output: command.output },
    attemptEndOf(command),
    now,
  );
  return {
    run: last.run,
    facts: [...first.facts, ...last.facts],
    attempt: [...first.attempt, ...last.attempt],
    ...usageOf(command.usage),
  };
}

/** ² of the table: completing from claimed or waiting_tool first records the skipped step. */
function skipped(run: LeasedRun, now: Moment): Decision & { run: LeasedRun } {
  if (run.phase === "claimed") return start(run, { kind: "start" }, now);
  if (run.phase === "waiting_tool") return go(run, now, { type: "run.resumed", phase: "running" });
  return { run, facts: [], attempt: [] };
}
