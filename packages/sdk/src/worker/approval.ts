// Asking a person from a handler: the question, the wait, the answer, and doing what was approved.
// Promises: a held attempt waits as long as its lease is kept, through outages; a suspended one
// ends without an outcome, and the next attempt gets the answer from the same call; what is
// executed is first compared with what was decided, by the server. Leaves to others: keeping the
// lease (keeper), ending the attempt (`live-attempt.ts`).

import { isSignalboxError } from "../errors.ts";
import type { Http } from "../http.ts";
import { backoffMs, sleep } from "../retry.ts";
import type {
  Approval,
  ApprovalAsk,
  AskedApproval,
  ExecutedAction,
  Fence,
  Json,
  JsonObject,
} from "../wire.ts";

/** What a handler asks; see `ApprovalAsk` of the wire for the defaults. */
export type ApprovalQuestion<Arguments extends JsonObject = JsonObject> = Omit<
  ApprovalAsk,
  "checkpoint" | "arguments"
> & { arguments?: Arguments };

/** Approved: `arguments` are what to do it with, edited by the person or as asked. */
export type Approved<Arguments> = {
  readonly approved: true;
  readonly id: string;
  readonly arguments: Arguments;
  /** Who approved; `house` when nobody answered and the policy was `approve`. */
  readonly by: string;
  readonly comment: string | null;
  /**
   * Does it: tells the server what is about to be done, and only when that is what was decided
   * calls `work`. Rejects with `approval_mismatch` (422) when it is not.
   */
  execute<Result>(work: (args: Arguments) => Result | Promise<Result>): Promise<Result>;
};

/** Not approved. The run ends `cancelled` or `timeout`: clean up and return. */
export type NotApproved = {
  readonly approved: false;
  readonly id: string;
  readonly status: "rejected" | "expired" | "cancelled";
  readonly by: string | null;
  readonly comment: string | null;
};

export type ApprovalDecision<Arguments = JsonObject> = Approved<Arguments> | NotApproved;

/** What asking needs of its attempt. */
export type Asking = {
  readonly http: Http;
  readonly fence: Fence;
  readonly signal: AbortSignal;
  /** The checkpoint that has not been stored yet: goes along with a question. */
  readonly unsaved: () => { checkpoint?: Json };
  /** The server holds the attempt no longer: it waits without it. */
  readonly suspended: () => void;
};

const WAIT_S = 20;
/** The long poll and the way to the server and back. */
const WAIT_TIMEOUT_MS = (WAIT_S + 15) * 1000;
const LAST_WORD_MS = 2_000;
const RETRY = { baseMs: 250, capMs: 2_000 };

/** Asks and waits. Rejects with the signal's reason when the attempt ends first. */
export async function askPerson<Arguments extends JsonObject>(
  asking: Asking,
  question: ApprovalQuestion<Arguments>,
): Promise<ApprovalDecision<Arguments>> {
  const { fence, http, signal } = asking;
  const { run_id: runId, ...lease } = fence;
  const path = `/v1/runs/${runId}/approvals`;
  // Repeating is safe: the key of the question makes it one.
  const { approval } = await http.post<AskedApproval>(path, {
    body: { ...lease, ...question, ...asking.unsaved() },
    retry: true,
    signal,
  });
  return decisionOf(asking, await decided(asking, approval));
}

async function decided(asking: Asking, asked: Approval): Promise<Approval> {
  const { http, signal } = asking;
  let approval = asked;
  for (let failures = 0; approval.status === "pending";) {
    if (approval.hold_until === null) {
      asking.suspended();
      throw signal.reason;
    }
    if (signal.aborted) return lastWord(asking, asked);
    try {
      approval = await http.get<Approval>(`/v1/approvals/${asked.id}`, {
        query: { wait_s: WAIT_S },
        timeoutMs: WAIT_TIMEOUT_MS,
        signal,
      });
      failures = 0;
    } catch (error) {
      if (signal.aborted) continue;
      if (!(isSignalboxError(error) && error.retryable)) throw error;
      // However long the server is away: the lease says how long there is something to wait for.
      failures += 1;
      await sleep(backoffMs(failures, RETRY), signal).catch(() => {});
    }
  }
  return approval;
}

/**
 * A rejection also ends the run, and the order to stop may arrive before the answer: the handler
 * hears of the answer all the same. Throws the signal's reason when there was none.
 */
async function lastWord({ http, signal }: Asking, { id }: Approval): Promise<Approval> {
  const options = { timeoutMs: LAST_WORD_MS, retry: false };
  const found = await http.get<Approval>(`/v1/approvals/${id}`, options).catch(() => null);
  if (found?.status === "rejected" || found?.status === "expired") return found;
  throw signal.reason;
}

function decisionOf<Arguments extends JsonObject>(
  { fence, http, signal }: Asking,
  approval: Approval,
): ApprovalDecision<Arguments> {
  const { id, status, decided_by: by, comment } = approval;
  if (status !== "approved") {
    return { approved: false, id, status: status as NotApproved["status"], by, comment };
  }
  const args = (approval.edited_arguments ?? approval.arguments) as Arguments;
  return {
    approved: true,
    id,
    arguments: args,
    by: by ?? "house",
    comment,
    execute: async (work) => {
      const { run_id: runId, ...lease } = fence;
      const body: ExecutedAction = { arguments: args };
      const path = `/v1/runs/${runId}/approvals/${id}/executed`;
      await http.post<Approval>(path, { body: { ...lease, ...body }, retry: true, signal });
      return work(args);
    },
  };
}
