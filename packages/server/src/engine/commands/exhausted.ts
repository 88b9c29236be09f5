// exhausted: a worker met its provider's limit. The run goes back without cost, and the account it
// draws on rests until it recovers, both in one commit.
// Promises: whatever the report holds, there is an outcome; a report of a stale attempt closes
// nothing; a worker without an agent has no account to rest, so its run waits itself.
// Leaves to others: reading the text (`domain/limit-notice`), what it means (`domain/exhaustion`).

import type * as wire from "@signalbox/sdk";
import type { LimitNotice } from "../../domain/exhaustion/exhaustion.ts";
import { reported } from "../../domain/exhaustion/exhaustion.ts";
import { noticeOf } from "../../domain/exhaustion/notice.ts";
import { parseLimit } from "../../domain/limit-notice/parse-limit.ts";
import { limits } from "../../domain/limits.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal } from "../../domain/refusal.ts";
import { readAttempt } from "../../store/attempts.ts";
import { readNow } from "../../store/flushes.ts";
import { regulateProject } from "../../store/projects.ts";
import type { ExhaustedInput, Origin } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { statusOf } from "../queries/views.ts";
import type { RunAnswer } from "../services/flush/items.ts";

export async function exhausted(
  parts: Parts,
  projectId: string,
  { runId, fence, report, checkpoint, process }: ExhaustedInput,
  origin: Origin,
): Promise<wire.RunStatus | Refusal> {
  const { attempt, at } = await parts.reader.within([projectId], async (runner) => ({
    attempt: await readAttempt(runner, runId, fence.token),
    at: await readNow(runner, parts.context.offsetMs()),
  }));
  const model = report.model ?? attempt?.model ?? undefined;
  const notice = understood({ ...report, ...(model === undefined ? {} : { model }) }, at);
  const account = attempt?.account ?? attempt?.first_account ?? attempt?.agent ?? null;
  if (account !== null) await regulate(parts, projectId);
  // Claims of workers without an agent do not look at accounts, also when a run names one.
  const isAlone = account === null || attempt?.agent === null;
  const words = wordsOf(notice, at);
  const answer = await parts.work.add({
    kind: "run",
    projectId,
    runId,
    fence,
    what: {
      command: {
        kind: "exhaust",
        notBefore: isAlone ? ownRest(notice, at) : null,
        reason: words,
        ...(checkpoint === undefined ? {} : { checkpoint }),
        ...(process === undefined ? {} : { process }),
      },
      ...(account === null ? {} : { exhausts: { account, notice } }),
    },
    origin,
  });
  return isRefusal(answer) ? answer : statusOf((answer as RunAnswer).run);
}

/** The report with what the parser reads in its text. */
export function understood(report: wire.LimitReport, at: number): LimitNotice {
  const { status, headers, message, provider, recovery_at: recoveryAt, ...said } = report;
  const verdict = parseLimit({
    now: new Date(at).toISOString(),
    ...(status === undefined ? {} : { status }),
    ...(headers === undefined ? {} : { headers }),
    ...(message === undefined ? {} : { message }),
    ...(provider === undefined ? {} : { provider }),
  });
  const instant = recoveryAt === undefined ? Number.NaN : Date.parse(recoveryAt);
  return noticeOf(
    {
      ...(said.reason === undefined ? {} : { reason: said.reason }),
      ...(said.scope === undefined ? {} : { scope: said.scope }),
      ...(said.model === undefined ? {} : { model: said.model }),
      ...(said.recovery_in_ms === undefined ? {} : { recoveryInMs: said.recovery_in_ms }),
      ...(Number.isNaN(instant) ? {} : { recoveryAt: instant }),
      ...(status === undefined ? {} : { status }),
      ...(headers === undefined ? {} : { headers }),
      ...(message === undefined ? {} : { message }),
      ...(provider === undefined ? {} : { provider }),
    },
    verdict,
    at,
  );
}

function restOf(notice: LimitNotice, at: number): number | null {
  return reported(null, "", notice, at).after.recoveryAt;
}

/** Without an account the run itself waits; where only a person can tell, an hour. */
function ownRest(notice: LimitNotice, at: number): number {
  return restOf(notice, at) ?? at + limits.exhaustedParkMs;
}

function wordsOf(notice: LimitNotice, at: number): string {
  const until = restOf(notice, at);
  const when = until === null ? "until a person recovers it" : new Date(until).toISOString();
  return `exhausted (${notice.reason}) ${until === null ? when : `until ${when}`}`;
}

/** From now on claims of this project look at agents, accounts and allowances. */
export async function regulate(parts: Parts, projectId: string): Promise<void> {
  if (parts.context.regulated.has(projectId)) return;
  await parts.writer.within([projectId], (runner) => regulateProject(runner, projectId));
  parts.context.regulated.add(projectId);
}
