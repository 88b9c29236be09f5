// The fence of a worker's write: from wire ids to the law's, and whether the key fits it.
// Promises: an attempt's key writes for its own attempt only; ids that are none name no run.
// Leaves to others: whether the lease still stands (domain/fence.ts).

import type { Fence } from "../../domain/command.ts";
import { refuse } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import type { Caller } from "../auth.ts";
import { notFound } from "../refusals.ts";
import { fromWireId } from "./ids.ts";

export type FencedRun = { readonly runId: string; readonly fence: Fence };
type Sent = {
  readonly run_id: string;
  readonly attempt_id: string;
  readonly fencing_token: number;
};

/** The run and fence a write names, as UUIDs. */
export function toFencedRun(sent: Sent, caller: Caller): FencedRun | Refusal {
  const runId = fromWireId("run", sent.run_id);
  if (runId === null) return notFound("run");
  const attemptId = fromWireId("attempt", sent.attempt_id);
  if (attemptId === null) return notFound("attempt");
  const fence: Fence = { attemptId, token: sent.fencing_token };
  if (caller.kind === "attempt" && !isOwn(caller.attempt.fence, fence)) {
    return refuse("forbidden", "This key belongs to another attempt of the run.");
  }
  return { runId, fence };
}

function isOwn(own: Fence, fence: Fence): boolean {
  return own.attemptId === fence.attemptId && own.token === fence.token;
}
