// cancel and kill: how people end a run.
// Promises: both go through the control batcher, so they never wait behind work; a cancel asks the
// worker and ends the run after the grace, a kill fences at once; cascade reaches all descendants.
// Leaves to others: stopping the process (worker).

import type * as wire from "@signalbox/sdk";
import type { RunCommand } from "../../domain/command.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal } from "../../domain/refusal.ts";
import { nilUuid } from "../../std/ids.ts";
import { childrenOf } from "../../store/specs.ts";
import type { Origin } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { statusOf } from "../queries/views.ts";
import type { Answer, RunAnswer } from "../services/flush/items.ts";

const PAGE = 500;

export async function cancel(
  parts: Parts,
  projectId: string,
  runId: string,
  call: { reason: string | null; cascade: boolean; origin: Origin },
): Promise<wire.RunStatus | Refusal> {
  const command = { kind: "cancel", reason: call.reason } as const;
  const answer = await order(parts, projectId, runId, { command, origin: call.origin });
  if (call.cascade) await cancelChildren(parts, projectId, runId, call);
  return answer;
}

export function kill(
  parts: Parts,
  projectId: string,
  runId: string,
  call: { reason: string; origin: Origin },
): Promise<wire.RunStatus | Refusal> {
  const command = { kind: "kill", reason: call.reason } as const;
  return order(parts, projectId, runId, { command, origin: call.origin });
}

async function order(
  parts: Parts,
  projectId: string,
  runId: string,
  call: { command: RunCommand; origin: Origin },
): Promise<wire.RunStatus | Refusal> {
  const answer = await parts.control.add({
    kind: "run",
    projectId,
    runId,
    what: { command: call.command },
    origin: call.origin,
  });
  if (isRefusal(answer)) return answer;
  return statusOf((answer as RunAnswer).run);
}

/** Cancels all descendants, level by level; those that have ended are passed over. */
async function cancelChildren(
  parts: Parts,
  projectId: string,
  runId: string,
  call: { reason: string | null; origin: Origin },
): Promise<void> {
  const command = { kind: "cancel", reason: call.reason } as const;
  for await (const ids of descendantsOf(parts, projectId, [runId])) {
    await Promise.all(
      ids.map((id) => order(parts, projectId, id, { command, origin: call.origin })),
    );
  }
}

/** All that descends from these, in sets: each is read before its own children are looked for. */
async function* descendantsOf(
  parts: Parts,
  projectId: string,
  ids: readonly string[],
): AsyncGenerator<string[]> {
  const seen = new Set(ids);
  let level = [...ids];
  while (level.length > 0) {
    const next: string[] = [];
    for (let at = 0; at < level.length; at += PAGE) {
      const parents = level.slice(at, at + PAGE);
      let after = nilUuid;
      for (;;) {
        const page = { after, limit: PAGE };
        const found = await parts.reader.within([projectId], (runner) =>
          childrenOf(runner, parents, page),
        );
        const fresh = found.filter((id) => !seen.has(id));
        for (const id of fresh) seen.add(id);
        if (fresh.length > 0) yield fresh;
        next.push(...fresh);
        if (found.length < PAGE) break;
        after = found.at(-1) ?? after;
      }
    }
    level = next;
  }
}

/**
 * Cancels a set of runs, with `cascade` their descendants too. Through the work batcher: a kill of
 * one run does not wait behind the cancelling of many.
 */
export async function cancelAll(
  parts: Parts,
  projectId: string,
  ids: readonly string[],
  call: { reason: string; cascade: boolean; origin: Origin },
): Promise<({} | Refusal)[]> {
  const what = { command: { kind: "cancel", reason: call.reason } as const };
  const { origin } = call;
  const put = (set: readonly string[]): Promise<(Answer | Refusal)[]> =>
    Promise.all(
      set.map((runId) => parts.work.add({ kind: "run", projectId, runId, what, origin })),
    );
  const answers = await put(ids);
  if (call.cascade) for await (const set of descendantsOf(parts, projectId, ids)) await put(set);
  return answers.map((answer) => (isRefusal(answer) ? answer : {}));
}
