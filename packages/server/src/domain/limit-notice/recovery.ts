// When it ends: all times that headers, fields and words name, and the one that counts.
// Promises: the most trusted source that names a time decides (headers, fields, exact instants,
// prose, the client's own wait); a hint that means no instant is passed over for the next one; no
// time is invented from a rate, a window or a counter.
// Leaves to others: defaults where no time is named, and clamping to what may be slept.

import { anyOf } from "./alternatives.ts";
import { type Buckets } from "./buckets.ts";
import { type Field, fieldHints, timeOf } from "./fields.ts";
import { type Hint, ranks, textHints } from "./hints.ts";
import { type Calendar, resolve } from "./moment.ts";
import type { Notice } from "./notice.ts";
import type { PlainText } from "./plain-text.ts";
import type { Reason } from "./reason.ts";
import { utc, type Zone, zoneOf } from "./zones.ts";

/** Everything that may name a time. */
export type TimeSources = {
  readonly notice: Notice;
  readonly text: PlainText;
  readonly fields: readonly Field[];
  readonly buckets: Buckets;
  readonly textBuckets: Buckets;
  readonly windows: Buckets;
};

/** The instant in milliseconds, with the rule that found it. */
export type Recovery = { readonly at: number; readonly rule: string; readonly exact: boolean };

/** Of one text at most so many times are laid on the calendar. */
const MOST_TRIED = 8;
const HOUR = 3_600_000;

/** The times of `retry-after` headers, the finer one first. */
export function retryAfterHints(headers: ReadonlyMap<string, string>): Hint[] {
  const names: readonly (readonly [string, number, number])[] = [
    ["retry-after-ms", 1, ranks.headerRetryMs],
    ["x-ms-retry-after-ms", 1, ranks.headerRetryMs],
    ["retry-after", 1000, ranks.headerRetry],
    ["x-retry-after", 1000, ranks.headerRetry],
    ["x-ratelimit-retry-after", 1000, ranks.headerRetry],
  ];
  return names.flatMap(([name, unitMs, rank]) => {
    const read = timeOf((headers.get(name) ?? "").toLowerCase(), unitMs);
    return read === null ? [] : [{ ...read, rank, rule: name }];
  });
}

/** When the agent may go on; null when nothing says so. */
export function recoveryOf(reason: Reason, sources: TimeSources): Recovery | null {
  const { notice, text, fields, buckets, textBuckets, windows } = sources;
  const hints = [
    ...retryAfterHints(notice.headers),
    ...buckets.hints,
    ...windows.hints,
    ...fieldHints(fields),
    ...textBuckets.hints,
    ...textHints(text),
  ];
  const calendar = calendarOf(notice, text);
  const byTrust = hints.toSorted((a, b) => a.rank - b.rank).slice(0, MOST_TRIED * 4);
  for (const hint of byTrust.slice(0, MOST_TRIED)) {
    const at = resolve(hint.moment, calendar);
    if (at === null) continue;
    // Money does not come back in a minute: such a wait is a client's or a proxy's.
    if (reason === "billing" && at - (calendar.base ?? at) < HOUR) continue;
    return { at, rule: hint.rule, exact: hint.exact };
  }
  return null;
}

const CHINESE = /[\u4e00-\u9fff]/;
/** Japanese and Korean use Chinese signs too. */
const OTHER_EASTERN = /[\u3040-\u30ff\uac00-\ud7a3]/;
const CHINESE_PROVIDER = anyOf("", [
  String.raw`zhipu|glm|z\.?ai|bigmodel|moonshot|kimi|alibaba|bailian|dashscope|qwen|minimax`,
  "volc|ark|deepseek|baidu|tencent|hunyuan",
]);

/** Zones for times without one: the machine's own, but Beijing where the provider is Chinese. */
function calendarOf({ base, localZone, provider }: Notice, { folded }: PlainText): Calendar {
  const local = (localZone === null ? null : zoneOf(localZone)) ?? utc;
  const beijing = zoneOf("beijing") ?? utc;
  const chinese =
    (CHINESE.test(folded) && !OTHER_EASTERN.test(folded)) ||
    CHINESE_PROVIDER.test(provider) ||
    /["[ ]1308\b/.test(folded);
  const zones: Zone[] = chinese ? [beijing, local, utc] : [local];
  const window = /\b(\d{1,2})[- ]?(?:hours?|h|小时) ?(?:usage |session )?(?:limit|的|window)/.exec(
    folded,
  );
  const withinMs = window === null ? undefined : Number(window[1]) * HOUR;
  return { base, zones, ...(withinMs !== undefined && { withinMs }) };
}
