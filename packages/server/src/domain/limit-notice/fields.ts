// Names with values: headers of an answer, dumps of headers in a text, fields of JSON in a text.
// Promises: names come in lower case with `-` between words; JSON is not parsed but searched, so
// that cut, broken, escaped and wrapped JSON and the printouts of other languages are read alike;
// at most 600 fields of a text are looked at, the last ones.
// Leaves to others: which fields count (buckets.ts), notations of time (notation.ts).

import { anyOf } from "./alternatives.ts";
import { type Hint, ranks } from "./hints.ts";
import type { Moment } from "./moment.ts";
import { readTime } from "./notation.ts";
import type { PlainText } from "./plain-text.ts";
import { plainPrintouts } from "./printouts.ts";

/** One name with its value, in lower case. */
export type Field = { readonly name: string; readonly value: string };

const MOST_FIELDS = 600;

/** `name: value` and `name=value` on a line, quoted or not. */
const ON_A_LINE = anyOf("g", [
  String.raw`(?<![\w.-])([a-z][a-z0-9_.-]{1,60})(["'\x60*]{0,3}) {0,2}[:=]>? {0,2}(?:\n(?=\d))` +
    String.raw`?["'\x60]{0,3}(?=([^"'\x60\n{}[\]]{0,64}))`,
]);
/** `"name": value`, wherever the terminal broke it. */
const QUOTED = /["']([a-z][a-z0-9_.-]{1,60})(["']) ?: ?["']?([^"'\n{}[\]]{0,64})/g;
/** Names that may speak of limits; all others are dropped at once. */
const SPEAKING =
  /limit|retry|reset|codex|cooldown|available|unblock|blocked|wait|seconds|refresh|remaining|left/;

/** Words that end a phrase as often as they name a field: `Next reset: 16 October`. */
const PROSE = /^(?:resets?|wait|cooldown|available|blocked|refresh(?:es)?|limit|retry)$/;

/** The fields of headers. */
export function headerFields(headers: ReadonlyMap<string, string>): Field[] {
  return [...headers].map(([name, value]) => ({ name, value: value.toLowerCase() }));
}

/** The fields that a text shows. */
export function textFields(text: Pick<PlainText, "lined" | "joined">): Field[] {
  const [lined, joined] = [plainPrintouts(text.lined), plainPrintouts(text.joined)];
  const found = [...lined.matchAll(ON_A_LINE), ...joined.matchAll(QUOTED)]
    .filter(([, name = "", quote]) => SPEAKING.test(name) && (quote !== "" || !PROSE.test(name)))
    .map(([, name = "", , value = ""]) => ({
      name: name.replaceAll("_", "-"),
      value: value.trim(),
    }))
    .filter(({ value }) => value !== "");
  return found.slice(-MOST_FIELDS);
}

/** What a field with a time is called, without its separators, and the unit of a bare number. */
const timeNames: readonly (readonly [name: RegExp, unitMs: number])[] = [
  [
    anyOf("", [
      "(?:retryafter|retrydelay|retryin|wait|waittime|cooldown|reset(?:s)?(?:after|in))" +
        "m(?:illi)?s(?:ec|econds)?$",
    ]),
    1,
  ],
  [/(?:retryafter|retryin|wait|cooldown|resets?(?:after|in))min(?:ute)?s?$/, 60_000],
  [/(?:retryafter|retryin|wait|cooldown|resets?(?:after|in))(?:hrs|hours?)$/, 3_600_000],
  [/retryafter(?:s|secs?|seconds)?$/, 1000],
  [
    anyOf("", [
      "^(?:retrydelay|retryin|retryat|wait|waittime|waitfor|cooldown|timetoreset|" +
        "timeuntilreset)(?:s|secs?|seconds)?$",
    ]),
    1000,
  ],
  [
    anyOf("", [
      "resets?(?:in|after)(?:s|secs?|seconds)?$",
      "seconds(?:until|to|till)(?:the)?(?:next)?reset$",
    ]),
    1000,
  ],
  [
    anyOf("", [
      "^(?:quota|limit|usage|window|next)?resets?(?:at|time|timestamp|date|on|delay)" +
        "?(?:utc|epoch|unix)?$",
    ]),
    1000,
  ],
  [/^(?:time|seconds|secs)(?:remaining|left)$|^(?:remaining|left)(?:time|seconds|secs)$/, 1000],
  [/^next(?:available|retry|allowed|request)(?:at|in|time)?$/, 1000],
  [/^(?:available|unblock(?:ed)?|blocked|regain|refreshes|refresh)(?:at|until|in|time)$/, 1000],
];
const A_POINT = /(?:at|time|timestamp|date|until|utc|epoch|unix)$/;

/** The times that fields of a body name, most trusted first; the last of a kind counts. */
export function fieldHints(fields: readonly Field[]): Hint[] {
  return fields.toReversed().flatMap(({ name, value }) => {
    // Those are buckets, of which some may be full.
    if (/codex|rate-?limit/.test(name) && !name.includes("retry")) return [];
    const bare = name.replaceAll(/[-.]/g, "");
    const unitMs = timeNames.find(([pattern]) => pattern.test(bare))?.[1];
    if (unitMs === undefined) return [];
    const read = timeOf(value, unitMs, A_POINT.test(bare) && !bare.startsWith("waittime"));
    if (read === null) return [];
    const { moment, exact } = read;
    const rank = moment.kind === "wait" ? ranks.bodyWait : ranks.bodyInstant;
    return [{ rank: exact ? rank : ranks.text, rule: `field ${read.notation}`, moment, exact }];
  });
}

/** A value as a time: epoch, number of units, instant, date or duration; null if it is none. */
export function timeOf(
  value: string,
  unitMs: number,
  isPoint = false,
): { moment: Moment; notation: string; exact: boolean } | null {
  const text = value.trim();
  const number = /^(\d{1,14}(?:\.\d{1,12})?)(?![\w:/-]|\.\d)/.exec(text);
  if (number !== null && !/^ ?[a-z]{1,12}\b/.test(text.slice(number[0].length))) {
    const count = Number(number[1]);
    if (count >= 1e12 && count < 1e14) {
      return { moment: { kind: "instant", at: count }, notation: "epoch", exact: true };
    }
    if (count >= 1e9 && count < 1e11 && unitMs > 1) {
      return { moment: { kind: "instant", at: count * 1000 }, notation: "epoch", exact: true };
    }
    if (isPoint) return null;
    return { moment: { kind: "wait", ms: count * unitMs }, notation: "bare-number", exact: true };
  }
  // A clock-like value of `quotaResetDelay` is a length; of `resets` it may be a clock.
  return readTime(text, 0, isPoint ? { connector: "at" } : {});
}
