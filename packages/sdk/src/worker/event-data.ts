// Event data, made to fit: what an event may carry is bounded, so the sender cuts fields.
// Promises: the result is at most 61,440 bytes of JSON; the largest fields are cut first; each cut
// is marked as `truncated: {field: bytes it had}`; no surrogate pair is cut in two.
// Leaves to others: NUL and lone surrogates (replaced by the server), limits on logs as a whole.

import type { Json, JsonObject } from "../wire.ts";

/** Largest JSON of one event's data. */
export const EVENT_DATA_BYTES = 60 * 1024;

/** The data itself when it fits, else a copy with its largest fields cut. */
export function fitEventData(data: JsonObject, maxBytes = EVENT_DATA_BYTES): JsonObject {
  if (jsonBytes(data) <= maxBytes) return data;
  const truncated: { [field: string]: Json } = {};
  const fitted: JsonObject = { ...data };
  const bySize = Object.entries(data)
    .map(([field, value]) => ({ field, value, bytes: jsonBytes(value) }))
    .toSorted((a, b) => b.bytes - a.bytes);
  for (const { field, value, bytes } of bySize) {
    const size = jsonBytes({ ...fitted, truncated: { ...truncated, [field]: bytes } });
    if (size <= maxBytes && Object.keys(truncated).length > 0) break;
    truncated[field] = bytes;
    const room = bytes - (size - maxBytes);
    fitted[field] = typeof value === "string" ? cutText(value, room) : null;
  }
  const marked = { ...fitted, truncated };
  // Thousands of fields: their names alone do not fit.
  return jsonBytes(marked) <= maxBytes ? marked : { truncated: { "*": jsonBytes(data) } };
}

/** The longest beginning of `text` whose JSON has at most `maxBytes`, found by halving. */
function cutText(text: string, maxBytes: number): string {
  if (maxBytes <= 2) return "";
  let fits = 0;
  let tooLong = Math.min(text.length, maxBytes) + 1;
  while (tooLong - fits > 1) {
    const middle = (fits + tooLong) >> 1;
    if (jsonBytes(text.slice(0, middle)) <= maxBytes) fits = middle;
    else tooLong = middle;
  }
  const last = text.charCodeAt(fits - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? fits - 1 : fits);
}

function jsonBytes(value: Json): number {
  return Buffer.byteLength(JSON.stringify(value) ?? "null");
}
