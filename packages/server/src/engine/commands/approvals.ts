// Approvals: asking, answering (with a key or by a callback link), reporting what was executed,
// and the lists and long polls over them.
// Promises: every change goes through a batcher, with the step of the run it causes; answers take
// the control batcher, so they never wait behind work; a link answers once and is looked up
// in the time a wrong one takes.
// Leaves to others: the law (domain), what follows a commit (after.ts), who may (http).

import type * as wire from "@signalbox/sdk";
import type { Approval, ApprovalRisk, ApprovalStatus } from "../../domain/approval.ts";
import { actionSha256 } from "../../domain/approval.ts";
import type { Verdict } from "../../domain/approval-answer.ts";
import { alreadyDecided } from "../../domain/approval-answer.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal, refuse } from "../../domain/refusal.ts";
import { fromTypeId, lastUuid, nilUuid, toTypeId } from "../../std/ids.ts";
import {
  linkApproval as storeLink,
  listApprovals,
  readApproval,
  spentLink,
} from "../../store/approvals.ts";
import { iso } from "../../store/run-rows.ts";
import { newLink, splitLink } from "../approval-links.ts";
import type {
  AnswerInput,
  ApprovalFilter,
  AskInput,
  AskResult,
  ExecutedInput,
  Origin,
  PageInput,
} from "../contract.ts";
import { digestOf, secretMatches } from "../keys.ts";
import type { Parts } from "../parts.ts";
import { keyHasEnded } from "../queries/principals.ts";
import { page as pageOf } from "../queries/page.ts";
import { statusOf } from "../queries/views.ts";
import type { RunAnswer } from "../services/flush/items.ts";
import { names, POLL_MS } from "../services/hub.ts";

const noApproval = refuse("not_found", "There is no such approval in this project.");
/** Compared with when there is no link, so that the answer takes as long. */
const dummyDigest = digestOf("no such link");

export async function ask(
  parts: Parts,
  projectId: string,
  input: AskInput,
  origin: Origin,
): Promise<AskResult | Refusal> {
  const { runId, fence, checkpoint } = input;
  const approval = {
    kind: "ask",
    id: parts.newId(),
    ask: input.ask,
    ...(checkpoint === undefined ? {} : { checkpoint }),
  } as const;
  const item = { kind: "run", projectId, runId, fence, what: { approval }, origin } as const;
  const answer = await parts.work.add(item);
  if (isRefusal(answer)) return answer;
  const { run, approval: asked } = answer as RunAnswer;
  return { run: statusOf(run), approval: asked === undefined ? null : shown(asked) };
}

export async function answerApproval(
  parts: Parts,
  projectId: string,
  approvalId: string,
  { answer, origin }: { answer: AnswerInput; origin: Origin },
): Promise<wire.Approval | Refusal> {
  const found = await parts.reader.within([projectId], (runner) =>
    readApproval(runner, projectId, approvalId),
  );
  if (found === null) return noApproval;
  return decide(parts, found, verdictOf(answer, origin.actor), origin);
}

async function decide(
  parts: Parts,
  { id, projectId, runId }: Approval,
  verdict: Verdict,
  origin: Origin,
): Promise<wire.Approval | Refusal> {
  const what = { approval: { kind: "answer", id, verdict } } as const;
  const answer = await parts.control.add({ kind: "run", projectId, runId, what, origin });
  return isRefusal(answer) ? answer : shown((answer as RunAnswer).approval as Approval);
}

function verdictOf({ kind, comment, arguments: edited }: AnswerInput, by: string): Verdict {
  if (kind === "reject") return { kind, by, comment };
  return { kind, by, comment, ...(edited === undefined ? {} : { arguments: edited }) };
}

export async function executed(
  parts: Parts,
  projectId: string,
  { runId, fence, approvalId, done }: ExecutedInput,
  origin: Origin,
): Promise<wire.Approval | Refusal> {
  const found = await parts.reader.within([projectId], (runner) =>
    readApproval(runner, projectId, approvalId),
  );
  if (found === null || found.runId !== runId) return noApproval;
  const sha256 = "sha256" in done ? done.sha256 : actionSha256(found.action, done.arguments);
  const what = { approval: { kind: "executed", id: approvalId, sha256 } } as const;
  const item = { kind: "run", projectId, runId, fence, what, origin } as const;
  const answer = await parts.work.add(item);
  return isRefusal(answer) ? answer : shown((answer as RunAnswer).approval as Approval);
}

// ---- callback links -----------------------------------------------------------------------------

export async function linkApproval(
  parts: Parts,
  projectId: string,
  approvalId: string,
  origin: Origin,
): Promise<wire.ApprovalLink | Refusal> {
  const { token, digest } = newLink(projectId, approvalId);
  const made = { digest, by: origin.actor };
  const linked = await parts.writer.within([projectId], async (runner) => {
    const row = await storeLink(runner, projectId, approvalId, made);
    return row ?? (await readApproval(runner, projectId, approvalId));
  });
  if (linked === null) return noApproval;
  if (linked.status !== "pending") return alreadyDecided(linked);
  return {
    approval_id: toTypeId("apr", approvalId),
    token,
    path: `/v1/approval-links/${token}`,
    expires_at: iso(linked.expiresAt),
  };
}

