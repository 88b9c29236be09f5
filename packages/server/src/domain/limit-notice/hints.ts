// Where a text says when to come back: words that announce a time, and the time behind them.
// Promises: linear; the word of a server beats the wait of a client, an exact instant beats prose,
// the last notice beats those before it; what was waited already, how long a window is and how
// often something happens are no times.
// Leaves to others: notations (notation.ts), headers and JSON fields (buckets.ts, fields.ts).

import { anyOf } from "./alternatives.ts";
import type { Before } from "./calendar-notation.ts";
import { readTime, type Reading } from "./notation.ts";
import type { PlainText } from "./plain-text.ts";
import { UNIT_WORDS } from "./units.ts";

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
  bodyWindow: 3,
  bodyInstant: 4,
  bodyWait: 5,
  bodyReset: 6,
  textInstant: 7,
  text: 8,
  client: 9,
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
      "(?:re-?)?try|again|erneut|de nuevo|novamente|di nuovo|à nouveau|снова|opnieuw|" +
      "ponownie|probeer(?: het)?|" +
      "versuch\\w{0,4}(?: sie)?(?: es)?|réessay\\w{1,4}|reintent\\w{1,4}|повтор[а-яё]{1,8}|" +
      "int[eé]ntal[oe]|int[eé]ntelo|intentarlo|riprova\\w{0,2}|tente|volte|försök|igen|" +
      "спробуйте|попробуйте|попытка|bitte",
  },
  {
    name: "wait",
    words:
      "waits?|wait[-_ ]time|warten sie|warte|cool(?:ing)?[- ]?down|patient\\w{1,3}|aguarde|" +
      "attend\\w{1,4}|esper\\w{1,3}|подожд[а-яё]{1,4}|зачекайте|wacht",
    before: { connector: "in" },
  },
  {
    name: "reset",
    words:
      "reset(?:s|ting)?(?:[-_ ](?:time|date)|[-_](?:at|in|on))?|renew(?:s|ed|al)?|" +
      "refresh(?:es|ed)?|" +
      "replenish(?:es|ed)?|refill(?:s|ed)?|restor(?:es|ed)|zurückgesetzt|zurücksetzung|" +
      "réinitialis(?:ation|ée?s?)|renouvel\\w{1,6}|restablec\\w{1,4}|reinici\\w{1,4}|renueva|" +
      "redefinid[oa]|renovad[oa]|ripristin\\w{1,5}|azzera\\w{0,4}|setzt sich|обновится|" +
      "обновляется|сбросится|сброс",
  },
  {
    name: "available",
    words:
      "available|access|unlock(?:s|ed)?|unblock(?:ed)?|lift(?:s|ed)?|back|" +
      "resum(?:e|es|ed|ing)|continu(?:e|es|ing)|come back|return|ready|reopens?|" +
      "restart(?:s|ing)?|" +
      "possible(?= from| at| again| after| in)|next requests? (?:is |are )?allowed|" +
      "no (?:earlier|sooner) than|revenez|verfügbar|disponib\\w{1,4}|disponí\\w{1,4}|beschikbaar",
  },
  {
    name: "until",
    words: "until|till|bis|jusqu'[àa]u?|hasta|fino|next (?:window|period|cycle)",
    before: { connector: "at" },
  },
  {
    name: "remaining",
    words: "(?:time )?remaining|time (?:left|to wait)|remaining[-_ ]time|restzeit|noch",
    before: { connector: "in" },
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
      "[请請](?:于|於|在|等待|稍候|等|约)?|(?:[将將]|限额|额度|配额|预计)(?:在|于|於)|等待|剩余时间|" +
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
  String.raw` ?\((?:epoch|unix|utc|timestamp|local)[a-z ]{0,12}\)`,
  String.raw`[ :=~\u2248("'*,\u2013\u2014-]{1,4}|<t:`,
  // What a client calls the call that it repeats.
  String.raw`[a-z_][\w.]{8,100}(?= in \d)`,
  String.raw`(?:again|automatically|about|around|approximately|approx\.?|roughly|nearly|` +
    "another|at least|up to|the|next(?! month)|your|request|requests|session|message|messages|" +
    String.raw`limit|limits|it|this|time|is|be|will|only|later|once|more|by|ungef\u00e4hr|etwa|` +
    "est|estimated|with|using|usage|quota|available|reset|resets|trying|retry|retrying|" +
    "claude|window|access|date|de|environ|unos|between|less|than|under|possible|epoch|unix|" +
    "timestamp|wieder|ab|na|no|nuovo|nuevo|nouveau|à nouveau|prévue?|sera|se|igen|pela|по|" +
    "约|大约|在|于|至|到)" +
    String.raw`(?![a-z\u00df-\u00ff\u0430-\u044f])`,
  String.raw`(?<in>in|for|en|em|через|dans|dentro de|tra|fra|over|za|innerhalb von|` +
    String.raw`within(?= \d))(?![a-z])`,
  String.raw`(?<after>after|nach|apr\u00e8s|despu\u00e9s de|后)(?![a-z])`,
  // Days before months, as their languages write them.
  String.raw`(?<dayfirst>am|den|le|el|il|den|на)(?= )`,
  String.raw`(?<at>at|on|before|until|till|from|` +
    String.raw`um|\u00e0|a las|\u00e0s|alle(?: ore)?|om|kl\.?|o|в|` +
    String.raw`starting|beginning(?! of)|@)(?![a-z\u0430-\u044f])`,
]);
const MOST_GAPS = 10;

