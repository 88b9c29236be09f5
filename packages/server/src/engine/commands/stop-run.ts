// cancel and kill: how people end a run.
// Promises: both go through the control batcher, so they never wait behind work; a cancel asks the
// worker and ends the run after the grace, a kill fences at once; cascade reaches all descendants.
// Leaves to others: stopping the process (worker).

import type * as wire from "@signalbox/sdk";
import type { RunCommand } from "../../domain/command.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal } from "../../domain/refusal.ts";
import { childrenOf } from "../../store/specs.ts";
import type { Origin } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { statusOf } from "../queries/views.ts";
import type { Answer } from "../services/flush/items.ts";

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
  return statusOf((answer as Extract<Answer, { kind: "run" }>).run);
}

/** Cancels all descendants, level by level; those that have ended are passed over. */
async function cancelChildren(
  parts: Parts,
  projectId: string,
  runId: string,
  call: { reason: string | null; origin: Origin },
): Promise<void> {
  let level = [runId];
  while (level.length > 0) {
    const next: string[] = [];
    for (let at = 0; at < level.length; at += PAGE) {
      const parents = level.slice(at, at + PAGE);
      const children = await parts.reader.within([projectId], (runner) =>
        childrenOf(runner, parents),
      );
      next.push(...children);
    }
    const command = { kind: "cancel", reason: call.reason } as const;
    await Promise.all(
      next.map((id) => order(parts, projectId, id, { command, origin: call.origin })),
    );
    level = next;
  }
}
