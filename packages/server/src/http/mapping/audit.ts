// Questions to the audit trail, as the engine takes them.
// Promises: an instant that does not exist and a text that is no id are refused by their names.
// Leaves to others: reading (engine).

import type { AuditFilter } from "../../engine/contract.ts";
import { refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { fromWireId } from "./ids.ts";
import { noInstant, toInstant } from "./instant.ts";

type Sent = {
  readonly actor?: string;
  readonly type?: string;
  readonly from?: string;
  readonly to?: string;
  readonly run?: string;
};

export function toAuditFilter({ actor, type, from, to, run }: Sent): AuditFilter | Refusal {
  const runId = run === undefined ? undefined : fromWireId("run", run);
  if (runId === null) return refuseField("run", "is not a run id (run_…)");
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
    ...(runId === undefined ? {} : { run: runId }),
  };
}