/**
 * The pending approval a link stands for; null when it stands for none, or when the key that made
 * it has ended. The link that a question had when it was decided is refused with what became of it,
 * and nothing else: not by whom, not with which words.
 */
async function linkedApproval(parts: Parts, token: string): Promise<Approval | Refusal | null> {
  const split = splitLink(token);
  if (split === null) return null;
  const { projectId, approvalId, secret } = split;
  const [found, spent] = await parts.reader.within([projectId], (runner) =>
    Promise.all([
      readApproval(runner, projectId, approvalId),
      spentLink(runner, projectId, approvalId),
    ]),
  );
  const digest = found?.linkDigest ?? spent;
  const matches = secretMatches(secret, digest ?? dummyDigest);
  if (found === null || digest === null || !matches) return null;
  if (found.linkDigest === null) return spentRefusal(found);
  return (await keyHasEnded(parts, found.linkBy ?? "")) ? null : found;
}

function spentRefusal({ status, decidedAt, decidedBy }: Approval): Refusal {
  const at = decidedAt === null ? null : iso(decidedAt);
  const byLink = decidedBy?.startsWith("link:") === true;
  const how = byLink ? "This link was used" : "This link is void";
  return refuse("approval_decided", `${how}: the question was ${status} at ${at}.`, {
    decision: status,
    decided_at: at,
    by_link: byLink,
  });
}

export async function readByLink(
  parts: Parts,
  token: string,
): Promise<wire.Approval | Refusal | null> {
  const found = await linkedApproval(parts, token);
  return found === null || isRefusal(found) ? found : shown(found);
}

export async function answerByLink(
  parts: Parts,
  token: string,
  answer: AnswerInput,
  origin: Origin,
): Promise<wire.Approval | Refusal | null> {
  const found = await linkedApproval(parts, token);
  if (found === null || isRefusal(found)) return found;
  const actor = `link:${found.linkBy}`;
  const answered = await decide(parts, found, verdictOf(answer, actor), { ...origin, actor });
  if (!isRefusal(answered) || answered.code !== "approval_decided") return answered;
  // Somebody was faster: no more is told than to who comes later.
  return (await linkedApproval(parts, token)) as Refusal | null;
}

// ---- questions ----------------------------------------------------------------------------------

export async function readApprovalPage(
  parts: Parts,
  projectId: string,
  filter: ApprovalFilter,
  page: PageInput,
): Promise<wire.Page<wire.Approval>> {
  const { order = "asc" } = filter;
  const begin = order === "asc" ? nilUuid : lastUuid;
  const from = page.cursor === null ? begin : fromTypeId("apr", page.cursor);
  if (from === null) return { items: [], has_more: false, next_cursor: null };
  const asked = {
    status: (filter.status ?? null) as ApprovalStatus | null,
    agent: filter.agent ?? null,
    risk: (filter.risk ?? null) as ApprovalRisk | null,
    runId: filter.runId ?? null,
  };
  const { limit } = page;
  const rows = await parts.reader.within([projectId], (runner) =>
    listApprovals(runner, projectId, asked, { order, from, limit: limit + 1 }),
  );
  return pageOf(rows.map(shown), limit, (last) => last.id);
}

/** Resolves when it is decided or held no more, or as it is when the time is up. */
export async function waitForApproval(
  parts: Parts,
  projectId: string,
  approvalId: string,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<wire.Approval | null> {
  const read = () =>
    parts.reader.within([projectId], (runner) => readApproval(runner, projectId, approvalId));
  const end = parts.clock.mono() + timeoutMs;
  let found = await read();
  const wasHeld = found?.holdUntil !== null;
  while (found !== null && found.status === "pending") {
    const bell = parts.hub.listen(names.run(found.runId));
    try {
      // Listens first, then looks: nothing is missed in between.
      found = await read();
      if (found === null || found.status !== "pending") break;
      if (wasHeld && found.holdUntil === null) break;
      const left = end - parts.clock.mono();
      if (left <= 0 || signal.aborted) break;
      await bell.wait(Math.min(left, POLL_MS), signal);
    } finally {
      bell.stop();
    }
  }
  return found === null ? null : shown(found);
}

/** An approval as it is shown. */
function shown(approval: Approval): wire.Approval {
  return {
    id: toTypeId("apr", approval.id),
    run_id: toTypeId("run", approval.runId),
    attempt_id: toTypeId("att", approval.attemptId),
    attempt_number: approval.token,
    agent: approval.agent,
    key: approval.key,
    title: approval.title,
    action: approval.action,
    arguments: approval.arguments,
    risk: approval.risk,
    mode: approval.mode,
    on_expiry: approval.onExpiry,
    status: approval.status,
    asked_at: iso(approval.askedAt),
    asked_sha256: approval.askedSha256,
    hold_until: iso(approval.holdUntil),
    expires_at: iso(approval.expiresAt),
    decided_at: iso(approval.decidedAt),
    decided_by: approval.decidedBy,
    comment: approval.comment,
    edited_arguments: approval.editedArguments,
    decided_sha256: approval.decidedSha256,
    executed_at: iso(approval.executedAt),
  };
}
