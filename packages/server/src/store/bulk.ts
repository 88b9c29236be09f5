// Runs that an act on many is about: counted before, read in pages while it goes on.
// Promises: the filter is that of the list of runs; what the act has dealt with is not found again,
// so an act that broke off goes on where it was; counting stops at a bound.
// Leaves to others: acting (engine/commands/bulk.ts).

import type { Runner } from "./db.ts";
import { statement } from "./db.ts";
import type { ListFilter } from "./run-queries.ts";
import { filtered, filterValues } from "./run-queries.ts";

/** What the runs must be for an act: not ended nor asked to stop, or an open dead letter. */
export type Target = "live" | "letters";

/** Which runs: by filter, or by name; `fingerprint` asks for one group of dead letters. */
export type BulkFilter = {
  readonly target: Target;
  readonly runs: readonly string[] | null;
  readonly fingerprint: string | null;
  readonly list: ListFilter;
};

const wanted = `${filtered}
     and ($18::uuid[] is null or s.run_id = any ($18))
     and case $19::text when 'live' then r.finished_at is null and r.cancel_requested_at is null
       else r.dead_lettered_at is not null and exists (select from signalbox.dead_letter l
         where l.run_id = s.run_id and l.closed_at is null
           and ($20::text is null or l.fingerprint = $20)) end`;

const from = "signalbox.run_spec s join signalbox.run r on r.id = s.run_id";

function valuesOf(projectId: string, filter: BulkFilter, before: string): unknown[] {
  const { list, runs, target, fingerprint } = filter;
  return [...filterValues(projectId, list, before), runs, target, fingerprint];
}

const count = statement(
  "count_bulk",
  `select count(*)::integer as n from (select 1 from ${from} where ${wanted} limit $21) x`,
);

/** How many runs match, at most `most`. */
export async function countBulk(
  runner: Runner,
  projectId: string,
  filter: BulkFilter,
  page: { readonly before: string; readonly most: number },
): Promise<number> {
  const values = [...valuesOf(projectId, filter, page.before), page.most];
  const rows = await runner.query<{ n: number }>(count, values);
  return rows[0]?.n ?? 0;
}

const next = statement(
  "next_bulk",
  `select s.run_id from ${from} where ${wanted} order by s.run_id desc limit $21`,
);

/** The next runs of an act, newest first, before a cursor. */
export async function nextBulk(
  runner: Runner,
  projectId: string,
  filter: BulkFilter,
  page: { readonly before: string; readonly limit: number },
): Promise<string[]> {
  const values = [...valuesOf(projectId, filter, page.before), page.limit];
  return (await runner.query<{ run_id: string }>(next, values)).map((row) => row.run_id);
}
