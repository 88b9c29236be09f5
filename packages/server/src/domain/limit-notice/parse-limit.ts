// The limit parser: what a provider, a gateway or a command line said → whether an agent is
// exhausted, why, until when, and whether the whole account is or one model.
// Promises: pure; never throws, whatever the input; at most 20 KiB of the message are read, each
// step linear; no time where the text names none. Defaults and clamping are the caller's.
// Leaves to others: kinds of notation and of words, each in a file beside this one.

import { readBuckets } from "./buckets.ts";
import { headerFields, textFields } from "./fields.ts";
import { type LimitInput, readNotice } from "./notice.ts";
import { plainText } from "./plain-text.ts";
import { type Reason, reasonOf } from "./reason.ts";
import { recoveryOf, retryAfterHints } from "./recovery.ts";
import { scopeOf } from "./scope.ts";
import { windowsIn, withoutOpenWindows } from "./windows.ts";

/** What the parser concludes. */
export type LimitVerdict = {
  /** `none`: nobody is stopped by a limit. */
  readonly reason: Reason;
  /** ISO 8601 UTC; in the past: at once; null: the text names no time, so a default applies. */
  readonly recovery_at: string | null;
  /** Whether all models of the account are closed, or one. */
  readonly scope: "account" | "model";
  /** The model, where the text names it. */
  readonly model?: string;
  /** Which rules concluded this: of the reason, then of the time. */
  readonly rule: string;
  /** 0 to 1. */
  readonly confidence: number;
};

/**
 * Reads a refusal.
 *
 * @example
 * parseLimit({ now: "2026-06-11T10:40:00Z", status: 429 }).reason; // "rate_limit"
 */
export function parseLimit(input: LimitInput): LimitVerdict {
  const notice = readNotice(input);
  const text = plainText(notice.message);
  const windows = windowsIn(text);
  // The times of open windows say nothing.
  const { lined, joined } = text;
  const fields = textFields(
    windows.from < 0
      ? text
      : { lined: withoutOpenWindows(lined), joined: withoutOpenWindows(joined) },
  );
  const buckets = readBuckets(headerFields(notice.headers), "headers");
  const textBuckets = readBuckets(fields, "text");
  const hasRetryAfter = retryAfterHints(notice.headers).length > 0;
  const verdict = reasonOf({ notice, text, buckets, textBuckets, windows, hasRetryAfter });
  const { reason, rule, confidence } = verdict;
  if (reason === "none") return { reason, recovery_at: null, scope: "account", rule, confidence };
  const recovery = recoveryOf(reason, { notice, text, fields, buckets, textBuckets, windows });
  if (recovery === null)
    return { reason, recovery_at: null, ...scopeOf(reason, text), rule, confidence };
  return {
    reason,
    recovery_at: new Date(recovery.at).toISOString(),
    ...scopeOf(reason, text),
    rule: `${rule}, ${recovery.rule}`,
    confidence: sureness(confidence, recovery.exact),
  };
}

/** A clock without a zone is the machine's own by assumption only. */
function sureness(confidence: number, isExact: boolean): number {
  const shifted = isExact ? Math.min(0.98, confidence + 0.05) : confidence - 0.1;
  return Math.round(shifted * 100) / 100;
}
