// What blocks a run whoever asks (`blocks`), and what of an offer does not fit it (`misfits`).
// Promises: pure; every reason that holds is named, not only the first.
// Leaves to others: what blocks a certain agent (`fit.ts`), who gets what (`admit.ts`).

import type { AdmitFacts, AgentFacts, Block, Candidate, Offer } from "./admission.ts";
import type { PendingRun } from "./run.ts";
import { HELD_DEPENDENCY, HELD_NOT_DUE } from "./run.ts";
import type { LaneKey } from "./submission.ts";

/** Everything that blocks the run whoever asks: time, dependencies, key, queue, stop. */
export function blocks({ run, lane }: Candidate, facts: AdmitFacts): Block[] {
  const found: Block[] = [];
  if (facts.stopped !== null) {
    found.push({
      code: "project_stopped",
      message: `The project was stopped by ${facts.stopped.by}: ${facts.stopped.reason}`,
    });
  }
  if (run.deadlineAt !== null && run.deadlineAt <= facts.at) {
    found.push({ code: "deadline_passed", message: "Its deadline has passed; it ends `timeout`." });
  }
  if (run.held & HELD_NOT_DUE && run.notBefore !== null && run.notBefore > facts.at) {
    found.push({
      code: "not_due",
      message: `Not due until ${new Date(run.notBefore).toISOString()}.`,
      until: run.notBefore,
    });
  }
  if (run.held & HELD_DEPENDENCY) {
    found.push({
      code: "dependency",
      message: `Waits for ${run.openDependencies} run(s) it depends on.`,
    });
  }
  if (keyIsTaken(run, facts.liveByKey)) {
    found.push({
      code: "concurrency_key",
      message: `Concurrency key "${run.concurrencyKey}" is held by another run.`,
    });
  }
  const paused = facts.pausedQueues.get(lane.queue);
  if (paused !== undefined) {
    found.push({
      code: "queue_paused",
      message: `Queue "${lane.queue}" was paused by ${paused.by}: ${paused.reason}`,
    });
  }
  return found;
}

function keyIsTaken(run: PendingRun, live: ReadonlyMap<string, number>): boolean {
  if (run.concurrencyKey === null) return false;
  return (live.get(run.concurrencyKey) ?? 0) >= run.concurrencyLimit;
}

/**
 * Everything about one offer that does not fit the run: runner, capability, agent, runtime, queue.
 * Capabilities are those of the worker and of any of its agents; which agent is asked in `fit.ts`.
 */
export function misfits(
  lane: LaneKey,
  offer: Offer,
  agents: ReadonlyMap<string, AgentFacts>,
): Block[] {
  const found: Block[] = [];
  if (!offer.runners.has(lane.runner)) {
    found.push({ code: "no_runner", message: `No worker has runner "${lane.runner}".` });
  }
  const missing = lane.requires.filter(
    (name) =>
      !offer.capabilities.has(name) &&
      !offer.agents.some((agent) => agents.get(agent.name)?.capabilities.includes(name) === true),
  );
  if (missing.length > 0) found.push(noCapability(missing));
  if (lane.agent !== null && !offer.agents.some((agent) => agent.name === lane.agent)) {
    found.push({ code: "no_agent", message: `No live worker works as agent "${lane.agent}".` });
  }
  if (lane.runtime !== null && lane.runtime !== offer.runtime) {
    found.push({
      code: "no_runtime",
      message: `Runtime "${lane.runtime}" is not asking for work.`,
    });
  }
  if (offer.queues !== null && !offer.queues.has(lane.queue)) {
    found.push({ code: "not_served", message: `No worker serves queue "${lane.queue}".` });
  }
  return found;
}

/** The reason that nobody has these capabilities. */
export function noCapability(missing: readonly string[]): Block {
  const names = missing.map((name) => `"${name}"`).join(", ");
  return { code: "no_capability", message: `No worker has the capabilities ${names}.` };
}
