// Objects of JSON (or of another language's printout) that tell how full a window is, or whether
// it is open: `"rate_limit_info": {"status": "rejected", "resetsAt": …}`, `"primary":
// {"used_percent": 100, …}`.
// Promises: linear; an object counts only where its name speaks of a limit or a window; of objects
// of one name the last one counts; what goes on with paid credits is open.
// Leaves to others: whether the text only shows such an object (mere-talk.ts), fields outside.

import { anyOf } from "./alternatives.ts";
import type { Buckets } from "./buckets.ts";
import { type Field, fieldHints } from "./fields.ts";
import { type Hint, ranks } from "./hints.ts";
import { isMereTalk } from "./mere-talk.ts";
import type { PlainText } from "./plain-text.ts";
import { plainPrintouts } from "./printouts.ts";

/** What the windows of a text say. */
export type Windows = Buckets & {
  /** Where the last of them is told, full or open; -1 without any. */
  readonly from: number;
  /** All that are told are open. */
  readonly open: boolean;
};

type Told = { readonly from: number; readonly isFull: boolean; readonly hints: readonly Hint[] };

const MOST_OBJECTS = 200;
const OBJECT = anyOf("g", [
  String.raw`(?<![\w-])(?<name>[a-z][\w-]{1,40})["']? ?[:=]>? ?(?:some\()?(?:[a-z]\w{0,40} )?` +
    String.raw`\{(?=(?<inside>[^{}]{1,600}))`,
]);
const ABOUT_LIMITS = new RegExp(
  String.raw`limit|quota|^(?:primary|secondary|daily|weekly|monthly|session|window)|` +
    String.raw`^(?:five|seven|\d{1,2})_?-?(?:hour|day|h|d)`,
);
const PAIR = /(?<name>[a-z]\w{0,40})["']? ?[:=] ?["']?(?<value>[^"',{}\n]{1,48})/g;
const CREDITS = /["']?credits["']? ?: ?\{[^{}]{0,80}(?:has_?credits|unlimited)["']? ?: ?true/;

const FULL = /^(?:rejected|exceeded|exhausted|blocked|limited|throttled|reached|depleted|used_up)$/;
const OPEN = /^(?:allowed(?:_\w{1,12})?|ok|open|active|healthy|available|within_limits?)$/;

/** The windows that a text tells of. */
export function windowsIn(text: PlainText): Windows {
  const folded = toldIn(text.folded, text.lined);
  const told = folded.size > 0 ? folded : toldIn(text.joined, text.joined);
  const all = [...told.values()];
  const full = all.filter(({ isFull }) => isFull);
  const hints = full.flatMap((one) => one.hints);
  const from = Math.max(-1, ...all.map((one) => one.from));
  const empty = full.length > 0;
  return { empty, window: empty, hints: hints.toSorted(later), from, open: !empty && from >= 0 };
}

function toldIn(text: string, lined: string): Map<string, Told> {
  const told = new Map<string, Told>();
  const goesOn = CREDITS.test(text);
  for (const match of [...text.matchAll(OBJECT)].slice(-MOST_OBJECTS)) {
    const { name = "", inside = "" } = match.groups ?? {};
    if (!ABOUT_LIMITS.test(name)) continue;
    const fields = fieldsOf(inside);
    const isFull = fullness(fields);
    if (isFull === null || isMereTalk(lined, match.index, match.index + name.length)) continue;
    const hints = fieldHints(fields.filter((one) => !one.name.startsWith("overage")));
    told.set(name, {
      from: match.index,
      isFull: isFull && !goesOn,
      hints: hints.slice(0, 1).map((hint) => ({ ...hint, rank: ranks.bodyWindow })),
    });
  }
  return told;
}

function fieldsOf(inside: string): Field[] {
  return [...plainPrintouts(inside).matchAll(PAIR)].map(({ groups }) => ({
    name: (groups?.["name"] ?? "").replaceAll("_", "-"),
    value: (groups?.["value"] ?? "").trim(),
  }));
}

/** Whether a window is used up; null if its fields do not tell. */
function fullness(fields: readonly Field[]): boolean | null {
  const by = new Map(fields.map(({ name, value }) => [name.replaceAll("-", ""), value] as const));
  if (by.get("isusingoverage") === "true") return false;
  if (OPEN.test(by.get("overagestatus") ?? "")) return false;
  const status = by.get("status") ?? by.get("state") ?? "";
  if (FULL.test(status)) return true;
  if (OPEN.test(status)) return false;
  const percent = by.get("usedpercent") ?? by.get("usagepercent") ?? by.get("percentused");
  const share = Number.parseFloat(percent ?? by.get("utilization") ?? "");
  // A utilization of 1 may be all or a hundredth: it tells nothing.
  if (Number.isNaN(share) || (percent === undefined && share === 1)) return null;
  return share >= 100;
}

function later(a: Hint, b: Hint): number {
  const at = ({ moment }: Hint): number =>
    moment.kind === "wait" ? moment.ms : moment.kind === "instant" ? moment.at : 0;
  return at(b) - at(a);
}

/**
 * A text without the objects of open windows, whose times say nothing about a refusal.
 *
 * @example
 * withoutOpenWindows('"primary": {"used_percent": 7, "resets_in_seconds": 9}'); // '"primary": {}'
 */
export function withoutOpenWindows(text: string): string {
  let kept = "";
  let end = 0;
  for (const { index, 0: found, groups } of text.matchAll(OBJECT)) {
    const { name = "", inside = "" } = groups ?? {};
    if (!ABOUT_LIMITS.test(name) || fullness(fieldsOf(inside)) !== false) continue;
    kept += text.slice(end, index + found.length);
    end = index + found.length + inside.length;
  }
  return kept + text.slice(end);
}
