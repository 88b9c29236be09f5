// Questions of attempts, for engine tests: a question with its defaults, asking it, answering it.
// Promises: refusals come back as they are; nothing here waits.
// Leaves to others: claims and projects (duo.ts, stage.ts).

import type * as wire from "@signalbox/sdk";
import type { Ask } from "../../src/domain/approval.ts";
import type { RunCommand } from "../../src/domain/command.ts";
import type { Refusal } from "../../src/domain/refusal.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import type { Claimed } from "./duo.ts";
import { claimUpTo, ok, submitAll } from "./duo.ts";
import { origin } from "./fixtures.ts";

/** A question with defaults: merge pull request 42, held 15 minutes, open half an hour. */
export function askOf(parts: Partial<Ask> = {}): Ask {
  return {
    key: null,
    title: "Merge?",
    action: "merge",
    arguments: { pr: 42 },
    risk: "medium",
    mode: "hold",
    holdMs: 900_000,
    expiresInMs: 1_800_000,
    onExpiry: "timeout",
    ...parts,
  };
}

/** A person of this name. */
export const by = (name: string) => ({ ...origin, actor: `key:${name}` });

/** The UUID of an approval. */
export const uuidOf = (approval: wire.Approval): string => fromTypeId("apr", approval.id) as string;

/** Claims the one run that waits, and starts it. */
export async function claimOne(engine: RunningEngine, projectId: string): Promise<Claimed> {
  const [claimed] = await claimUpTo(engine, projectId, 1);
  if (claimed === undefined) throw new Error("there was nothing to claim");
  await tell(engine, projectId, claimed, { kind: "start" });
  return claimed;
}

/** Submits a run, claims and starts it. */
export async function startOne(engine: RunningEngine, projectId: string): Promise<Claimed> {
  await submitAll(engine, projectId, 1);
  return claimOne(engine, projectId);
}

/** A report of the attempt, which must be taken. */
export async function tell(
  engine: RunningEngine,
  projectId: string,
  claimed: Claimed,
  command: RunCommand,
): Promise<wire.RunStatus> {
  const [answer] = await engine.report(projectId, [{ ...claimed, command }], origin);
  return ok(answer);
}

/** Asks, and returns the question, which must be taken. */
export async function asked(
  engine: RunningEngine,
  projectId: string,
  claimed: Claimed,
  parts: Partial<Ask> & { checkpoint?: wire.Json } = {},
): Promise<wire.Approval> {
  const { checkpoint, ...ask } = parts;
  const input = {
    ...claimed,
    ask: askOf(ask),
    ...(checkpoint === undefined ? {} : { checkpoint }),
  };
  const { approval } = ok(await engine.ask(projectId, input, origin));
  if (approval === null) throw new Error("nothing was asked");
  return approval;
}

/** An answer in words: the status, or the code of the refusal. */
export function inWords(answer: wire.Approval | Refusal): string {
  return isRefusal(answer) ? `refused ${answer.code}` : answer.status;
}

/** State, attempts used and token of a run, in words. */
export async function runInWords(
  engine: RunningEngine,
  projectId: string,
  runId: string,
): Promise<string> {
  const run = await engine.run(projectId, runId);
  if (run === null) return "absent";
  const { state, attempts_used: used, fencing_token: token, end_cause: cause } = run;
  return `${state} used=${used} token=${token} cause=${cause ?? "none"}`;
}

/** Types of the events of a run from the first question on. */
export async function factsOf(
  engine: RunningEngine,
  projectId: string,
  runId: string,
): Promise<string> {
  const { items } = await engine.runEvents(projectId, runId, { order: "asc", limit: 500 });
  const from = items.findIndex(({ type }) => type === "approval.requested");
  return items
    .slice(from)
    .map((event) => [event.type, ...event.also].join("+"))
    .join(" ");
}
