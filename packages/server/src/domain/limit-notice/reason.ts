// Whether somebody is stopped, and why: signals are collected, those that are no refusal are taken
// back, and of the rest the most telling decides.
// Promises: a request that does not fit is never exhaustion; without a failed status words have to
// be a refusal, not talk about one; words beat identifiers, and these the status.
// Leaves to others: the words (refusal-words.ts), what takes them back (not-exhausted.ts,
// mere-talk.ts), when it ends (recovery.ts).

import { anyOf } from "./alternatives.ts";
import type { Buckets } from "./buckets.ts";
import { isMereTalk } from "./mere-talk.ts";
import { lastOver, lastTooLarge, otherLimit, warning } from "./not-exhausted.ts";
import type { Notice } from "./notice.ts";
import type { PlainText } from "./plain-text.ts";
import { type RefusalWords, refusalWords, type Subject } from "./refusal-words.ts";
import { sentenceBefore, sentenceBehind } from "./sentence.ts";
import { statusIn } from "./status-words.ts";
import type { Windows } from "./windows.ts";

/** Why an agent is stopped, or that it is not. */
export type Reason = "rate_limit" | "quota" | "billing" | "overloaded" | "none";

/** A reason with the rule that gave it, and how sure it is (0 to 1). */
export type Verdict = {
  readonly reason: Reason;
  readonly rule: string;
  readonly confidence: number;
};

/** What is looked at. */
export type Evidence = {
  readonly notice: Notice;
  readonly text: PlainText;
  readonly buckets: Buckets;
  readonly textBuckets: Buckets;
  readonly windows: Windows;
  readonly hasRetryAfter: boolean;
};

type Signal = {
  readonly words: RefusalWords;
  readonly from: number;
  readonly to: number;
  /** The sentence around, for the words that tell which limit it is. */
  readonly around: string;
  readonly said: string;
};

/** At most so many places per row are looked at, the last ones. */
const MOST_PLACES = 24;
/** Statuses that say by themselves that the provider refused. */
const REFUSING = new Map<number, Reason>([
  [429, "rate_limit"],
  [402, "billing"],
  [529, "overloaded"],
  [498, "overloaded"],
]);
const NOTICE_LENGTH = 250;
const CONFIDENCE = { 3: 0.9, 2: 0.8, 1: 0.6 } as const;

/** Why the agent is stopped. */
export function reasonOf(evidence: Evidence): Verdict {
  const { notice, text } = evidence;
  const signals = signalsIn(evidence);
  const last = Math.max(-1, ...signals.map(({ from }) => from));
  // What comes well behind it is another notice.
  const large = lastTooLarge(text);
  if (large >= 0 && last - large < 300) return none("request-too-large", 0.95);
  const { windows } = evidence;
  const over = Math.max(lastOver(text), windows.open ? windows.from : -1);
  if (notice.status === null && over > last && last >= 0) return none("over-again", 0.8);
  const notices = lastNotice(signals, text.lined);
  const told = tellingOf(notices);
  if (told !== null) return fromWords(told, notices, evidence);
  return fromNumbers(evidence);
}

function none(rule: string, confidence: number): Verdict {
  return { reason: "none", rule, confidence };
}

/** A status, or buckets without words. */
function fromNumbers({
  notice,
  text,
  buckets,
  textBuckets,
  windows,
  hasRetryAfter,
}: Evidence): Verdict {
  const { status } = notice;
  const failed = status === null || status >= 400 || isFailure(text);
  if (failed && windows.empty && !(status === null && lastOver(text) > windows.from)) {
    return { reason: "quota", rule: "window-full", confidence: 0.9 };
  }
  if ((status === null || status >= 400) && (buckets.empty || textBuckets.empty)) {
    const window = buckets.window || textBuckets.window;
    if (window) return { reason: "quota", rule: "window-used-up", confidence: 0.9 };
    if (status !== null || hasRetryAfter) {
      return { reason: "rate_limit", rule: "bucket-empty", confidence: 0.85 };
    }
  }
  const refused = status === null ? undefined : REFUSING.get(status);
  if (refused !== undefined) return { reason: refused, rule: `status-${status}`, confidence: 0.7 };
  if (status === 503 && hasRetryAfter) {
    return { reason: "overloaded", rule: "unavailable-with-retry-after", confidence: 0.7 };
  }
  if (status === 403 && hasRetryAfter) {
    return { reason: "rate_limit", rule: "forbidden-with-retry-after", confidence: 0.6 };
  }
  if (status !== null && status < 400) return none("no-refusal", 0.8);
  const inner = statusIn(text, status);
  if (inner === null) return none("no-refusal", 0.7);
  const reason = REFUSING.get(inner.status);
  const talk = status === null && isMereTalk(text.lined, inner.from, inner.to);
  if (reason === undefined || talk) return none(talk ? "mere-talk" : "no-refusal", 0.7);
  if (status === null && lastOver(text) > inner.from) return none("over-again", 0.7);
  return { reason, rule: `status-${inner.status}-in-text`, confidence: CONFIDENCE[1] };
}

