// Limits of providers that a command met: found in what it printed, and said to a person.
// Promises: a clock time without a zone is read in the zone of this machine, where it was printed;
// everything else is left to the server, so that one reader decides about accounts.
// Leaves to others: the reading itself (`domain/limit-notice`), when it is asked (the SDK).

import type { Account, ExplainReason, LimitReport } from "@signalbox/sdk";
import type { LimitReading, PrintedNotice } from "@signalbox/sdk/worker";
import { parseLimit } from "../domain/limit-notice/parse-limit.ts";
import { safeLine } from "./safe-text.ts";
import { ago } from "./show-run.ts";

const ownZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** What a command printed, read as the server will read it. */
export function readPrintedLimit(
  notice: PrintedNotice,
  { now = Date.now(), zone = ownZone() }: { now?: number; zone?: string } = {},
): LimitReading {
  const input = { ...notice, now: new Date(now).toISOString() };
  const here = parseLimit({ ...input, local_zone: zone });
  if (here.reason === "none" || here.recovery_at === null) return { reason: here.reason };
  // The server does not know the zone of this machine. Where that matters it is told the instant.
  const there = parseLimit(input);
  if (there.recovery_at === here.recovery_at) return { reason: here.reason };
  return { reason: here.reason, recoveryAt: here.recovery_at };
}

/** One sentence: that a limit was met, which kind, and until when as far as that is known. */
export function limitSentence(report: LimitReport, now: number = Date.now()): string {
  const { status = null, headers = {}, message = "", provider = null } = report;
  const at = new Date(now).toISOString();
  const read = parseLimit({ now: at, local_zone: ownZone(), status, headers, message, provider });
  const inMs = report.recovery_in_ms;
  const own = inMs === undefined ? undefined : new Date(now + inMs).toISOString();
  const until = report.recovery_at ?? own ?? read.recovery_at;
  const reason = report.reason ?? (read.reason === "none" ? "rate_limit" : read.reason);
  const kind = reason.replace("_", " ");
  const when =
    until === null ? "it did not say until when" : `it is over at ${until} (${ago(until, now)})`;
  return `a limit of the provider was met (${kind}); ${when}`;
}

/** An account that rests, in a sentence. */
export type Rest = {
  readonly account: string | null;
  /** Null: until a person recovers it. */
  readonly until: string | null;
  readonly message: string;
};

/** How an account rests now; null where it does not. */
export function restOf({ name, exhaustions }: Account): Rest | null {
  const limit = exhaustions.find(({ state }) => state === "closed");
  if (limit === undefined) return null;
  const { model, reason, evidence, recovery_at: until } = limit;
  const what = model === null ? "" : ` for model "${model}"`;
  const when = until ?? "a person recovers it";
  const message = `Account "${name}" rests${what} until ${when}: ${reason} (${evidence.rule}).`;
  return { account: name, until, message };
}

/** What holds a run back, where that is an account that rests. */
export function restFrom({ message, until = null, facts }: ExplainReason): Rest {
  const account = facts?.["account"];
  return { account: typeof account === "string" ? account : null, until, message };
}

/** Until when, what follows, and what a person can do where only a person can tell. */
export function whatNow({ account, until, message }: Rest, then: string): string {
  const isAsked = until === null && account !== null;
  const hint = isAsked ? ` (signalbox accounts recover ${account} --reason …)` : "";
  return safeLine(`${message} ${then}${hint}.`);
}
