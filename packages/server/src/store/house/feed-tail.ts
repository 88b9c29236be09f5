// The end of the feeds, as one process follows them: of many projects in one statement.
// Promises: reads only, as `house`; each project's events come in order of `feed`, at most a page
// of each, so a project that floods takes nothing from another.
// Leaves to others: who hears them (engine/services/tail.ts), reading far back (events.ts).

import type { Runner } from "../db.ts";
import { statement } from "../db.ts";
import type { FeedEvent } from "../events.ts";
import { eventAgent, eventAgentJoins, eventColumns } from "../events.ts";

const heads = statement(
  "feed_heads",
  `select f.project_id, f.n from signalbox.feed_counter f where f.project_id = any ($1::uuid[])`,
);

/** The newest number of each feed. */
export async function feedHeads(
  runner: Runner,
  projects: readonly string[],
): Promise<Map<string, number>> {
  const rows = await runner.query<{ project_id: string; n: number }>(heads, [projects]);
  return new Map(rows.map((row) => [row.project_id, row.n]));
}

const tail = statement(
  "feed_tail",
  `select e.project_id, ${eventColumns}, ${eventAgent} as of_agent
   from unnest($1::uuid[], $2::bigint[]) as c(project_id, after)
   cross join lateral (select e.project_id, ${eventColumns} from signalbox.event e
     where e.project_id = c.project_id and e.feed > c.after order by e.feed limit $3) e
   ${eventAgentJoins}
   order by e.project_id, e.feed`,
);

export type TailEvent = FeedEvent & { readonly project_id: string };

/** What came after these numbers, at most `limit` of each project. */
export async function readTail(
  runner: Runner,
  after: ReadonlyMap<string, number>,
  limit: number,
): Promise<TailEvent[]> {
  return runner.query<TailEvent>(tail, [[...after.keys()], [...after.values()], limit]);
}
