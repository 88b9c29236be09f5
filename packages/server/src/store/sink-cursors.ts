// Cursors of sinks outside: how far the feed of a project has been written there, and by whom now.
// Promises: one server writes a project's feed to a sink at a time, for as long as its lease; a
// cursor moves only under that lease.
// Leaves to others: finding who is behind (store/house/outbox.ts), writing (services/tail).

import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type SinkRef = { readonly projectId: string; readonly sink: string };

const lease = statement(
  "lease_sink_cursor",
  `insert into signalbox.sink_cursor as c (project_id, sink, cursor, leased_by, lease_until,
     seen_at)
   values ($1, $2, 0, $3, clock_timestamp() + make_interval(secs => $4::double precision / 1000),
     clock_timestamp())
   on conflict (project_id, sink) do update set leased_by = excluded.leased_by,
     lease_until = excluded.lease_until, seen_at = excluded.seen_at
   where c.leased_by = $3 or c.lease_until is null or c.lease_until < clock_timestamp()
   returning c.cursor`,
);

/** Takes or keeps the right to write; null when another server has it. A new cursor is 0. */
export async function leaseSinkCursor(
  runner: Runner,
  { projectId, sink }: SinkRef,
  { by, leaseMs }: { by: string; leaseMs: number },
): Promise<number | null> {
  const rows = await runner.query<{ cursor: number }>(lease, [projectId, sink, by, leaseMs]);
  return rows[0]?.cursor ?? null;
}

const move = statement(
  "move_sink_cursor",
  `update signalbox.sink_cursor c set cursor = $4
   where c.project_id = $1 and c.sink = $2 and c.leased_by = $3`,
);

/** Everything up to this number has been written. Without the lease nothing is changed. */
export async function moveSinkCursor(
  runner: Runner,
  { projectId, sink }: SinkRef,
  { by, cursor }: { by: string; cursor: number },
): Promise<void> {
  await runner.query(move, [projectId, sink, by, cursor]);
}

const release = statement(
  "release_sink_cursors",
  `update signalbox.sink_cursor c set leased_by = null, lease_until = null
   where c.sink = $1 and c.leased_by = $2`,
);

/** Gives all leases of this server back. */
export async function releaseSinkCursors(runner: Runner, sink: string, by: string): Promise<void> {
  await runner.query(release, [sink, by]);
}

const begin = statement(
  "begin_sink",
  `insert into signalbox.sink_cursor (project_id, sink, cursor, seen_at)
   select f.project_id, $1, f.n, clock_timestamp() from signalbox.feed_counter f
   where f.project_id = any ($2::uuid[]) on conflict do nothing`,
);

/** A sink that is new begins, in projects that exist, with the next event. */
export async function beginSink(
  runner: Runner,
  sink: string,
  projects: readonly string[],
): Promise<void> {
  await runner.query(begin, [sink, projects]);
}
