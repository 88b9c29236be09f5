// Named shapes: a JSON schema bound to its wire type, with the name it has in the OpenAPI document.
// Promises: a schema that says something else than the wire type of `@signalbox/sdk` does not
// compile, in either direction, so client, server and document cannot drift apart.
// Leaves to others: the schemas (beside this file), checking values (`check.ts`).

import { Type } from "../typebox.ts";
import type { Static, TSchema } from "../typebox.ts";

/** `S` if it describes exactly `Wire`, else a type that nothing can be assigned to. */
type Exactly<Wire, S extends TSchema> = [Wire] extends [Static<S>]
  ? [Static<S>] extends [Wire]
    ? S
    : { "the schema allows what the wire type does not": never }
  : { "the wire type allows what the schema does not": never };

/**
 * Gives a schema its name and proves it against its wire type.
 *
 * @example
 * const fence = named<wire.Fence>()("Fence", Type.Object({ … }));
 */
export function named<Wire>() {
  return <S extends TSchema>(title: string, schema: S & Exactly<Wire, S>): S =>
    Object.assign(schema, { title });
}

/** `schema` or null. A plain type becomes `["string", "null"]`, which is cheap to check. */
export function nullable<S extends TSchema>(schema: S): Nullable<S> {
  const { type } = schema as { type?: unknown };
  const plain = type === "string" || type === "integer" || type === "boolean";
  const withNull = plain ? nullableScalar(schema) : { anyOf: [schema, { type: "null" }] };
  return Type.Unsafe<Static<S> | null>(withNull);
}

type Nullable<S extends TSchema> = ReturnType<typeof Type.Unsafe<Static<S> | null>>;

function nullableScalar(schema: TSchema & { type?: unknown; enum?: unknown[] }): object {
  const choice = schema.enum === undefined ? {} : { enum: [...schema.enum, null] };
  return { ...schema, ...choice, type: [schema.type, "null"] };
}

/** One of a list of words. */
export function oneOf<const Words extends readonly string[]>(words: Words, description?: string) {
  const schema = { type: "string", enum: [...words] };
  return Type.Unsafe<Words[number]>(
    description === undefined ? schema : { ...schema, description },
  );
}
