// Where a text says when to come back: words that announce a time, and the time behind them.
// Promises: linear; the word of a server beats the wait of a client, an exact instant beats prose,
// the last notice beats those before it; what was waited already, how long a window is and how
// often something happens are no times.
// Leaves to others: notations (notation.ts), headers and JSON fields (buckets.ts, fields.ts).

import { anyOf } from "./alternatives.ts";
import { type Before, readTime, type Reading } from "./notation.ts";
import type { PlainText } from "./plain-text.ts";

/** A time with where it comes from. Lower ranks are trusted more. */
export type Hint = {
  readonly rank: number;
  readonly rule: string;
  readonly moment: Reading["moment"];
  readonly exact: boolean;
};

/** How much each source is trusted; the order of the brief in the reader's guide. */
export const ranks = {
  headerRetryMs: 0,
  headerRetry: 1,
  headerReset: 2,
  bodyInstant: 3,
  bodyWait: 4,
  bodyReset: 5,
  textInstant: 6,
  text: 7,
  client: 8,
} as const;

type Anchor = {
  readonly name: string;
  readonly words: string;
  readonly rank?: number;
  readonly before?: Before;
};

/** Words that announce a time. The first that fits a place is taken. */
const anchors: readonly Anchor[] = [
  {
    name: "client-wait",
    words:
      "retrying|re-trying|waiting|sleeping|backing off|backoff(?: of| for)?|reconnecting|" +
      "will retry|auto-?retry|next (?:attempt|retry|try)|retry #?\\d{1,3}(?:/\\d{1,3})?|" +
      "attempt #?\\d{1,3}(?:/\\d{1,3})?,?",
    rank: ranks.client,
  },
  { name: "retry-after", words: "retry[-_ ]?after", before: { bareUnitMs: 1000 } },
  {
    name: "retry",
    words:
      "(?:re-?)?try|again|erneut|de nuevo|novamente|di nuovo|à nouveau|снова|" +
      "versuch\\w{1,4}(?: sie)?(?: es)?|réessay\\w{1,4}|reintent\\w{1,4}|повтор[а-яё]{1,8}",
  },
  {
    name: "wait",
    words:
      "waits?|wait[-_ ]time|warten sie|cool(?:ing)?[- ]?down|" +
      "attend\\w{1,4}|esper\\w{1,3}|подожд[а-яё]{1,4}",
    before: { connector: "in" },
  },
  {
    name: "reset",
    words:
      "reset(?:s|ting)?(?:[-_ ](?:time|date)|[-_](?:at|in|on))?|renew(?:s|ed|al)?|" +
      "refresh(?:es|ed)?|" +
      "replenish(?:es|ed)?|refill(?:s|ed)?|restor(?:es|ed)|zur\\u00fcckgesetzt",
  },
  {
    name: "available",
    words:
      "available|access|unlock(?:s|ed)?|unblock(?:ed)?|lift(?:s|ed)?|back|until|till|bis|" +
      "resum(?:e|es|ed|ing)|continu(?:e|es|ing)|come back|return|ready|reopens?|restart(?:s|ing)?",
  },
  {
    name: "window-end",
    words:
      "(?:window|period|cycle|block|ban|limit|cooldown|quota|penalty|restriction)s? " +
      "(?:will )?(?:starts?|begins?|ends?|expires?|opens?|clears?|over)",
  },
  {
    name: "chinese",
    words:
      "请(?:于|在|等待|稍候|等|约)?|(?:将|限额|额度|配额|预计)(?:在|于)|等待|剩余时间|" +
      "恢复时间|重置时间|冷却(?:中|时间)?|还需|约",
  },
  { name: "bar", words: "\\|" },
];

const places = anchors.map(
  // Only the bar may stand right behind a word.
  ({ name, words }) => `${name === "bar" ? "" : "(?<![\\w-])"}(?:${words})(?![a-z])`,
);
const ANCHOR = new RegExp(places.join("|"), "g");
const each = anchors.map((anchor, n) => [anchor, new RegExp(places[n] ?? "", "y")] as const);

/** Which announcement begins at a place. */
function anchorAt(text: string, at: number): Anchor | undefined {
  return each.find(([, pattern]) => {
    pattern.lastIndex = at;
    return pattern.test(text);
  })?.[0];
}

/** Small words and signs between the announcement and the time. */
const GAP = anyOf("y", [
  String.raw`[ :=~\u2248\u2248("'*,\u2013\u2014-]{1,4}`,
  String.raw`(?:again|automatically|about|around|approximately|approx\.?|roughly|nearly|` +
    "another|at least|up to|the|next|your|request|requests|session|message|messages|" +
    String.raw`limit|limits|it|this|time|is|be|will|only|later|once|more|by|ungef\u00e4hr|etwa|` +
    "est|estimated|with|using|usage|quota|available|reset|resets|trying|retry|retrying|" +
    "claude|window|access|date|de|dans|environ|unos|约|大约|在|于|至|到)(?![a-z])",
  String.raw`(?<in>in|for|en|em|через|within(?= \d))(?![a-z])`,
  String.raw`(?<after>after|nach|apr\u00e8s|despu\u00e9s de|后)(?![a-z])`,
  String.raw`(?<at>at|on|until|till|from|um|\u00e0|a las|starting|beginning|@)(?![a-z])`,
]);
const MOST_GAPS = 10;

