// Dead letters as people read them: groups by fingerprint, the letters of one group.
// Promises: read only, every list bounded and ordered; a group is counted over the letters that the
// filter leaves, its sample is the newest of them.
// Leaves to others: the wire shape (engine/queries/dead-letters.ts).

import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

/** How letters stand: waiting, redriven into a run, or discarded. */
export type LetterStatus = "open" | "redriven" | "discarded";

export type LetterFilter = {
  readonly status: LetterStatus;
  readonly queue: string | null;
  readonly agent: string | null;
  readonly fingerprint: string | null;
};

const filtered = `l.project_id = $1
  and case $2::text when 'open' then l.closed_at is null
    when 'redriven' then l.became is not null else l.note is not null end
  and ($3::text is null or l.queue = $3) and ($4::text is null or l.agent = $4)
  and ($5::text is null or l.fingerprint = $5)`;

const valuesOf = (projectId: string, filter: LetterFilter): unknown[] => [
  projectId,
  filter.status,
  filter.queue,
  filter.agent,
  filter.fingerprint,
];

export type GroupRow = {
  fingerprint: string;
  code: string;
  pattern: string;
  n: number;
  first_at: number;
  last_at: number;
  /** `last_at` to the microsecond: part of the cursor. */
  exact: string;
  sample_run: string;
  sample_message: string | null;
  agents: string[];
  queues: string[];
};

const groups = statement(
  "dead_letter_groups",
  // The counts first, names and samples only for the groups of this page.
  `select g.fingerprint, s.code, s.pattern, g.n, g.first_at, g.last_at, g.last_at::text as exact,
     s.run_id as sample_run, m.message as sample_message, w.agents, w.queues
   from (select l.fingerprint, count(*)::integer as n, min(l.at) as first_at, max(l.at) as last_at
     from signalbox.dead_letter l where ${filtered} group by l.fingerprint
     having $6::timestamptz is null or (max(l.at), l.fingerprint) < ($6, $7::text)
     order by max(l.at) desc, l.fingerprint desc limit $8) g
   cross join lateral (select l.run_id, l.code, l.pattern from signalbox.dead_letter l
     where ${filtered} and l.fingerprint = g.fingerprint
     order by l.at desc, l.run_id desc limit 1) s
   cross join lateral (select coalesce((array_agg(distinct l.agent)
       filter (where l.agent is not null))[1:20], '{}') as agents,
     (array_agg(distinct l.queue))[1:20] as queues
     from signalbox.dead_letter l where ${filtered} and l.fingerprint = g.fingerprint) w
   left join lateral (select r.error ->> 'message' as message from signalbox.run r
     where r.id = s.run_id limit 1) m on true
   order by g.last_at desc, g.fingerprint desc`,
);

/** Groups of dead letters, the one that grew last first, after a cursor. */
export async function listLetterGroups(
  runner: Runner,
  projectId: string,
  filter: LetterFilter,
  page: { readonly after: { at: string; fingerprint: string } | null; readonly limit: number },
): Promise<GroupRow[]> {
  const { after, limit } = page;
  const values = [...valuesOf(projectId, filter), after?.at ?? null, after?.fingerprint ?? null];
  return runner.query<GroupRow>(groups, [...values, limit]);
}

export type LetterView = {
  run_id: string;
  at: number;
  fingerprint: string;
  pattern: string;
  closed_at: number | null;
  closed_by: string | null;
  note: string | null;
  became: string | null;
};

const list = statement(
  "list_letters",
  `select l.run_id, l.at, l.fingerprint, l.pattern, l.closed_at, l.closed_by, l.note, l.became
   from signalbox.dead_letter l where ${filtered} and l.run_id < $6::uuid
   order by l.run_id desc limit $7`,
);

/** Dead letters of a project, newest run first, before a cursor. */
export async function listLetters(
  runner: Runner,
  projectId: string,
  filter: LetterFilter,
  page: { readonly before: string; readonly limit: number },
): Promise<LetterView[]> {
  const { before, limit } = page;
  return runner.query<LetterView>(list, [...valuesOf(projectId, filter), before, limit]);
}
