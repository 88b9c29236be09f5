// The query of a list of runtimes, as the filter the engine takes.
// Promises: a label is cut at its first colon, so values may hold more of them.
// Leaves to others: the query's shape (`schemas/filter.ts`).

import type { Static } from "../typebox.ts";
import type { RuntimeFilter } from "../../engine/contract.ts";
import { refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import type { runtimeQuery } from "../schemas/filter.ts";

export function toRuntimeFilter(query: Static<typeof runtimeQuery>): RuntimeFilter | Refusal {
  const { state, agent, label: text } = query;
  const filter: RuntimeFilter = {};
  if (state !== undefined) filter.state = state;
  if (agent !== undefined) filter.agent = agent;
  if (text === undefined) return filter;
  const colon = text.indexOf(":");
  if (colon < 1) return refuseField("label", "must be key:value");
  return { ...filter, label: [text.slice(0, colon), text.slice(colon + 1)] };
}
