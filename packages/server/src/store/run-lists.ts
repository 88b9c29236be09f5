// The list of runs: by whatever filter, newest first, a page at a time; and how many are in which
// state.
// Promises: each filter has a way of its own, an index that leads to its runs in the order of the
// page, so that a page reads about as many rows as it shows; of several ways the one with the
// fewest runs is taken, found by counting each up to 10,000. Where filters that are each common
// meet seldom, a page looks at 30,000 runs and says how far it came. Counts stop at a bound.
// Leaves to others: what a filter means (`filtered`), the wire shape (engine/queries/views.ts).

import type { RunState } from "../domain/machine.ts";
import type { Runner, Statement } from "./db.ts";
import { statement } from "./db.ts";
import { filtered, filterValues, viewColumns } from "./run-queries.ts";
import type { ListFilter, RunView } from "./run-queries.ts";

/**
 * How these statements are planned: with the values in view, and by index in the order of the page.
 * Statistics of a table that has grown since they were taken would make the planner read it whole.
 */
export const listSettings: Readonly<Record<string, string>> = {
  plan_cache_mode: "force_custom_plan",
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  enable_hashagg: "off",
  jit: "off",
};

const settle = statement(
  "list_settings",
  "select set_config(s.key, s.value, true) from jsonb_each_text($1::jsonb) s",
);

/** A filter, and what names its runs in the order of the page. */
type Way = {
  readonly asked: (filter: ListFilter) => boolean;
  /** How many there are, up to `MOST_COMPARED`. */
  readonly count: Statement;
  readonly list: Statement;
  /** The oldest of those that `list` looks at, where it does not come to the end. */
  readonly reach: Statement;
  /** It has to be sorted: taken only where it is short. */
  readonly isUnordered: boolean;
};

const ofSpec = (condition: string): string =>
  `select q.run_id as id from signalbox.run_spec q
     where q.project_id = $1 and q.run_id < $2::uuid and ${condition}`;
const ofAttempt = (condition: string): string =>
  `select distinct a.run_id as id from signalbox.attempt a
     where a.project_id = $1 and a.run_id < $2::uuid and ${condition}`;
const ofRun = (condition: string): string =>
  `select o.id from signalbox.run o
     where o.project_id = $1 and o.id < $2::uuid and ${condition}`;

/** Beyond this a way is long; runs of long ways are looked at only until the page is full. */
const MOST_COMPARED = 10_000;
/** Runs that one page looks at: some 100 ms of reading. */
const MOST_LOOKED_AT = 30_000;

/**
 * `ids`: scans that each come in order and name a run once; several may name the same. Each has a
 * limit of its own, by which the planner sees that a part of it is enough.
 */
function way(name: string, asked: Way["asked"], ids: readonly string[], isUnordered = false): Way {
  const each = ids.map((one) => `(${one} order by id desc limit ${MOST_LOOKED_AT})`);
  const all = each.join("\n   union all ");
  const looked = `(select distinct x.id from (${all}) x, ${everyParameter}
       order by x.id desc limit ${MOST_LOOKED_AT})`;
  return {
    asked,
    isUnordered,
    count: statement(
      `count_runs_by_${name}`,
      `select count(*)::integer as n from (select from (${all}) x, ${everyParameter}
       limit ${MOST_COMPARED}) y`,
    ),
    list: statement(
      `list_runs_by_${name}`,
      `select ${viewColumns} from ${looked} i
       join signalbox.run_spec s on s.run_id = i.id join signalbox.run r on r.id = i.id
       where ${filtered} order by i.id desc limit $18`,
    ),
    reach: statement(
      `reach_of_runs_by_${name}`,
      `select i.id from ${looked} i order by i.id desc offset ${MOST_LOOKED_AT - 1}`,
    ),
  };
}

/** Gives each parameter of the filter its type, whichever of them a way uses. */
const everyParameter = `(values ($3::text[], $4::text, $5::text, $6::text, $7::text, $8::text,
       $9::text, $10::uuid, $11::timestamptz, $12::timestamptz, $13::timestamptz,
       $14::timestamptz, $15::uuid, $16::uuid, $17::jsonb)) p`;

const scoped = (scope: string): Way =>
  way(scope, ({ scopes }) => typeof scopes[scope] === "string", [
    ofSpec(`q.${scope} = $17::jsonb ->> '${scope}'`),
  ]);

