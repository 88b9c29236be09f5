// A backlog made by SQL: copies of a run that the product itself has made, a hundred thousand and
// more in seconds.
// Promises: every row that belongs to the run (spec, tags, attempts, dependencies, events) is
// copied with it under ids of its own, events get their numbers in the project's feed, and the
// guards of the tables look at each row; so the register still holds afterwards. Whatever columns a
// table has are copied: a new one needs no change here.
// Leaves to others: making the run to copy, vacuuming (embedding.ts).

import type { Register } from "./register.ts";

export type Copies = {
  count: number;
  /** Gives each copy a concurrency key of its own: this word and the copy's number. */
  key?: string;
  /** Made so much earlier than the run itself. Milliseconds; default 0. */
  earlierMs?: number;
};

/** Rows of one transaction. */
const CHUNK = 50_000;

/** What a copy has instead of the template's value: `t` is the template's row, `c` the copy. */
const replaced: Record<string, Record<string, string>> = {
  run_spec: { run_id: "c.id" },
  run_tag: { run_id: "c.id" },
  run_dependency: { run_id: "c.id" },
  attempt: { run_id: "c.id", id: "c.attempt_id" },
  run: {
    id: "c.id",
    attempt_id: "case when t.attempt_id is null then null else c.attempt_id end",
    rank: "t.rank - c.before",
    concurrency_key: "coalesce(c.key, t.concurrency_key)",
  },
  event: { stream_id: "c.id", feed: "c.feed + t.seq" },
};

/** Ids in the order of the copies, as if ten had been made every millisecond. */
const copies = (first: number, last: number): string => `
  create temporary table copy on commit drop as
  select n, $1::bigint - n as before, $2::text || n as key,
    $3::bigint + (n - ${first}) * $4 as feed,
    (stem || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid as id,
    (stem || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid as attempt_id
  from generate_series(${first}::bigint, ${last}::bigint) as n
  cross join lateral (select lpad(to_hex($5::bigint + n / 10), 12, '0') || '7') as s (stem)`;

const templateFacts = `
  select (select count(*) from signalbox.event e where e.stream_id = r.id) as events, f.n as feed,
    (extract(epoch from r.created_at) * 1000)::bigint as ms
  from signalbox.run r join signalbox.feed_counter f on f.project_id = r.project_id
  where r.id = $1 for update of f`;

const moveFeed = `
  update signalbox.feed_counter f set n = f.n + $2::bigint
  from signalbox.run r where r.id = $1 and f.project_id = r.project_id`;

const columnsOf = `
  select attname as name from pg_attribute
  where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''
  order by attnum`;

async function copyTable(register: Register, table: string, template: string): Promise<void> {
  const columns = await register.rows<{ name: string }>(columnsOf, [`signalbox.${table}`]);
  const own = replaced[table] ?? {};
  const names = columns.map(({ name }) => `"${name}"`).join(", ");
  const values = columns.map(({ name }) => own[name] ?? `t."${name}"`).join(", ");
  const [key] = Object.entries(own).find(([, value]) => value === "c.id") ?? [];
  await register.rows(
    `insert into signalbox.${table} (${names}) select ${values}
     from copy c cross join signalbox.${table} t where t.${key} = $1 order by c.n`,
    [template],
  );
}

/** Copies a run so many times, each copy ahead of the run itself. */
export async function copyRuns(
  register: Register,
  template: string,
  { count, key, earlierMs = 0 }: Copies,
): Promise<void> {
  for (let first = 1; first <= count; first += CHUNK) {
    const last = Math.min(count, first + CHUNK - 1);
    await register.rows("begin");
    const [facts] = await register.rows<{ events: string; feed: string; ms: string }>(
      templateFacts,
      [template],
    );
    if (facts === undefined) throw new Error("there is no run to copy");
    const { events, feed, ms } = facts;
    const startMs = Number(ms) - earlierMs - Math.ceil(count / 10);
    await register.rows(copies(first, last), [count + 1, key ?? null, feed, events, startMs]);
    for (const table of Object.keys(replaced)) await copyTable(register, table, template);
    await register.rows(moveFeed, [template, (last - first + 1) * Number(events)]);
    await register.rows("commit");
  }
}
