// What a log line may hold: facts without secrets and without what was put in, of bounded size.
// Promises: keys of ours, credentials in headers and addresses, signing secrets and the usual
// provider keys are replaced wherever they stand; fields named after a secret are replaced whole;
// of an error stay its kind, code, message and stack, never rows or values the database added;
// linear in a bounded input, and never throws.
// Leaves to others: format and destination (cli/log.ts), level.

import type { LogFields, Logger, LogLine } from "./logger.ts";

/** What stands where a secret stood. */
const REDACTED = "[redacted]";
const MOST_TEXT = 2000;
const MOST_ITEMS = 50;
const MOST_DEPTH = 6;
const MOST_FRAMES = 30;

/** Fields that are secrets by their name, whatever they hold. */
const SECRET_NAME = new RegExp(
  "^(?:(?:proxy-)?authorization|(?:set-)?cookie|.{0,40}password|passwd|passphrase|" +
    "(?:.{1,40}[_-])?secret|(?:.{0,40}(?:access|refresh|csrf|callback|session)[_-])?token|" +
    "(?:(?:api|attempt|child|owner|cli|signing|private)[_-]?)?key|" +
    "database[_-]?url|connection[_-]?string)$",
  "i",
);

type Rule = readonly [what: RegExp, by: string];

/** In this order. What repeats without a bound is followed by nothing, so none goes back. */
const rules: readonly Rule[] = [
  [
    /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g,
    REDACTED,
  ],
  // User and password of an address; also a password with an unescaped slash.
  [/:\/\/[^\s/"']{1,400}@/g, `://${REDACTED}@`],
  [/:\/\/[^\s:/@"']{1,200}:[^\s@"']{1,200}@/g, `://${REDACTED}@`],
  // Parameters of an address, and settings written as `name=value` or `"name": "value"`.
  [
    new RegExp(
      "((?<![A-Za-z0-9])(?:[a-z0-9_-]{0,20}(?:token|secret|password|passwd|pwd|credentials?)|" +
        "(?:[a-z]{1,20}[_-])?(?:key|sig|signature))" +
        String.raw`(?:["']?=|["']:\s{0,2}|:\s{1,2})["']?)[^\s"'&;,}]+`,
      "gi",
    ),
    `$1${REDACTED}`,
  ],
  [/\b(basic|bearer)\s{1,4}[\w.~+/=-]{6,}/gi, `$1 ${REDACTED}`],
  // Keys that say what they are: ours first.
  [/(?<![A-Za-z0-9])sb[xacls]_[\w.-]{3,}/g, REDACTED],
  [
    new RegExp(
      "(?<![A-Za-z0-9])(?:(?:sk|rk|pk)[-_]|gsk_|xai-|glpat-|gh[opsur]_|github_pat_|xox[a-z]-|" +
        String.raw`whsec_|hf_|npm_)[\w./+=-]{6,}`,
      "g",
    ),
    REDACTED,
  ],
  [/(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{8,}/g, REDACTED],
  [/(?<![\w-])eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?/g, REDACTED],
];

/**
 * A text without secrets, of at most 2,000 characters.
 *
 * @example
 * scrubText("postgres://me:pw@db/x"); // "postgres://[redacted]@db/x"
 */
export function scrubText(text: string): string {
  // Of half a secret no rule knows what it is: what is cut is cut after the rules, from twice that.
  let result = text.length > 2 * MOST_TEXT ? text.slice(0, 2 * MOST_TEXT) : text;
  for (const [what, by] of rules) result = result.replace(what, by);
  return result.length > MOST_TEXT ? `${result.slice(0, MOST_TEXT - 1)}…` : result;
}

/** SQLSTATE class 22: the message quotes the value that the database did not take. */
const QUOTES_VALUES = /^22[0-9A-Z]{3}$/;

/** An error as plain facts. */
function errorFacts(error: Error, depth: number): LogFields {
  const { code } = error as { code?: unknown };
  const isQuoting = typeof code === "string" && QUOTES_VALUES.test(code);
  const message = isQuoting ? "the database did not take a value" : scrubText(error.message);
  // The first lines of a stack repeat the message; what remains are places.
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  const { cause } = error;
  return {
    type: error.name,
    message,
    ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
    stack: scrubText([`${error.name}: ${message}`, ...frames.slice(0, MOST_FRAMES)].join("\n")),
    ...(cause instanceof Error ? { cause: scrubbed(cause, depth + 1) } : {}),
  };
}

function scrubbed(value: unknown, depth: number): unknown {
  if (typeof value === "string") return scrubText(value);
  if (typeof value !== "object" || value === null) {
    return typeof value === "bigint" || typeof value === "function" || typeof value === "symbol"
      ? String(value).slice(0, 100)
      : value;
  }
  if (depth > MOST_DEPTH) return "[deeper]";
  if (value instanceof Error) return errorFacts(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value))
    return value.slice(0, MOST_ITEMS).map((one) => scrubbed(one, depth + 1));
  return scrubbedFields(value as LogFields, depth);
}

function scrubbedFields(fields: LogFields, depth: number): LogFields {
  const result: { [name: string]: unknown } = {};
  for (const [name, value] of Object.entries(fields).slice(0, MOST_ITEMS)) {
    const isSecret = SECRET_NAME.test(name) && value !== null && value !== undefined;
    result[scrubText(name)] = isSecret ? REDACTED : scrubbed(value, depth + 1);
  }
  return result;
}

/** Fields of a log line, fit to be written. */
export function scrubFields(fields: LogFields): LogFields {
  return scrubbedFields(fields, 0);
}

const scrubbing = new WeakSet<Logger>();

/** Marks a logger that scrubs by itself, after it has found out that a line is wanted. */
export function scrubsItself(logger: Logger): Logger {
  scrubbing.add(logger);
  return logger;
}

/** The logger, with everything scrubbed before it gets there. */
export function safeLogger(logger: Logger): Logger {
  if (scrubbing.has(logger)) return logger;
  const line =
    (level: "debug" | "info" | "warn" | "error"): LogLine =>
    (fields, message) => {
      if (level === "debug" && logger.debugging === false) return;
      logger[level](scrubFields(fields), scrubText(message));
    };
  return scrubsItself({
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
    ...(logger.debugging === undefined ? {} : { debugging: logger.debugging }),
  });
}
