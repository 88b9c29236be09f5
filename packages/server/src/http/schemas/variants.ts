// Variants of a schema: with its items unchecked, and with nothing allowed besides.
// Promises: made once per schema; the original is never changed.
// Leaves to others: which routes need which (`register.ts`).

import type { TSchema } from "../typebox.ts";

type Node = { readonly [keyword: string]: unknown };

const envelopes = new WeakMap<TSchema, TSchema>();
const closedCopies = new WeakMap<TSchema, TSchema>();

/** The same body with any values in `items`: they are checked one by one, later. */
export function envelopeOf(body: TSchema): TSchema {
  return remember(envelopes, body, () => {
    const { properties } = body as { properties?: { items?: Node } };
    return { ...body, properties: { items: { ...properties?.items, items: {} } } };
  });
}

/** The same shape where every object refuses fields that are not listed. */
export function closedCopy(schema: TSchema): TSchema {
  return remember(closedCopies, schema, () => close(schema) as TSchema);
}

function remember(
  memory: WeakMap<TSchema, TSchema>,
  schema: TSchema,
  make: () => TSchema,
): TSchema {
  const known = memory.get(schema) ?? make();
  memory.set(schema, known);
  return known;
}

function close(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(close);
  if (typeof value !== "object" || value === null) return value;
  const copy: { [keyword: string]: unknown } = {};
  for (const [keyword, inner] of Object.entries(value)) copy[keyword] = close(inner);
  const isShape = copy["type"] === "object" && "properties" in copy;
  if (isShape && !("additionalProperties" in copy)) copy["additionalProperties"] = false;
  return copy;
}