/** Far apart on other lines stand several notices, of which the last one counts. */
function lastNotice(signals: readonly Signal[], lined: string): Signal[] {
  const sentences = signals.filter(({ words }) => words.strength === 3);
  const last = Math.max(-1, ...sentences.map(({ from }) => from));
  return signals.filter(
    ({ to }) => last - to < NOTICE_LENGTH || !lined.slice(to, last).includes("\n"),
  );
}

/** The strongest, and of these the one whose subject tells most. */
function tellingOf(signals: readonly Signal[]): Signal | null {
  const order: readonly Subject[] = [
    "billing",
    "overloaded",
    "current_quota",
    "quota",
    "rate_limit",
    "limit",
  ];
  const rank = ({ words }: Signal): number => order.indexOf(words.subject) - words.strength * 10;
  return signals.toSorted((a, b) => rank(a) - rank(b) || b.from - a.from)[0] ?? null;
}

function fromWords(told: Signal, signals: readonly Signal[], evidence: Evidence): Verdict {
  const { words } = told;
  const confidence = CONFIDENCE[words.strength];
  if (words.subject === "billing" || words.subject === "overloaded") {
    return { reason: words.subject, rule: words.name, confidence };
  }
  if (words.subject === "current_quota") {
    return { reason: currentQuota(evidence), rule: words.name, confidence: 0.8 };
  }
  const near = signals.map(({ said, around }) => `${said}\n${around}`).join("\n");
  const reason = windowOf(told, near, evidence);
  return { reason, rule: words.name, confidence };
}

const LONG = anyOf("", [
  String.raw`\b(?:per|a|each) ?(?:day|week|month|hour)\b|perday|byday|per_day|per-day|\bdaily`,
  String.raw`\bweekly|\bmonthly|\bhourly|\bsession\b|\b5 ?-?h(?:ou)?r?\b|\d{1,2}[- ]hours?\b`,
  String.raw`86400 ?s|\bday\b|\bweek\b|\bmonth\b|小时的?(?:使用|内|限|额|窗口|配额|上限)|每日|每小时|本周|本月|` +
    String.raw`本日|每天|每周|每月|当日|今日`,
  String.raw`unified-\w{2,4}-status=rejected`,
  "wochen|tages|monats|hebdomadaire|journali|mensuel|semanal|diari|mensual|giornalier|diári",
]);
const SHORT = anyOf("", [
  String.raw`\bper[-_ ]?(?:second|minute|min|sec)|\/ ?(?:min|minute|sec|second|s)\b|perminute`,
  String.raw`persecond|\b(?:rpm|tpm|rps|qps|itpm|otpm)\b|concurren|burst|per_minute`,
  String.raw`requests? per \d{1,3} ?s|1 ?分钟|每分钟|每秒`,
]);
const ROLLING = /\((?:tpd|rpd)\)|\b(?:tpd|rpd) rate/;
const USAGE = anyOf("", [
  String.raw`\busage\b|\bsession\b|\bplan\b|\bmessages?\b|\bprompts?\b|\bpremium\b|\bquota`,
  String.raw`\bsubscription|\bopus\b|\bsonnet\b|\bhaiku\b|\bfree\b|\btrial\b|\ballowance`,
  String.raw`\ballotment|\bcredits\b|\bdaily|\bweekly|\bmonthly|\bfair|\bcap\b|额度|配额|用量|使用上限`,
  String.raw`\bcodex\b|\bcopilot\b|\bcursor\b|nutzung|utilisation|\buso\b|利用|使用`,
]);
const RATE = anyOf("", [
  String.raw`\brate\b|\brequests?\b|\bthrottl|\btokens? per|\bconcurren|\bthroughput|\bqps\b`,
  String.raw`\brpm\b|\btpm\b|\bapi\b|\bspeed\b|频率|速率|限流|débit|raten|velocidad`,
]);

