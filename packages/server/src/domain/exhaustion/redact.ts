// Excerpts: the end of what a provider said, fit to be stored and shown: no terminal codes, no
// secrets.
// Promises: at most 500 characters, storable; linear, since at most 12 KiB are looked at; what
// looks like a secret is replaced, rather once too often than once too little.
// Leaves to others: what the text means (`domain/limit-notice`).

import { toStorable } from "../../std/text.ts";
import { plainText } from "../limit-notice/plain-text.ts";

const MOST_CHARACTERS = 500;
const MOST_READ = 12 * 1024;
/** What stands where a secret stood. */
export const REDACTED = "[redacted]";

/** Names that announce a secret: `OPENAI_API_KEY`, `"password"`, `x-api-key`, `client_secret`. */
const NAMES =
  "(?<![A-Za-z0-9])(?:pass|pwd|sig)|pass(?:word|wd|phrase|code)|secret|token|credentials?|" +
  "authorization|signature|session[-_. ]?id|" +
  "(?:api|access|secret|private|auth|signing|encryption|account)[-_. ]?key";

type Rule = readonly [what: RegExp, by: string | ((found: string) => string)];

/** In this order. What repeats without a bound is followed by nothing, so none goes back. */
const rules: readonly Rule[] = [
  [
    /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g,
    REDACTED,
  ],
  // User and password of an address; also a password with an unescaped slash.
  [/:\/\/[^\s/]{1,400}@/g, `://${REDACTED}@`],
  [/:\/\/[^\s:/@]{1,200}:[^\s@]{1,200}@/g, `://${REDACTED}@`],
  [/(\bcookie["'`]?\s{0,2}[:=]\s{0,2})[^\n]+/gi, `$1${REDACTED}`],
  [
    new RegExp(
      String.raw`((?:${NAMES})["'\x60*]{0,3}\s{0,3}(?::|=>?)\s{0,3})` +
        String.raw`(?!["'\x60]?\[redacted\])(?:(?:basic|bearer|digest|token|apikey)\s{1,3})?` +
        String.raw`(?:"[^"\n]+"?|'[^'\n]+'?|[^\s"',;&}\]]+)`,
      "gi",
    ),
    `$1${REDACTED}`,
  ],
  [/\b(bearer)\s{1,4}[\w.~+/=-]{6,}/gi, `$1 ${REDACTED}`],
  // Keys that say what they are.
  [
    new RegExp(
      String.raw`(?<![A-Za-z0-9])(?:(?:(?:sk|rk|pk)[-_]|gsk_|xai-|glpat-|gh[opsur]_|github_pat_|` +
        String.raw`xox[a-z]-|sb[xacls]_|ya29\.)[\w.-]{3,}|(?:hf|npm|whsec|pplx|nvapi|tvly|r8)[-_]` +
        String.raw`[A-Za-z0-9]{12,}|(?:AKIA|ASIA)[0-9A-Z]{8,}|AIza[\w-]{8,})`,
      "g",
    ),
    REDACTED,
  ],
  [/(?<![\w-])eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?/g, REDACTED],
  [/(?<![\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)+/g, REDACTED],
  [/[\w+/=-]{32,}/g, (found) => (isWords(found) ? found : REDACTED)],
];

/** `rate-limits/for-your-organization` is long and no secret, nor is a line of dashes. */
function isWords(run: string): boolean {
  return run.split(/[/_+=-]+/).every((piece) => /^(?:[A-Z]?[a-z]{1,15}|\d{1,8}|)$/.test(piece));
}

/**
 * The last 500 characters of a message, plain and without secrets.
 *
 * @example
 * excerptOf("\u001b[31m429\u001b[0m for sk-ant-api03-abc"); // "429 for [redacted]"
 */
export function excerptOf(message: string): string {
  let text = plainText(endOf(message)).raw;
  for (const [what, by] of rules) text = text.replace(what, by as string);
  const cut = text.length <= MOST_CHARACTERS ? text : `…${text.slice(1 - MOST_CHARACTERS)}`;
  return toStorable(cut).value;
}

/** The end that is looked at. It begins with a whole word: of half a secret no rule knows it. */
function endOf(message: string): string {
  if (message.length <= MOST_READ) return message;
  const end = message.slice(-MOST_READ);
  const blank = end.search(/\s/);
  return blank < 0 ? end : end.slice(blank);
}
