// Exhaustion: a limit that an account has met, of one model or of all, and how it comes back:
// closed until an instant (or until a person acts), then half open for one run that tries it, then
// open.
// Promises: pure; whatever is reported, an instant lies 1 s to 31 days ahead; a change that changes
// nothing answers with the very row it was given.
// Leaves to others: what a report means (`notice.ts`), rows and locks (store), when (sweeps).

import { toTypeId } from "../../std/ids.ts";
import type { JsonObject } from "../run.ts";

/** Why an account is closed. `billing` waits for a person, the others come back by themselves. */
export const limitReasons = ["rate_limit", "quota", "billing", "overloaded"] as const;
export type LimitReason = (typeof limitReasons)[number];

/** Who named the instant of recovery. */
export type EvidenceSource = "worker" | "headers" | "body" | "text" | "default" | "operator";

/** What a limit was concluded from; `excerpt` holds no secrets, `confidence` is 0 to 1. */
export type Evidence = {
  readonly rule: string;
  readonly excerpt: string;
  readonly source: EvidenceSource;
  readonly confidence: number;
};

/** The attempt that tries whether a limit is over. */
export type Probe = { readonly runId: string; readonly token: number; readonly since: number };

/** A limit of an account: of one model, or of all of them (`model` null). */
export type Exhaustion = {
  readonly account: string;
  readonly model: string | null;
  readonly state: "open" | "closed" | "half_open";
  readonly reason: LimitReason;
  /** When it is tried again; null = when a person says so. */
  readonly recoveryAt: number | null;
  readonly closedAt: number;
  /** How often the default has doubled. */
  readonly doublings: number;
  readonly probe: Probe | null;
  readonly evidence: Evidence;
};

/** What somebody who met a limit reports. `recoveryAt` null: nobody named an instant. */
export type LimitNotice = {
  readonly reason: LimitReason;
  readonly recoveryAt: number | null;
  /** Null = all models of the account. */
  readonly model: string | null;
  readonly evidence: Evidence;
};

/** An event of the account's stream. */
export type AccountFact = {
  readonly type: "account.exhausted" | "account.probing" | "account.recovered";
  readonly data: JsonObject;
};

/** The row afterwards, the same object if nothing changed; `fact` null: nothing worth an event. */
export type Changed = { readonly after: Exhaustion; readonly fact: AccountFact | null };

/** A probe that has been running for so long without a report has succeeded. */
export const PROBE_MS = 60_000;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const SHORTEST_MS = SECOND;
const LONGEST_MS = 31 * 24 * HOUR;
/** More would change nothing: every default has reached its most long before. */
const MOST_DOUBLINGS = 30;

/** How long an account rests when nobody says until when; null = until a person recovers it. */
const defaults: Readonly<Record<LimitReason, { firstMs: number; mostMs: number } | null>> = {
  rate_limit: { firstMs: MINUTE, mostMs: 5 * HOUR },
  quota: { firstMs: 5 * HOUR, mostMs: 5 * HOUR },
  overloaded: { firstMs: 30 * SECOND, mostMs: 15 * MINUTE },
  billing: null,
};

/** Most trusted first. */
const trust: readonly EvidenceSource[] = [
  "operator",
  "worker",
  "headers",
  "body",
  "text",
  "default",
];

/**
 * A limit was met. An instant that has passed already means at once: the next run tries it. But
 * where a run has just tried in vain (half open), such an instant is wrong and the default counts,
 * doubled.
 */
export function reported(
  before: Exhaustion | null,
  account: string,
  notice: LimitNotice,
  at: number,
): Changed {
  if (before?.state === "closed") return reportedWhileClosed(before, notice, at);
  const again = before?.state === "half_open";
  const doublings = again ? Math.min(before.doublings + 1, MOST_DOUBLINGS) : 0;
  const end = endOf(notice, at, { doublings, again });
  return exhausted({ account, model: notice.model, closedAt: at, doublings, ...end });
}

/**
 * A limit that stands already gives way to one that is better sourced, or that ends later; but to a
 * default, which nobody said, only another default gives way. What waits for a person goes on
 * waiting.
 */
function reportedWhileClosed(before: Exhaustion, notice: LimitNotice, at: number): Changed {
  const { doublings, closedAt, account, model } = before;
  const end = endOf(notice, at, { doublings, again: false });
  if (!takesOver(end, before)) return { after: before, fact: null };
  return exhausted({ account, model, doublings, closedAt, ...end });
}

type End = Pick<Exhaustion, "state" | "reason" | "recoveryAt" | "evidence">;

function takesOver(end: End, before: Exhaustion): boolean {
  if (before.recoveryAt === null) return false;
  if (end.recoveryAt === null) return true;
  const [is, was] = [end.evidence.source, before.evidence.source];
  if (trust.indexOf(is) < trust.indexOf(was)) return true;
  return end.recoveryAt > before.recoveryAt && (is !== "default" || was === "default");
}

