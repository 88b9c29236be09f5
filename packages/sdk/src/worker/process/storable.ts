// Makes what a child wrote storable: no byte sequence may keep an outcome from being recorded.
// Promises: NUL becomes U+2400 and a lone surrogate U+FFFD, in values and in keys; JSON nested
// deeper than 64 and JSON that is too large become the text they were written as, cut to the limit.
// `parseStorable` says what was changed. It never throws.
// Leaves to others: the limits of the server, which are the same and are checked again there.

import type { Json } from "../../wire.ts";

/** JSON nested deeper than this is not stored as JSON. */
const DEPTH_LIMIT = 64;
/** Largest output of a run, in bytes of its JSON. */
export const OUTPUT_LIMIT: number = 1024 * 1024;
/** Largest data of an event, in bytes of its JSON. */
export const EVENT_DATA_LIMIT: number = 60 * 1024;

// Under the flag `u` a pair is one character, so only lone halves match.
const LONE_SURROGATE = /\p{Surrogate}/gu;
// Control characters that JSON writes as two characters (\b \t \n \f \r); the others take six.
const SHORT_ESCAPES: ReadonlySet<number> = new Set([8, 9, 10, 12, 13]);

export type Alteration = "sanitized" | "too_deep" | "cut";

/** A value that can be stored, and what had to be changed for it. */
export type Storable = { value: Json; altered: Alteration[] };

/**
 * Parses text as JSON and makes it storable within `limit` bytes; text that is not JSON is stored
 * as a string. `bytes` is the length of the original where only its beginning was read.
 */
export function parseStorable(text: string, limit: number, bytes?: number): Storable {
  const altered = new Set<Alteration>();
  const whole = bytes === undefined || bytes <= Buffer.byteLength(text);
  let value: Json = text;
  if (whole && depthOf(text) > DEPTH_LIMIT) altered.add("too_deep");
  else if (whole) value = parseOrText(text);
  if (typeof value !== "string" && jsonBytes(value) > limit) value = text;
  const clean = cleaned(value, altered);
  if (typeof clean !== "string") return { value: clean, altered: [...altered] };
  const fitted = fitText(clean, limit);
  if (!whole || fitted.length < clean.length) altered.add("cut");
  return { value: fitted, altered: [...altered] };
}

/** Bytes of the value as JSON. */
export function jsonBytes(value: Json): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** Longest beginning of the text that takes at most `limit` bytes as a JSON string. */
export function fitText(text: string, limit: number): string {
  // Worst case is 6 bytes for one UTF-16 unit (`\u001b`), plus the two quotes.
  if (text.length * 6 + 2 <= limit) return text;
  let bytes = 2;
  for (let index = 0; index < text.length;) {
    const point = text.codePointAt(index) ?? 0;
    bytes += encodedBytes(point);
    if (bytes > limit) return text.slice(0, index);
    index += point > 0xffff ? 2 : 1;
  }
  return text;
}

/** Nesting depth of JSON text, without parsing it: a parser may overflow where this does not. */
export function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (inString) {
      if (code === 92) index += 1;
      else if (code === 34) inString = false;
    } else if (code === 34) inString = true;
    else if (code === 91 || code === 123) deepest = Math.max(deepest, (depth += 1));
    else if (code === 93 || code === 125) depth -= 1;
  }
  return deepest;
}

/** Replaces NUL and lone surrogates in a text. */
export function cleanText(text: string): string {
  const formed = text.replace(LONE_SURROGATE, "\ufffd");
  return formed.includes("\0") ? formed.replaceAll("\0", "\u2400") : formed;
}

function cleaned(value: Json, altered: Set<Alteration>): Json {
  if (typeof value === "string") {
    const text = cleanText(value);
    if (text !== value) altered.add("sanitized");
    return text;
  }
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => cleaned(item, altered));
  // fromEntries defines fields; assigning would let a key `__proto__` change the object instead.
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const name = cleanText(key);
      if (name !== key) altered.add("sanitized");
      return [name, cleaned(item, altered)];
    }),
  );
}

function parseOrText(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function encodedBytes(point: number): number {
  if (point === 34 || point === 92) return 2;
  if (point < 0x20) return SHORT_ESCAPES.has(point) ? 2 : 6;
  if (point < 0x80) return 1;
  if (point < 0x800) return 2;
  if (point >= 0xd800 && point <= 0xdfff) return 6;
  return point > 0xffff ? 4 : 3;
}
