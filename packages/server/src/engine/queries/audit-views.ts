// Entries of the audit trail as the wire has them.
// Promises: who, when, what, to what and why, each from one row.
// Leaves to others: reading the rows (store).

import type * as wire from "@signalbox/sdk";
import { eventId } from "../../domain/event-id.ts";
import { toTypeId } from "../../std/ids.ts";
import type { AuditFilter as StoreFilter, AuditRow } from "../../store/audit.ts";
import { iso } from "../../store/run-rows.ts";
import type { AuditFilter } from "../contract.ts";
import { streamPrefix } from "./views.ts";

export function rangeOf(filter: AuditFilter): StoreFilter {
  const { actor = null, type = null, from = null, to = null, run = null } = filter;
  return { actor, type, from, to, run };
}

export type Data = { readonly [name: string]: wire.Json };

/** Why, if the event says so. */
export function reasonOf({ reason }: Data): string | null {
  return typeof reason === "string" ? reason : null;
}

/** An event of a project, as somebody's deed. */
export function entryOf(row: AuditRow): wire.AuditEntry {
  const data: Data = row.data ?? {};
  const { stream } = row;
  return {
    id: toTypeId("evt", eventId(row.stream_id, row.seq)),
    at: iso(row.at),
    type: row.type,
    actor: row.actor ?? "house",
    actor_name: row.key_name,
    request_id: row.request_id,
    target: { stream, id: toTypeId(streamPrefix[stream] ?? stream, row.stream_id) },
    reason: reasonOf(data),
    data: { ...data },
    feed: String(row.feed),
  };
}
