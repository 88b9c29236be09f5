// HTTP statuses that a text names: `Error code: 429`, `HTTP/2 429`, `API Error (529 …)`.
// Promises: linear; a number counts as a status only where one stands, so that sizes, lines and
// counts of 429 do not; the last one is told.
// Leaves to others: what a status means (reason.ts).

import type { PlainText } from "./plain-text.ts";

/** A status with its place in the folded text. */
export type StatusInText = { readonly status: number; readonly from: number; readonly to: number };

/** Not a size, a count or a share. */
const NUMBER =
  "(?<status>429|402|529)(?![\\d%]|: ?\\d{1,9}(?:,|\\}|$| \\w{1,8}:)|\\.\\d|" +
  " ?(?:requests?|tests?|ms|bytes|files|lines|items|rows|" +
  "times|calls|tokens|errors|seconds|minutes|passed|of|more)\\b)";

/** With a word before, or a reason phrase behind. */
const forms: readonly RegExp[] = [
  new RegExp(String.raw`\bhttp(?:\/[\d.]{1,3})?[a-z\s:=(-]{0,16}?${NUMBER}`, "g"),
  new RegExp(String.raw`(?:status|code)(?:[_-]?code)?["']? ?[:=]{0,2}>? ?["']?${NUMBER}`, "g"),
  new RegExp(
    String.raw`\b(?:status|error|failed|failure|rejected|response|returned|got|received|api)` +
      String.raw`[a-z\s"':(\\[-]{0,14}?(?<!\bexit code:? ?)${NUMBER}`,
    "g",
  ),
  new RegExp(
    `(?<![=\\w])${NUMBER}[ ):-]{1,4}(?:too many|payment required|overloaded|status code|` +
      "client error|rate|you |resource|quota|\\{|\\(no body)",
    "g",
  ),
  new RegExp(`(?:状态码|错误码|代码)[\\s:]{0,3}${NUMBER}`, "g"),
];
/** At the beginning of a text whose answer has failed anyhow. */
const LEADING = /^[^\w]{0,6}(?<status>429|402|529)\b/;

/** The last status that a text names; null when it names none. */
export function statusIn({ folded }: PlainText, outer: number | null): StatusInText | null {
  const found = forms.flatMap((form) => [...folded.matchAll(form)].slice(-1));
  if (outer !== null) {
    const leading = LEADING.exec(folded);
    if (leading !== null) found.push(leading);
  }
  const last = found.toSorted((a, b) => a.index - b.index).at(-1);
  if (last === undefined) return null;
  const status = last.groups?.["status"] ?? "";
  const to = last.index + last[0].length;
  return { status: Number(status), from: last.index + last[0].lastIndexOf(status), to };
}
