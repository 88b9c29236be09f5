// Cleaning: what agents emit is stored whatever it holds; what cannot be kept is replaced.
// Promises: NUL becomes ␀, a lone surrogate U+FFFD, an infinite number null; keys that reach
// prototypes get a `_` behind them. Whoever calls it learns whether anything was changed.
// Leaves to others: submitters' bodies, where the same things are refused (`body.ts`).

import type { Json, JsonObject } from "@signalbox/sdk";
import { limits } from "../../domain/limits.ts";
import { toStorable, valueDepth } from "../../std/text.ts";
import { forbiddenKeys } from "../body.ts";
import type { Body } from "../body.ts";

/** What the mapping of an emitted value needs to know about the body it came in. */
export type Looks = Pick<Body, "bytes" | "suspicious" | "deep">;

/** The value as it can be stored, and whether that is something else than what was sent. */
export function clean<T>(value: T, looks: Looks): { value: T; sanitized: boolean } {
  if (!looks.suspicious) return { value, sanitized: false };
  const storable = toStorable(value);
  return { value: storable.value, sanitized: tame(storable.value) || storable.sanitized };
}

/** Renames forbidden keys and empties infinite numbers in place: the tree is our own parse. */
function tame(root: unknown): boolean {
  let changed = false;
  const open: unknown[] = [root];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node !== "object" || node === null) continue;
    const object = node as { [key: string]: unknown };
    for (const [name, value] of Object.entries(object)) {
      if (forbiddenKeys.has(name)) {
        delete object[name];
        object[`${name}_`] = value;
        changed = true;
      }
      if (typeof value === "number" && !Number.isFinite(value)) {
        object[name] = null;
        changed = true;
      } else open.push(value);
    }
  }
  return changed;
}

/** Bytes of the JSON text of a value, or 0 if the body shows that it cannot be above `limit`. */
export function bytesAbove(value: unknown, limit: number, looks: Looks): number {
  if (looks.bytes <= limit) return 0;
  const bytes = Buffer.byteLength(JSON.stringify(value) ?? "");
  return bytes > limit ? bytes : 0;
}

export function isTooDeep(value: unknown, looks: Looks): boolean {
  return looks.deep && typeof value === "object" && !valueDepth(value, limits.jsonDepth);
}

/**
 * What is kept of an emitted value: itself, or a note of what it was. A result that is too large
 * must not hide that the work was done.
 */
export function keptJson(value: Json, name: string, limit: number, looks: Looks): Json {
  if (isTooDeep(value, looks)) return { truncated: { [name]: "too deep" } } satisfies JsonObject;
  const bytes = bytesAbove(value, limit, looks);
  return bytes === 0 ? value : ({ truncated: { [name]: bytes } } satisfies JsonObject);
}
