// The parser's own table of cases, as data: refusals*.jsonl (what providers, gateways and command
// lines print when they refuse; signals with a structure, other languages and notations of time
// have a file each) and no-refusals*.jsonl (what only looks like it). One case a line.
// Promises: all values are invented; `at` is an instant, `wait` seconds after `now`, neither: the
// text names no time; `or` names other reasons a careful reader may give.
// Leaves to others: the comparing (the tests beside this file).

import { readFileSync } from "node:fs";
import type { LimitVerdict } from "../../../src/domain/limit-notice/parse-limit.ts";

/** One text with what a careful reader concludes. */
export type Case = {
  readonly says: string;
  readonly message?: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly provider?: string;
  readonly zone?: string;
  readonly now?: string;
  readonly reason: LimitVerdict["reason"];
  readonly or?: readonly LimitVerdict["reason"][];
  readonly wait?: number;
  readonly at?: string;
  readonly model?: string;
};

/** The present of all cases that name none: a Wednesday. */
export const NOW = "2026-10-14T09:30:00Z";

function linesOf<T>(...files: readonly string[]): T[] {
  return files.flatMap((file) => {
    const text = readFileSync(new URL(file, import.meta.url), "utf8");
    const lines = text.trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as T);
  });
}

/** Who is stopped, why and until when. */
export const refusals = linesOf<Case>(
  "refusals.jsonl",
  "refusals-structured.jsonl",
  "refusals-abroad.jsonl",
  "refusals-times.jsonl",
);
/** What stops nobody. */
export const noRefusals = linesOf<Omit<Case, "reason">>(
  "no-refusals.jsonl",
  "no-refusals-lookalikes.jsonl",
);
