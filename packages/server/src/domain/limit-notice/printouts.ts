// Fields as other languages print them, rewritten as `name: value`: durations in parts, Rust's
// `Some(…)`, maps of Go, elements of XML.
// Promises: linear; what is no such printout stays as it is.
// Leaves to others: which fields count (fields.ts).

import { anyOf } from "./alternatives.ts";

/** `Duration { secs: 30, nanos: 0 }`, `{"seconds": 33, "nanos": 5}`, `retry_delay { … }`. */
const IN_PARTS = anyOf("g", [
  String.raw`[:=]? ?(?:some\()?(?:duration ?)?\{\s?["']?sec(?:ond)?s["']? ?: ?["']?(\d{1,9})["']?` +
    String.raw`(?:,?\s?["']?nano(?:second)?s["']? ?: ?(\d{1,9}))?\s?\}\)?`,
]);
const SOME = /\bsome\((?:["']?)([\w.:+-]{1,40})["']?\)/g;
/** `map[Retry-After:[25]]`, of Go; `"retry-after": ["25"]`, as headers are kept elsewhere. */
const IN_LIST = /([a-z][\w-]{1,40})["']?: ?\[["']?([\w .:,+-]{1,40})["']?\]/g;
const ELEMENT = /<([a-z][\w-]{2,40})>([^<>\n]{1,64})<\/\1>/g;

/**
 * The text with its printouts rewritten.
 *
 * @example
 * plainPrintouts("retry_after: some(12s)"); // "retry_after: 12s"
 */
export function plainPrintouts(text: string): string {
  return text
    .replace(IN_PARTS, (_, seconds: string, nanos: string | undefined) => {
      return `: ${Number(seconds) + Number(nanos ?? 0) / 1e9}s `;
    })
    .replace(SOME, "$1")
    .replace(IN_LIST, "\n$1: $2\n")
    .replace(ELEMENT, "\n$1: $2\n");
}
