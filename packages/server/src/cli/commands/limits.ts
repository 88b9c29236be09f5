// `limits parse`: what a provider said → whether an agent is exhausted, why and until when.
// Promises: JSON lines in, JSON lines out, one for one and in order, each as soon as it is read; a
// line that cannot be read is answered by an error that names it, the lines behind it go on, and
// the exit code says so at the end.
// Leaves to others: reading the words (domain/limit-notice).

import type { LimitInput } from "../../domain/limit-notice/notice.ts";
import { type LimitVerdict, parseLimit } from "../../domain/limit-notice/parse-limit.ts";
import type { CommandSpec } from "../command.ts";
import { exit } from "../exit-codes.ts";
import { safeText } from "../safe-text.ts";

type Refused = { error: { code: "invalid_line"; line: number; message: string } };

const FIELDS = "now, observed_at, local_zone, status, headers, message, provider";

/** What is wrong with a line, in words; null for one that can be read. */
function complaintOf(value: unknown): string | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return `must be an object with any of ${FIELDS}`;
  }
  const given = value as { readonly [field: string]: unknown };
  if (!FIELDS.split(", ").some((field) => Object.hasOwn(given, field))) {
    return `has none of ${FIELDS}`;
  }
  for (const field of ["now", "observed_at"]) {
    const instant = given[field] ?? null;
    if (instant === null) continue;
    if (typeof instant !== "string" || Number.isNaN(Date.parse(instant))) {
      return `${field} must be an instant such as 2026-01-31T08:00:00Z`;
    }
  }
  return null;
}

function answerTo(text: string, line: number): LimitVerdict | Refused {
  const refused = (message: string): Refused => ({
    error: { code: "invalid_line", line, message: `line ${line} ${message}` },
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = text.trim() === "" ? "is empty" : `is not JSON: ${(error as Error).message}`;
    return refused(safeText(why));
  }
  const complaint = complaintOf(value);
  if (complaint !== null) return refused(complaint);
  const given = value as Partial<LimitInput>;
  return parseLimit({ ...given, now: given.now ?? new Date().toISOString() });
}

/** Lines of a stream, cut at newlines alone: JSON may hold every other kind of line break. */
async function* linesOf(stream: AsyncIterable<string>): AsyncGenerator<string> {
  let pieces: string[] = [];
  for await (const chunk of stream) {
    const [first = "", ...rest] = chunk.split("\n");
    pieces.push(first);
    for (const piece of rest) {
      yield pieces.join("");
      pieces = [piece];
    }
  }
  const last = pieces.join("");
  if (last !== "") yield last;
}

const parse: CommandSpec = {
  words: "limits parse",
  says: "Read refusals of providers from JSON lines: why, until when, how sure",
  more:
    "Each line of stdin is an object with message, status, headers, provider, now (default: the " +
    "present), observed_at (when the text was written) and local_zone (default: UTC), all of " +
    "them optional. Each is answered by one line with reason (rate_limit, quota, billing, " +
    "overloaded, none), recovery_at (null where the text names no time), scope, model, rule and " +
    "confidence. A line that cannot be read is answered by one with error, and the exit code is " +
    "65 in the end.",
  options: [],
  examples: [
    `echo '{"status":429,"headers":{"retry-after":"30"}}' | signalbox limits parse`,
    "signalbox limits parse < refusals.jsonl | jq -r '[.reason, .recovery_at] | @tsv'",
  ],
  act: async ({ screen }) => {
    let line = 0;
    let refused = 0;
    for await (const text of linesOf(process.stdin.setEncoding("utf8"))) {
      line += 1;
      const answer = answerTo(text, line);
      if ("error" in answer) refused += 1;
      screen.data(answer, "line");
    }
    return refused === 0 ? exit("ok") : exit("data");
  },
};

export const limitsCommands: readonly CommandSpec[] = [parse];