/** In this order where several are long. Each state is an index of its own. */
const ways: readonly Way[] = [
  way("parent", ({ parentRun }) => parentRun !== null, [ofSpec("q.parent_run = $10")]),
  ...["conversation_id", "thread_id", "workspace_id", "bot_id", "binding_id", "event_id"].map(
    scoped,
  ),
  way("error", ({ errorCode }) => errorCode !== null, [ofRun("o.error_code = $9")]),
  way("tag", ({ tag }) => tag !== null, [
    `select g.run_id as id from signalbox.run_tag g
     where g.project_id = $1 and g.run_id < $2::uuid and g.tag = $8`,
  ]),
  way("agent", ({ agent }) => agent !== null, [ofAttempt("a.agent = $6"), ofSpec("q.agent = $6")]),
  way("runtime", ({ runtime }) => runtime !== null, [
    ofAttempt("a.runtime = $7 and a.runtime <> ''"),
    ofSpec("q.runtime = $7"),
  ]),
  way("state", ({ states }) => states !== null, [
    ...["pending", "completed", "failed", "cancelled", "timeout"].map((state) =>
      ofRun(`o.state = '${state}' and '${state}' = any ($3::text[])`),
    ),
    ofRun("o.lease_expires_at is not null and o.state <> 'pending' and o.state::text = any ($3)"),
    `select o.id from signalbox.approval p join signalbox.run o on o.id = p.run_id
     where p.project_id = $1 and p.status = 'pending' and o.lease_expires_at is null
       and o.id < $2::uuid and o.state = 'waiting_approval' and 'waiting_approval' = any ($3)`,
  ]),
  way("runner", ({ runner }) => runner !== null && runner !== "default", [
    ofSpec("q.runner = $5 and q.runner <> 'default'"),
  ]),
  way(
    "finish",
    ({ finishedAfter: after, finishedBefore: before }) => after !== null || before !== null,
    [
      ofRun(`o.finished_at >= coalesce($13::timestamptz, '-infinity')
       and o.finished_at < coalesce($14::timestamptz, 'infinity')`),
    ],
    true,
  ),
  way("queue", ({ queue }) => queue !== null, [ofSpec("q.queue = $4 and q.queue <> ''")]),
];

/** Down the ids of the project: for no filter, a range of ids or instants, or one without a way. */
const plain = way("id", () => true, [
  ofSpec("($15::uuid is null or q.run_id >= $15) and ($16::uuid is null or q.run_id <= $16)"),
]);

export type Listed = {
  readonly rows: RunView[];
  /** Where the page ended before it was full though there may be more: go on before this run. */
  readonly reached: string | null;
};

/** Runs of a project, newest first, before a cursor. */
export async function listRuns(
  runner: Runner,
  projectId: string,
  filter: ListFilter,
  page: { before: string; limit: number },
): Promise<Listed> {
  const values = filterValues(projectId, filter, page.before);
  const [, { list, reach }] = await Promise.all([
    runner.query(settle, [JSON.stringify(listSettings)]),
    shortest(runner, filter, values),
  ]);
  const rows = await runner.query<RunView>(list, [...values, page.limit]);
  if (rows.length === page.limit) return { rows, reached: null };
  const [last] = await runner.query<{ id: string }>(reach, values);
  return { rows, reached: last?.id ?? null };
}

/** The way with the fewest runs; the first of several that are long. */
async function shortest(
  runner: Runner,
  filter: ListFilter,
  values: readonly unknown[],
): Promise<Way> {
  const open = ways.filter(({ asked }) => asked(filter));
  const [only = plain] = open;
  if (open.length < 2 && !only.isUnordered) return only;
  const lengths = await Promise.all(
    open.map(async ({ count }) => (await runner.query<{ n: number }>(count, values))[0]?.n ?? 0),
  );
  const least = Math.min(...lengths);
  const taken = open.find(({ isUnordered }, n) =>
    least < MOST_COMPARED ? lengths[n] === least : !isUnordered,
  );
  return taken ?? plain;
}

const inState = (state: RunState): string =>
  `select '${state}' as state, count(*)::integer as n from (select from signalbox.run o
     where o.project_id = $1 and o.state = '${state}' limit $2) x`;

const counts = statement(
  "count_states",
  `${(["pending", "completed", "failed", "cancelled", "timeout"] as const)
    .map(inState)
    .join("\n   union all ")}
   union all select x.state::text, count(*)::integer from (
     (select o.state from signalbox.run o where o.project_id = $1
        and o.lease_expires_at is not null and o.state <> 'pending' limit $2)
     union all (select o.state from signalbox.approval p join signalbox.run o on o.id = p.run_id
       where p.project_id = $1 and p.status = 'pending' and o.lease_expires_at is null
         and o.state = 'waiting_approval' limit $2)) x group by x.state`,
);

/** How many runs are in which state, each counted up to `most`; states of none may be missing. */
export async function countStates(
  runner: Runner,
  projectId: string,
  most: number,
): Promise<{ state: RunState; n: number }[]> {
  const [, rows] = await Promise.all([
    runner.query(settle, [JSON.stringify(listSettings)]),
    runner.query<{ state: RunState; n: number }>(counts, [projectId, most]),
  ]);
  return rows;
}