/** What makes of an announcement one of the past, a count or a rate. */
const SPENT = anyOf("", [
  "(?<![a-z])(?:total|spent|already|elapsed|after|waited|been|max(?:imum)?|" +
    "min(?:imum)?|default|initial|every|timeout)[ :=(]{0,3}(?:retry |backoff )?$",
]);
/** What behind a time makes of it something else. */
const NO_WAIT = /^ ?(?:ago|elapsed|passed|window|per |timeout|budget|context|of inactivity|x\b)/;

/** Waits whose announcement stands behind them: `35 seconds until reset`, `40 秒后重试`. */
const TIME_FIRST = new RegExp(
  String.raw`(?<![\w.:])\d{1,9}(?:[.:]\d{1,9}){0,2} {0,2}(?:(?:${UNIT_WORDS})(?![a-z])|` +
    String.raw`(?<=:\d\d) )`,
  "g",
);
const ANNOUNCED_AFTER = anyOf("", [
  "^ ?(?:(?:remaining|left|to go|more)? ?(?:until|before|till|to) (?:(?:the|your|" +
    String.raw`next|trying|you|it|this|a|limit|usage|quota)\b ?){0,3}(?:reset|retry|try|request|` +
    String.raw`again|can|limit|resume|window|send)|remaining\b|from now\b|erneut\b|` +
    "(?:之?[后後]|後に?|[后後]再|以?[后後]|내|후에?|待って|待ち|sonra)" +
    " ?,? ?(?:再|可|请|請|自动|自動|에|に|다시)?)",
]);
/** Points in time whose announcement stands behind them, as the verb does in many languages. */
const POINT_FIRST = anyOf("g", [
  "まで(?:は)?(?:ご?利用|使用|お待ち)",
  " ?(?:に|에|까지|まで|以降|[后後])? ?(?:リセット|再開|利用可能|解除|초기화|재설정|갱신|다시|重置|重設|恢[复復]|刷新)",
  " (?:zurückgesetzt|wieder (?:verfügbar|möglich)|freigegeben)",
  " (?:your|the) (?:[a-z]{1,10} ){0,2}(?:limits?|quota|" +
    "usage) (?:will )?(?:be )?(?:resets?|renews?)",
]);
const LONGEST_POINT = 36;
const MOST_POINTS = 8;

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
    const { at, said } = skipGap(text, end);
    const before = { ...anchor.before, ...said };
    const reading = readTime(text, at, before);
    if (reading === null || NO_WAIT.test(text.slice(reading.end, reading.end + 24))) return [];
    if (anchor.name === "bar" && reading.notation !== "epoch") return [];
    const first = { hint: hintOf(anchor, reading), length: lengthOf(text, at, reading.end) };
    return [first];
  });
  if (placed.length > 0) return placed;
  const first = timesFirst(text);
  return first.length > 0 ? first : pointsFirst(text);
}

function timesFirst(text: string): Placed[] {
  const placed: Placed[] = [];
  let end = 0;
  for (const { index } of [...text.matchAll(TIME_FIRST)].slice(-MOST_READ)) {
    // All parts of a wait were read with its first.
    if (index < end) continue;
    const reading = readTime(text, index, { connector: "in" });
    if (reading === null) continue;
    end = reading.end;
    if (!ANNOUNCED_AFTER.test(text.slice(end, end + 60))) continue;
    const hint = hintOf({ name: "time-first", words: "" }, reading);
    placed.push({ hint, length: end - index });
  }
  return placed.toReversed();
}

/** The longest time that ends where its announcement begins. */
function pointsFirst(text: string): Placed[] {
  const found = [...text.matchAll(POINT_FIRST)].slice(-MOST_POINTS).toReversed();
  return found.flatMap(({ index }) => {
    for (let at = Math.max(0, index - LONGEST_POINT); at < index; at++) {
      if (/[\w:]/.test(text[at - 1] ?? "") && /\w/.test(text[at] ?? "")) continue;
      const reading = readTime(text, at, { connector: "at" });
      if (reading === null || reading.moment.kind !== "civil") continue;
      if (text.slice(reading.end, index).trim() !== "") continue;
      const hint = hintOf({ name: "point-first", words: "" }, reading);
      return [{ hint, length: reading.end - at }];
    }
    return [];
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

function skipGap(text: string, from: number): { at: number; said: Before } {
  let at = from;
  let connector: Before["connector"];
  let dayFirst = false;
  for (let n = 0; n < MOST_GAPS; n++) {
    GAP.lastIndex = at;
    const match = GAP.exec(text);
    if (match === null) break;
    at += match[0].length;
    for (const kind of ["in", "after", "at"] as const) {
      if (match.groups?.[kind] !== undefined) connector = kind;
    }
    if (match.groups?.["dayfirst"] !== undefined) [connector, dayFirst] = ["at", true];
  }
  return { at, said: { ...(connector !== undefined && { connector }), dayFirst } };
}

/** Characters without blanks, so that both forms of a text are measured alike. */
function lengthOf(text: string, from: number, to: number): number {
  return text.slice(from, to).replaceAll(" ", "").length;
}
