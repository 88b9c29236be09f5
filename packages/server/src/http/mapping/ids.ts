// Ids at the edge: TypeIDs on the wire, UUIDs inside.
// Promises: one table of prefixes; text that is no id of its kind is null, which a door answers
// like an id that does not exist.
// Leaves to others: encoding (`std/ids.ts`), ids in answers (the engine answers in wire form).

import { fromTypeId } from "../../std/ids.ts";

const prefixes = {
  run: "run",
  attempt: "att",
  project: "prj",
  key: "key",
  allowance: "alw",
  slot: "slt",
  session: "ses",
  approval: "apr",
  webhook: "whk",
  delivery: "dlv",
} as const;
export type IdKind = keyof typeof prefixes;

/** The UUID behind a TypeID of this kind, or null. */
export function fromWireId(kind: IdKind, text: string): string | null {
  return fromTypeId(prefixes[kind], text);
}
