// Lines that are source text, settings, a diff, a test's report, a listing: known by their own form
// or by the line before.
// Promises: linear; looks at the line around a place and at most 600 characters before it.
// Leaves to others: prose (mere-talk.ts).

import { anyOf } from "./alternatives.ts";

/** A line of source text, of a diff, of a search, of a test's report. */
const sourceLine: readonly RegExp[] = [
  // Comments, diffs, results of a search, reports of a test.
  /^(?:\/\/|\/\*|\*\/? |#(?!\d)|<!--|--(?= )|@@|diff --|\+ ?(?=[a-z"'`{}()[\]/#]))/,
  /^(?:[\w@.-]{1,60}\/){0,8}[\w@.-]{1,60}\.[a-z]{1,5}[:(-]\d{1,6}[:)-]/,
  anyOf("", [
    String.raw`^(?:[✓✔√☑]|(?:not )?ok \d|(?:pass|fail)(?:ed)?\b:?|--- (?:pass|fail)|=== run|` +
      String.raw`should |\d{1,4}\) )`,
  ]),
  // Statements.
  anyOf("", [
    String.raw`(?<!["'])=>|\bfunction\b ?\w{0,40}\(`,
    String.raw`\b(?:const|let|var) \w{1,60}(?:: \w{1,30})? ?=|\bdef \w{1,60}\(`,
  ]),
  anyOf("", [
    String.raw`\bclass \w{1,60}(?: extends|\(|:| \{)|^(?:import|export) |\bfrom ["']`,
    String.raw`[)"'\x60\]}];$`,
    String.raw`(?:\w\(|= ).{0,200}\w;$`,
  ]),
  anyOf("", [
    String.raw`\breturn (?:new\b|[\w.]{1,60}[;(]|["'\x60{[]|null|true|false|\d)`,
    String.raw`\b(?:throw|raise) (?:new )?\w{1,60}\(`,
  ]),
  anyOf("", [
    String.raw`^(?:\} ?)?(?:else ?)?(?:if|while|switch|catch|elif|for) ?\(`,
    "^(?:if|elif|while|except|match|case) .{1,90}:$",
  ]),
  /^["']?\d{3}["']?:$|^<(?:testcase|testsuite|failure|system-out)\b/,
  // A list of codes, a variant of an enumeration, a directive.
  /^[-*] [`'"*]{0,3}\d{3}[`'"*]{0,3} ?[-:\u2013\u2014] ?[`'"*]/,
  /^\w{1,40}\([a-z]\w{0,20}(?:<\w{1,20}>)?\),$|^[a-z]{2,20}_[a-z_]{2,30} [^;=]{1,80};$/,
  anyOf("", [
    String.raw`-> ?\{:|\w [!=]= ?["'\d]|\braise \w{1,60},`,
    String.raw`\.(?:reply|respond|mock\w{0,30}|intercept|returns?|rejects?|resolves?)\(`,
  ]),
  /\b(?:it|test|describe|expect|assert\w{0,20}|panic|format|sprintf|print(?:ln|f)?)!?\(/,
  anyOf("", [
    String.raw`\b(?:console|log|logger|logging|fmt|mock|jest|vi)\.\w{1,20}\(`,
    String.raw`\.to(?:be|equal|throw|match|contain|have)\w{0,20}\(`,
  ]),
  /===|!==|(?<!\w)&& |\|\||::new\(|["'`] ?\+ ?\w|\w ?\+ ?["'`]|\$\{/,
  /\bassertionerror\b|\bexpected ["']/,
  // Constants and settings.
  /\b(\w{4,60})["']? ?[:=] ?["']\1["']|^(?:export )?[a-z]+_\w{1,60}=\S{0,80}$/,
  /\{ ?[a-z-]{2,30}: [^"{}]{1,60}; ?\}/,
  // Commands and their subjects.
  /^\$ |^> (?:npm|node|git|python|cargo|go|curl)\b|\b(?:grep|rg|echo|git commit) [-"']/,
  anyOf("", [
    "^(?:[0-9a-f]{7,40} )?(?:feat|fix|docs|chore|refactor|test|perf|build|ci)" +
      String.raw`(?:\([\w/-]{1,30}\))?!?: (?!http)`,
  ]),
  /^\|[^|\n]{0,200}\||\| ?\d{3} ?\|/,
];
/** Names of files, which often are the names of errors. */
const FILE_NAME = anyOf("", [
  String.raw`^[\w-]{0,40}(?:\.[a-z]{2,8})?\.(?:json|jsonl|md|tsx?|[cm]?js|py|go|rs|rb|` +
    String.raw`java|kt|cs|txt|` +
    String.raw`log|ya?ml|toml|html?|snap|sql|sh|png)\b`,
]);
/** A setting, or a heading of settings, on the line before. */
const SETTING_BEFORE = /(?:^|\n)(?:\[[\w. -]{1,40}\]|[a-z_]{2,40} = [^\n]{1,80})\n$/;
const SETTING_LINE = /^[a-z_]{2,40} = \S/;
/** An answer's status in a description of an interface. */
const DESCRIBED_BEFORE = /(?:^|\n)["']?\d{3}["']?:\n$/;
const HUNK = /(?:^|\n)(?:@@ -|\+\+\+ |diff --git )/;
const EXAMPLE_FENCE = /(?:example|sample|looks like|response|returns?|answers?)[^\n]{0,60}\n?$/;

const NEAR = 600;

/**
 * Whether a line is no sentence but source text or the like.
 *
 * @example
 * isSourceLine("throw new error('rate limit exceeded');"); // true
 */
export function isSourceLine(line: string): boolean {
  return sourceLine.some((one) => one.test(line));
}

/** Whether what stands before the line at a place says that it is no sentence. */
export function isInBlock(lined: string, line: string, at: number, to: number): boolean {
  if (FILE_NAME.test(lined.slice(to, to + 60))) return true;
  const start = lined.lastIndexOf("\n", at - 1) + 1;
  const before = lined.slice(Math.max(0, start - NEAR), start);
  if (SETTING_LINE.test(line) && SETTING_BEFORE.test(before)) return true;
  if (/^(?:description|summary):/.test(line) && DESCRIBED_BEFORE.test(before)) return true;
  if (/^-[^\s-]/.test(line) && HUNK.test(before)) return true;
  const fences = before.split("```");
  return fences.length % 2 === 0 && EXAMPLE_FENCE.test(fences.at(-2) ?? "");
}
