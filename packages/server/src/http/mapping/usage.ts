// The query of consumption, as the filter the engine takes.
// Promises: without instants it asks for the last 7 days, of one run for all of its time; a range
// that runs backwards is refused.
// Leaves to others: summing (engine), the query's shape (`schemas/usage.ts`).

import type { Static } from "../typebox.ts";
import type { UsageFilter } from "../../engine/contract.ts";
import { refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import type { usageQuery } from "../schemas/usage.ts";
import { fromWireId } from "./ids.ts";
import { noInstant, toInstant } from "./instant.ts";

const WEEK_MS = 7 * 86_400_000;

/** The filter; `now` is where an open range ends. */
export function toUsageFilter(
  query: Static<typeof usageQuery>,
  now: number,
): UsageFilter | Refusal {
  const to = query.to === undefined ? now : toInstant(query.to);
  if (to === null) return refuseField("to", noInstant);
  const run = query.run === undefined ? null : fromWireId("run", query.run);
  if (query.run !== undefined && run === null) return refuseField("run", "is not the id of a run");
  const first = run === null ? Math.max(0, to - WEEK_MS) : 0;
  const from = query.from === undefined ? first : toInstant(query.from);
  if (from === null) return refuseField("from", noInstant);
  if (from > to) return refuseField("from", "must not be after `to`, which is now unless given");
  const { agent, account } = query;
  return {
    from,
    to,
    ...(agent === undefined ? {} : { agent }),
    ...(account === undefined ? {} : { account }),
    ...(run === null ? {} : { run }),
  };
}