/** Which window is used up: a short one is a throttle, a long one a quota. */
function windowOf(told: Signal, near: string, evidence: Evidence): "quota" | "rate_limit" {
  const { text, buckets, textBuckets, windows } = evidence;
  if (windows.window || buckets.window || textBuckets.window) return "quota";
  if (ROLLING.test(near)) return "rate_limit";
  const ids = /quotaid["': ]{1,6}\w{0,60}?per(day|minute|hour)/.exec(text.joined)?.[1];
  if (ids !== undefined && !/perday/.test(text.joined)) return "rate_limit";
  if (LONG.test(told.said) || LONG.test(near)) return "quota";
  if (SHORT.test(near)) return "rate_limit";
  if (told.words.subject === "rate_limit") return "rate_limit";
  if (/rate_?limit_?exceeded/.test(text.folded) && told.words.name === "capacity-of-account") {
    return "rate_limit";
  }
  if (told.words.subject === "quota") return "quota";
  if (RATE.test(told.said) && !USAGE.test(told.said)) return "rate_limit";
  if (USAGE.test(told.said) || /\b(?:your|you've|you have)\b/.test(told.said + told.around)) {
    return "quota";
  }
  return RATE.test(told.around) || evidence.notice.status === 429 ? "rate_limit" : "quota";
}

/** One sentence of three providers: money, a window, or a rate. The page it links tells. */
function currentQuota({ notice, text }: Evidence): Reason {
  const said = text.joined;
  if (/insufficient_quota|platform\.openai|openai\.com/.test(said)) return "billing";
  if (/error-code#token-limit/.test(said)) return "rate_limit";
  const google = /resource_exhausted|ai\.google|ai\.dev|googleapis|gemini|quotaid/.test(said);
  if (google || /google|gemini|vertex/.test(notice.provider)) {
    return /perminute|per_minute|per minute/.test(said) && !/perday|per_day|per day/.test(said)
      ? "rate_limit"
      : "quota";
  }
  return "billing";
}

/** The places at which the text is refused, in both of its forms. */
function signalsIn(evidence: Evidence): Signal[] {
  const { notice, text } = evidence;
  if (notice.status !== null && notice.status < 400 && !isFailure(text)) return [];
  const extra = headerWords(notice);
  const found = placesIn(text.folded, text.lined, evidence);
  const first = found.length > 0 ? [] : placesIn(text.lined, text.lined, evidence);
  const broken =
    text.joined === text.folded ? [] : placesIn(text.joined, text.joined, evidence, text.folded);
  // Headers belong to the last notice.
  const { length } = text.lined;
  const headers = placesIn(extra, extra, evidence).map((one) => ({
    ...one,
    from: length,
    to: length,
  }));
  return [...found, ...broken, ...first, ...headers];
}

/** Headers that say in words what is wrong. */
function headerWords({ headers }: Notice): string {
  return [...headers]
    .filter(
      ([name]) =>
        !/overage|fallback/.test(name) && /error|reason|message|exceeded|www-auth/.test(name),
    )
    .map(([, value]) => value.toLowerCase())
    .join("\n");
}

const FAILURE = anyOf("", [
  String.raw`"?(?:event|type|status|object)"?: ?"?(?:error|response\.failed|failed|rejected)\b`,
  String.raw`"error": ?["{]|^(?:\W{0,4}(?:api )?error\b|error[: ])|\[error\]`,
]);

/** An answer with status 200 is a refusal only if it is a stream that says so. */
function isFailure({ folded }: PlainText): boolean {
  return FAILURE.test(folded);
}

/** `besides`: rows that say something there already are left out. */
function placesIn(
  searched: string,
  lined: string,
  { notice }: Evidence,
  besides?: string,
): Signal[] {
  const asksTalk = notice.status === null || notice.status < 400;
  return refusalWords.flatMap((words) => {
    if (besides !== undefined && besides.search(words.pattern) >= 0) return [];
    const places = [...searched.matchAll(words.pattern)].slice(-MOST_PLACES);
    return places.flatMap((match) => {
      const from = match.index;
      const to = from + match[0].length;
      const before = searched.slice(Math.max(0, from - 48), from);
      const sentence = sentenceBefore(lined, from) + match[0] + sentenceBehind(lined, to);
      if (/overage[\w-]{0,24}["']? ?[:=] ?["']?$/.test(before)) return [];
      if (words.subject === "limit" && isOther(match[0], before)) return [];
      if (words.subject !== "billing" && OF_PLACE.test(sentence)) return [];
      if (words.subject !== "billing" && warning.test(sentence) && !isFull(sentence)) return [];
      if (/budget/.test(match[0]) && /\b(?:time|token|thinking|error|retry)\b ?$/.test(before))
        return [];
      if (asksTalk && isMereTalk(lined, from, to)) return [];
      return [{ words, from, to, around: sentence, said: match[0] }];
    });
  });
}

const OWN = /\b(?:rate|usage|quota|api|weekly|daily|monthly|session|requests?|hourly|speed)\b/;
const OF_MACHINE = /\b(?:disk|storage|memory|cpu|compute-resources|inotify|upload|heap)\b/;
/** Quotas of disks, browsers and clusters. */
const OF_PLACE = anyOf("", [
  String.raw`\b(?:disk|setitem|localstorage|indexeddb|filesystem|inodes?|pods?|` +
    String.raw`compute-resources|persistentvolumes?|mailbox|attachments?|coupons?|vouchers?|` +
    String.raw`withdrawals?|sms)\b`,
]);
const PER_WINDOW = /\bper (?:day|hour|week|month|min)|\/ ?(?:day|min)|daily|weekly|monthly|tpm|tpd/;

/** A limit of the run, the machine or a tool: the three words before it tell. */
function isOther(said: string, before: string): boolean {
  const words = (/(?:[\w'-]{1,24} ){0,3}$/.exec(before)?.[0] ?? "") + said;
  if (OF_MACHINE.test(words)) return true;
  if (/\btoken limit/.test(words)) return !PER_WINDOW.test(words);
  return !OWN.test(words) && otherLimit.test(words);
}

/** `100% used` is no warning. */
function isFull(sentence: string): boolean {
  return /(?<![\d.])100(?:\.0{1,3})? ?(?:%|percent)/.test(sentence);
}