/** What makes of an announcement one of the past, a count or a rate. */
const SPENT = anyOf("", [
  "(?<![a-z])(?:total|spent|already|elapsed|after|waited|been|max(?:imum)?|" +
    "min(?:imum)?|default|initial|every|timeout)[ :=(]{0,3}(?:retry |backoff )?$",
]);
/** What behind a time makes of it something else. */
const NO_WAIT = /^ ?(?:ago|elapsed|passed|window|per |timeout|budget|context|of inactivity|x\b)/;

/** Times whose announcement stands behind them: `35 seconds until reset`, `40 秒后重试`. */
const TIME_FIRST = anyOf("g", [
  String.raw`(?<![\w.:])\d{1,9}(?:\.\d{1,9})? {0,2}(?:days?|hours?|hrs?|h|minutes?|mins?|m|` +
    "seconds?|secs?|s|天|个?小时|分钟|分|秒钟?|時間|초|분|시간)(?![a-z])",
]);
const ANNOUNCED_AFTER = anyOf("", [
  "^ ?(?:(?:remaining|left|to go|more)? ?(?:until|before|till|to) (?:(?:the|your|" +
    String.raw`next|trying|you|it|this|a|limit|usage|quota)\b ?){0,3}(?:reset|retry|try|request|` +
    String.raw`again|can|limit|resume|window|send)|remaining\b|(?:之?后|後に?|后再|以?后|내|후에?)` +
    " ?,? ?(?:再|可|请|自动|自動|에|に|다시)?)",
]);

/** At most so many announcements are read, from the end: the last one counts. */
const MOST_READ = 100;

/** The times that a text announces, the last notice first. */
export function textHints(text: PlainText): Hint[] {
  const folded = hintsIn(text.folded);
  // A line break inside a word or a number hides it from one of the two forms only.
  const joined = text.joined === text.folded ? [] : hintsIn(text.joined);
  const [a, b] = [folded, joined].map((list) => list.find(isServer));
  const whole = b !== undefined && (a === undefined || b.length > a.length);
  return (whole ? joined : folded.length > 0 ? folded : joined).map((hint) => hint.hint);
}

type Placed = { readonly hint: Hint; readonly length: number };

function isServer({ hint }: Placed): boolean {
  return hint.rank !== ranks.client;
}

function hintsIn(text: string): Placed[] {
  const found = [...text.matchAll(ANCHOR)].slice(-MOST_READ).toReversed();
  const placed = found.flatMap((match) => {
    const end = match.index + match[0].length;
    const anchor = anchorAt(text, match.index);
    if (
      anchor === undefined ||
      SPENT.test(text.slice(Math.max(0, match.index - 24), match.index))
    ) {
      return [];
    }
    const { at, connector } = skipGap(text, end);
    const before = { ...anchor.before, ...(connector !== undefined && { connector }) };
    const reading = readTime(text, at, before);
    if (reading === null || NO_WAIT.test(text.slice(reading.end, reading.end + 24))) return [];
    if (anchor.name === "bar" && reading.notation !== "epoch") return [];
    const first = { hint: hintOf(anchor, reading), length: lengthOf(text, at, reading.end) };
    return [first];
  });
  return placed.length > 0 ? placed : timesFirst(text);
}

function timesFirst(text: string): Placed[] {
  const found = [...text.matchAll(TIME_FIRST)].slice(-MOST_READ).toReversed();
  return found.flatMap((match) => {
    const reading = readTime(text, match.index, {});
    if (reading === null) return [];
    if (!ANNOUNCED_AFTER.test(text.slice(reading.end, reading.end + 60))) return [];
    const hint = hintOf({ name: "time-first", words: "" }, reading);
    return [{ hint, length: reading.end - match.index }];
  });
}

function hintOf({ name, rank }: Anchor, { moment, notation, exact }: Reading): Hint {
  const instant = exact && moment.kind !== "wait" && notation !== "clock";
  return {
    rank: rank ?? (instant && notation !== "weekday" ? ranks.textInstant : ranks.text),
    rule: `${name} ${notation}`,
    moment,
    exact,
  };
}

function skipGap(text: string, from: number): { at: number; connector?: "in" | "after" | "at" } {
  let at = from;
  let connector: "in" | "after" | "at" | undefined;
  for (let n = 0; n < MOST_GAPS; n++) {
    GAP.lastIndex = at;
    const match = GAP.exec(text);
    if (match === null) break;
    at += match[0].length;
    for (const kind of ["in", "after", "at"] as const) {
      if (match.groups?.[kind] !== undefined) connector = kind;
    }
  }
  return connector === undefined ? { at } : { at, connector };
}

/** Characters without blanks, so that both forms of a text are measured alike. */
function lengthOf(text: string, from: number, to: number): number {
  return text.slice(from, to).replaceAll(" ", "").length;
}