/** Until when: what was named, within its bounds; else the default. */
function endOf(
  { reason, recoveryAt, evidence }: LimitNotice,
  at: number,
  { doublings, again }: { readonly doublings: number; readonly again: boolean },
): End {
  const named = recoveryAt !== null && Number.isFinite(recoveryAt) ? Math.ceil(recoveryAt) : null;
  if (named !== null && named > at) {
    const ahead = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, named - at));
    return { state: "closed", reason, recoveryAt: at + ahead, evidence };
  }
  if (named !== null && !again) return { state: "half_open", reason, recoveryAt: at, evidence };
  const ms = defaultMs(reason, doublings);
  // That it waits for a person is what the report says; every other default is our own.
  if (ms === null) return { state: "closed", reason, recoveryAt: null, evidence };
  const own = { ...evidence, source: "default" } as const;
  return { state: "closed", reason, recoveryAt: at + ms, evidence: own };
}

function defaultMs(reason: LimitReason, doublings: number): number | null {
  const row = defaults[reason];
  return row === null ? null : Math.min(row.firstMs * 2 ** doublings, row.mostMs);
}

function exhausted(row: Omit<Exhaustion, "probe">): Changed {
  const { account, model, state, reason, recoveryAt, evidence, doublings } = row;
  const data = { account, model, state, reason, recovery_at: iso(recoveryAt), doublings };
  const { rule, excerpt, source, confidence } = evidence;
  return {
    after: { ...row, probe: null },
    fact: {
      type: "account.exhausted",
      data: { ...data, evidence: { rule, excerpt, source, confidence } },
    },
  };
}

/**
 * Its instant has come (`sweep`), or a person wants it tried now: half open. A person also takes
 * the limit from a probe that hangs, so that the next run can try it.
 */
export function recovered(before: Exhaustion, at: number, by: "sweep" | "person"): Changed {
  const { state, recoveryAt, account, model } = before;
  const isDue = by === "person" || (recoveryAt !== null && recoveryAt <= at);
  const hangs = state === "half_open" && before.probe !== null && by === "person";
  if (!hangs && !(state === "closed" && isDue)) return { after: before, fact: null };
  const after: Exhaustion = {
    ...before,
    state: "half_open",
    recoveryAt: Math.min(recoveryAt ?? at, at),
    probe: null,
  };
  return {
    after,
    fact: { type: "account.probing", data: { account, model, by, probe_run: null } },
  };
}

/** A half-open limit is tried by this attempt, and by no other until it is over. */
export function probeGranted(before: Exhaustion, probe: Probe): Changed {
  if (before.state !== "half_open" || before.probe !== null) return { after: before, fact: null };
  const { account, model } = before;
  const data = { account, model, probe_run: toTypeId("run", probe.runId), attempt: probe.token };
  return { after: { ...before, probe }, fact: { type: "account.probing", data } };
}

/** The probe consumed, spoke, completed or ran for {@link PROBE_MS}: the limit is over. */
export function probeSucceeded(
  before: Exhaustion,
  probe: Pick<Probe, "runId" | "token">,
  at: number,
): Changed {
  if (!isProbedBy(before, probe)) return { after: before, fact: null };
  const { account, model, closedAt } = before;
  const data = {
    account,
    model,
    probe_run: toTypeId("run", probe.runId),
    attempt: probe.token,
    closed_ms: Math.max(0, at - closedAt),
  };
  return {
    after: { ...before, state: "open", recoveryAt: null, doublings: 0, probe: null },
    fact: { type: "account.recovered", data },
  };
}

/** The probe ended without telling anything: the next run tries. */
export function probeOver(before: Exhaustion, probe: Pick<Probe, "runId" | "token">): Changed {
  if (!isProbedBy(before, probe)) return { after: before, fact: null };
  return { after: { ...before, probe: null }, fact: null };
}

function isProbedBy({ probe }: Exhaustion, { runId, token }: Pick<Probe, "runId" | "token">) {
  return probe !== null && probe.runId === runId && probe.token === token;
}

/** Whether a row speaks of runs of this model (null: the run names none). */
export function concerns(row: Exhaustion, model: string | null): boolean {
  return row.model === null || row.model === model;
}

/**
 * What the rows of one account say to a run of this model (null: it names none; rows of other
 * models do not matter). Open with the limits it would try, or the row that keeps it out: of
 * several the one that ends last, a probe under way only where nothing is closed.
 */
export function admits(
  rows: readonly Exhaustion[],
  model: string | null,
):
  | { readonly open: true; readonly probes: readonly Exhaustion[] }
  | { readonly open: false; readonly row: Exhaustion } {
  const own = rows.filter((row) => row.state !== "open" && concerns(row, model));
  let last: Exhaustion | null = null;
  for (const row of own) {
    if (row.state === "closed" && (last === null || endOfRow(row) > endOfRow(last))) last = row;
  }
  const barrier = last ?? own.find((row) => row.probe !== null);
  return barrier === undefined ? { open: true, probes: own } : { open: false, row: barrier };
}

/** When a closed row ends; what waits for a person ends last. */
export function endOfRow({ recoveryAt }: Pick<Exhaustion, "recoveryAt">): number {
  return recoveryAt ?? Number.POSITIVE_INFINITY;
}

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
