// Agents and allowances, judged from what is written: how many attempts an agent held at a time, by
// the event log, and whether what an allowance has spent is what its attempts consumed.
// Promises: reads only, past the program that is judged; live attempts are swept along the
// project's feed, so an excess of a single commit is found.
// Leaves to others: the general rules of the register (register.ts).

import type { Register } from "./register.ts";

const mostLive = `
  select x.agent, max(x.live)::integer as most
  from (select a.agent, sum(e.lease_delta) over (partition by a.agent order by e.feed) as live
    from signalbox.event e
    join signalbox.attempt a on a.run_id = e.stream_id and a.number = e.attempt
    where e.project_id = $1 and e.lease_delta <> 0 and a.agent is not null) x
  group by x.agent order by x.agent`;

/** The most attempts that each agent of a project held at the same time. */
export async function mostLiveByAgent(
  register: Register,
  project: string,
): Promise<Map<string, number>> {
  const rows = await register.rows<{ agent: string; most: number }>(mostLive, [project]);
  return new Map(rows.map(({ agent, most }) => [agent, most]));
}

const books = `
  select w.id, w.scope, w.name, w.metric, w.reserved::float8,
    coalesce((select sum(p.spent) from signalbox.allowance_period p
      where p.allowance_id = w.id), 0)::float8 as spent,
    coalesce((select sum(f.amount) from signalbox.refund f
      where f.allowance_id = w.id), 0)::float8 as refunded,
    coalesce(case when w.metric = 'runs' then (select count(*) from signalbox.attempt a
      where a.project_id = w.project_id and a.counted and a.ended_at is not null
        and (w.scope = 'project' or (w.scope = 'agent' and a.agent = w.name)
          or (w.scope = 'account' and a.account = w.name)))
    else (select sum(case when w.metric = 'tokens'
        then coalesce(u.input_tokens, 0) + coalesce(u.output_tokens, 0)
        else coalesce(u.cost_micros, 0) end)
      from signalbox.usage u where u.project_id = w.project_id
        and (w.scope = 'project' or (w.scope = 'agent' and u.agent = w.name)
          or (w.scope = 'account' and u.account = w.name)
          or (w.scope = 'model' and u.model = w.name))) end, 0)::float8 as used,
    (select count(*)::integer from signalbox.reservation v
      where v.allowance_id = w.id and v.closed_at is null) as open
  from signalbox.allowance w where w.project_id = $1 order by w.id`;

/** What stands in the books of one allowance. */
export type Book = {
  readonly id: string;
  readonly scope: string;
  readonly name: string | null;
  readonly metric: string;
  readonly reserved: number;
  readonly spent: number;
  readonly refunded: number;
  /** What its attempts reported; of `runs`, those that count. */
  readonly used: number;
  /** Reservations that have not ended. */
  readonly open: number;
};

/** The books of every allowance of a project. */
export function booksOf(register: Register, project: string): Promise<Book[]> {
  return register.rows<Book>(books, [project]);
}

/** How many of these say another sum than usage − refunds. */
export function wrongSums(all: readonly Book[]): Book[] {
  return all.filter(({ spent, used, refunded }) => spent !== used - refunded);
}

const miscounted = `
  select a.run_id as run, a.number, a.state, a.cause, a.agent, w.scope, v.charged::float8,
    coalesce(u.used, 0)::float8 as used, coalesce(u.reports, '') as reports
  from signalbox.attempt a
  join signalbox.allowance w on w.project_id = a.project_id and w.metric = 'tokens'
    and (w.scope = 'project' or (w.scope = 'agent' and w.name = a.agent))
  left join signalbox.reservation v on v.run_id = a.run_id and v.number = a.number
    and v.allowance_id = w.id
  left join lateral (
    select sum(coalesce(t.input_tokens, 0) + coalesce(t.output_tokens, 0)) as used,
      string_agg(t.producer_seq || case when t.late then ' late' else '' end, ', '
        order by t.producer_seq) as reports
    from signalbox.usage t where t.run_id = a.run_id and t.number = a.number) u on true
  where a.project_id = $1 and v.charged is distinct from coalesce(u.used, 0)
  order by a.run_id, a.number, w.id`;

/** An attempt that was charged something else than it reported; null: it set nothing aside. */
export type Miscounted = {
  readonly run: string;
  readonly number: number;
  readonly state: string;
  readonly cause: string | null;
  readonly agent: string | null;
  readonly scope: string;
  readonly charged: number | null;
  readonly used: number;
  /** Numbers of its reports, 0 with its end. */
  readonly reports: string;
};

/** Attempts whose charge of tokens is not what they reported: where wrong sums come from. */
export function miscountedAttempts(register: Register, project: string): Promise<Miscounted[]> {
  return register.rows<Miscounted>(miscounted, [project]);
}

const live = `
  select count(*)::integer as n from signalbox.run r
  where r.project_id = $1 and r.lease_expires_at is not null`;

/** Attempts that hold a lease now. */
export async function liveNow(register: Register, project: string): Promise<number> {
  return (await register.rows<{ n: number }>(live, [project]))[0]?.n ?? NaN;
}

const ends = `
  select r.id, r.state, r.end_cause, r.attempts_used, r.fencing_token as claims, a.agent, a.account,
    (select count(*)::integer from signalbox.attempt t where t.run_id = r.id and t.counted)
      as counted
  from signalbox.run r
  left join signalbox.attempt a on a.run_id = r.id and a.number = r.fencing_token
  where r.project_id = $1 order by r.id`;

/** How a run stands, and who had it last. */
export type End = {
  readonly id: string;
  readonly state: string;
  readonly end_cause: string | null;
  readonly attempts_used: number;
  readonly claims: number;
  readonly agent: string | null;
  readonly account: string | null;
  readonly counted: number;
};

/** How every run of a project stands. */
export function endsOf(register: Register, project: string): Promise<End[]> {
  return register.rows<End>(ends, [project]);
}

const openRuns = `
  select count(*)::integer as n from signalbox.run r
  where r.project_id = $1 and r.finished_at is null`;

/** Runs of a project that have not ended. */
export async function openIn(register: Register, project: string): Promise<number> {
  return (await register.rows<{ n: number }>(openRuns, [project]))[0]?.n ?? NaN;
}
