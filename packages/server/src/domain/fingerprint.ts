// What errors have in common: the same failure of many runs, whatever it was about each time.
// Promises: pure and bounded: reads the first 2,000 characters; two errors of one code whose
// messages differ only in numbers, ids, hex, instants, addresses, paths or quoted text have one
// fingerprint. It never changes for a stored error: it is stored with it.
// Leaves to others: when a run becomes a dead letter (`ends.ts`), groups (store).

import { sha256Hex } from "../std/digest.ts";
import type { RunError } from "./run.ts";

/** What stands for an error in a group of its kind. */
export type Fingerprint = {
  /** 16 hex digits. */
  readonly fingerprint: string;
  readonly code: string;
  /** The message with what varies replaced, at most 500 characters. */
  readonly pattern: string;
};

const MOST_READ = 2_000;
const MOST_KEPT = 500;

/** In this order: what is quoted or an address may contain all that comes below. */
const replacements: readonly (readonly [RegExp, string])[] = [
  // Colours of terminals and other controls, then any white space as one blank.
  // oxlint-disable-next-line no-control-regex -- an escape is what it looks for
  [/\u001b\[[0-9;]{0,20}[A-Za-z]/g, ""],
  [/[\s\p{Cc}]+/gu, " "],
  [/"[^"]*"|`[^`]*`|“[^”]*”|«[^»]*»/g, "<text>"],
  // An apostrophe inside a word is none of a quotation.
  [/(?<![\p{L}\p{N}])'[^']*'(?![\p{L}\p{N}])/gu, "<text>"],
  [/\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s<>,;)\]}]+/gi, "<url>"],
  [/(?<![\w<])(?:\.{1,2}|~)[\\/][\w.@~+\\/-]+/g, "<path>"],
  [/(?<![\w<])(?:[A-Za-z]:)?(?:[\\/][\w.@~+-]+){2,}[\\/]?/g, "<path>"],
  [/\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?/g, "<time>"],
  [/\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi, "<id>"],
  [/\b[a-z]{2,8}_[0-9a-z]*\d[0-9a-z]*\b/gi, "<id>"],
  [/\b0x[0-9a-f]+\b/gi, "<hex>"],
  [/\b(?=[a-f]*\d)[0-9a-f]{8,}\b/gi, "<hex>"],
  // A long word with letters and digits is somebody's id.
  [/\b(?=[A-Za-z_-]*\d)(?=[\d_-]*[A-Za-z])[\w-]{12,}\b/g, "<id>"],
  [/\d+(?:[.,:]\d+)*/g, "<n>"],
];

/**
 * The message with what varies from run to run replaced by what it is.
 *
 * @example
 * patternOf('timeout after 31 s: "a.txt"'); // 'timeout after <n> s: <text>'
 */
export function patternOf(message: string): string {
  const read = replacements.reduce(
    (text, [found, word]) => text.replaceAll(found, word),
    message.slice(0, MOST_READ),
  );
  return read.trim().slice(0, MOST_KEPT);
}

/** The fingerprint of an error: of its code, and of its message's pattern. */
export function fingerprintOf({ code, message }: Pick<RunError, "code" | "message">): Fingerprint {
  const pattern = patternOf(message);
  return { fingerprint: sha256Hex(`${code}\n${pattern}`).slice(0, 16), code, pattern };
}
