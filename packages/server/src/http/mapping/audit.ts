// Questions to the audit trail, as the engine takes them.
// Promises: an instant that does not exist is refused by its name.
// Leaves to others: reading (engine).

import type { AuditFilter } from "../../engine/contract.ts";
import { refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { noInstant, toInstant } from "./instant.ts";

type Sent = {
  readonly actor?: string;
  readonly type?: string;
  readonly from?: string;
  readonly to?: string;
};

export function toAuditFilter({ actor, type, from, to }: Sent): AuditFilter | Refusal {
  const range: { from?: number; to?: number } = {};
  for (const [name, text] of Object.entries({ from, to })) {
    if (text === undefined) continue;
    const at = toInstant(text);
    if (at === null) return refuseField(name, noInstant);
    range[name as "from" | "to"] = at;
  }
  return {
    ...range,
    ...(actor === undefined ? {} : { actor }),
    ...(type === undefined ? {} : { type }),
  };
}
