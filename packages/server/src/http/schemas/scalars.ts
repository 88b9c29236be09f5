// The small shapes that all others are made of: names, instants, ids, counts, free JSON.
// Promises: every limit comes from `domain/limits.ts`; `x-says` is the sentence a caller reads when
// the value is wrong, so it says what would be right.
// Leaves to others: meaning (calendar dates that exist, instants in the past): mapping and domain.

import { Type } from "../typebox.ts";
import type { Json, JsonObject, Priority } from "@signalbox/sdk";
import { limits, priorityWords } from "../../domain/limits.ts";

/** Largest integer that survives every JSON parser. */
const MAX_INTEGER = Number.MAX_SAFE_INTEGER;

/** Whole text between blanks: no control character, no blank at either end. */
const PRINTABLE = "^(?!\\s)[^\\p{Cc}]+(?<!\\s)$";

/** Name of a queue, runner, agent, runtime, tag, capability, model, account, key or project. */
export function name(description: string) {
  return Type.String({
    minLength: 1,
    maxLength: limits.nameLength,
    pattern: PRINTABLE,
    description,
    "x-says":
      `must be 1 to ${limits.nameLength} characters without control characters ` +
      "and without blanks at either end",
  });
}

/** An idempotency or concurrency key. */
export function key(description: string) {
  return Type.String({
    minLength: 1,
    maxLength: limits.keyLength,
    pattern: PRINTABLE,
    description,
    "x-says":
      `must be 1 to ${limits.keyLength} characters without control characters ` +
      "and without blanks at either end",
  });
}

/** Text for people; may be empty. */
export function text(maxLength: number, description: string) {
  return Type.String({ maxLength, description });
}

/** Why somebody did something; must not be blank. */
export function reason() {
  return Type.String({
    minLength: 1,
    maxLength: limits.reasonLength,
    pattern: "\\S",
    description: "Why, in words. Recorded with the event.",
    "x-says": `must be a sentence of 1 to ${limits.reasonLength} characters`,
  });
}

export function instant(description: string) {
  return Type.String({
    format: "date-time",
    maxLength: 40,
    description,
    "x-says": "must be an instant such as 2026-01-31T08:00:00.000Z (ISO 8601 with a time zone)",
  });
}

/** A TypeID. Its exact form is checked where it is decoded: what does not exist is `not_found`. */
export function id(prefix: string, description: string) {
  return Type.String({
    maxLength: 100,
    description: `${description} (\`${prefix}_…\`).`,
    "x-says": `must be an id that begins with ${prefix}_`,
  });
}

export function count(minimum: number, maximum: number, description: string) {
  return Type.Integer({
    minimum,
    maximum,
    description,
    "x-says": `must be a whole number from ${minimum} to ${maximum}`,
  });
}

/** A whole number ≥ 0 without another bound than exactness. */
export function amount(description: string) {
  return count(0, MAX_INTEGER, description);
}

/** A big integer as decimal digits (`seq`, `feed`). */
export function bigInteger(description: string) {
  return Type.String({
    pattern: "^\\d{1,15}$",
    description,
    "x-says": "must be a whole number ≥ 0 as decimal digits",
  });
}

export const priority = Type.Unsafe<Priority>({
  anyOf: [
    { type: "integer", minimum: 0, maximum: 99 },
    { type: "string", enum: Object.keys(priorityWords) },
  ],
  description: "0–99, or critical (80), high (60), medium (40), low (20). Default medium.",
  "x-says": "must be a whole number from 0 to 99, or one of critical, high, medium, low",
});

/** Any JSON value. Depth and bytes are checked by the mapping. */
export function json(description: string) {
  return Type.Unsafe<Json>({ description });
}

export function jsonObject(description: string) {
  return Type.Unsafe<JsonObject>({
    type: "object",
    additionalProperties: true,
    description,
    "x-says": "must be a JSON object",
  });
}

/** Free words about a thing, for people and filters. */
export function labels() {
  return Type.Record(Type.String(), text(1000, "A label."), { maxProperties: 64 });
}

/** An object of input: a field that is not listed here is refused by name. */
export const closed = { additionalProperties: false } as const;
