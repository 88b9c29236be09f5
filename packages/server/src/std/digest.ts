// Digests: SHA-256 of text, and the one text that equal JSON values share.
// Promises: `canonicalJson` gives the same text for the same value whatever the order of its keys
// (sorted by UTF-16 code unit, numbers and strings as JSON.stringify writes them: RFC 8785).
// Leaves to others: bounding the depth (64 at the edge; it recurses), salting, comparing secrets.

import { hash } from "node:crypto";

/** SHA-256 of the UTF-8 bytes of `text`, as 64 lower-case hexadecimal digits. */
export function sha256Hex(text: string): string {
  return hash("sha256", text, "hex");
}

/**
 * JSON text without blanks and with sorted keys. Members that are undefined are left out, as
 * JSON.stringify does; `-0` is `0`. For JSON values only: a cycle overflows the stack.
 *
 * @example
 * canonicalJson({ b: [1, -0], a: "x" }); // {"a":"x","b":[1,0]}
 */
export function canonicalJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members: string[] = [];
  for (const [key, member] of Object.entries(value).toSorted(byKey)) {
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`);
  }
  return `{${members.join(",")}}`;
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1; // keys of one object are never equal
}
