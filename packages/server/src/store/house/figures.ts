// Figures of the whole installation, as `/metrics` tells them: two statements over all projects.
// Promises: reads what indexes and small tables can tell, each list bounded; at most 100,000 rows
// of a kind are counted, so that a backlog of millions costs no more; a statement gives up after
// two seconds.
// Leaves to others: how often it is asked and what the figures are called (engine).

import type { Runner } from "../db.ts";
import { statement } from "../db.ts";

/** Rows of one kind that are counted at most: a figure of this size means "or more". */
const MOST_COUNTED = 100_000;
/** Queues and allowances that are told one by one. */
const MOST_NAMED = 20;

/** One figure; `a` and `b` are what tells it from others of its kind. */
export type FigureRow = {
  readonly kind: string;
  readonly a: string;
  readonly b: string;
  readonly c: string;
  readonly value: number;
};

const patience = statement(
  "figures_patience",
  "select set_config('statement_timeout', '2000', true)",
);

// Held bits: 1 not due, 2 a dependency, 4 a concurrency key; a run may have several.
const figures = statement(
  "house_figures",
  `with ready as (select r.lane_id, r.id from signalbox.run r
     where r.state = 'pending' and r.held = 0 limit $1),
   lanes as (select y.lane_id, count(*) as n, min(y.id::text collate "C") as oldest
     from ready y group by y.lane_id),
   queues as (select l.queue, sum(n.n) as n from lanes n join signalbox.lane l on l.id = n.lane_id
     group by l.queue),
   held as (select h.held, count(*) as n from (select r.held from signalbox.run r
     where r.state = 'pending' and r.held <> 0 limit $1) h group by h.held),
   live as (select v.state, count(*) as n from (select r.state from signalbox.run r
     where r.lease_expires_at is not null and r.state <> 'pending' limit $1) v group by v.state),
   suspended as (select count(*) as n from (select from signalbox.run r
     where r.state = 'waiting_approval' and r.lease_expires_at is null limit $1) s),
   agents as (select g.status, count(*) as n, count(*) filter (where g.paused) as paused
     from (select x.status, x.paused_at is not null as paused from signalbox.agent x limit $1) g
     group by g.status),
   uses as (select w.id, w.scope, w.metric,
       least(1e6, (greatest(0, coalesce(u.spent, 0)) + w.reserved) / greatest(1, w.most)) as used
     from (select x.id, x.scope, x.metric, x.reserved, x.most from signalbox.allowance x
       where x.deleted_at is null and x.metric <> 'concurrent_runs' order by x.id limit 5000) w
     left join lateral (select sum(p.spent) as spent from signalbox.allowance_period p
       where p.allowance_id = w.id and p.ends_at > clock_timestamp() + $3::interval
         and p.starts_at <= clock_timestamp() + $3::interval) u on true)
   select 'pending' as kind, 'ready' as a, '' as b, '' as c,
     (select coalesce(sum(n.n), 0) from lanes n)::double precision as value
   union all select 'pending', 'held', '', '', (select coalesce(sum(h.n), 0) from held h)
   union all select 'held', x.word, '', '',
     (select coalesce(sum(h.n), 0) from held h where h.held & x.bit <> 0)
     from (values (1, 'later'), (2, 'dependency'), (4, 'key')) x(bit, word)
   union all select 'oldest', n.oldest, '', '', 0
     from (select min(lanes.oldest) as oldest from lanes) n where n.oldest is not null
   union all (select 'queue', q.queue, '', '', q.n from queues q
     order by q.n desc, q.queue limit $2)
   union all select 'live', v.state, '', '', v.n from live v
   union all select 'suspended', '', '', '', s.n from suspended s
   union all select 'agents', g.status, '', '', g.n from agents g
   union all select 'agents_paused', '', '', '', (select coalesce(sum(g.paused), 0) from agents g)
   union all select 'runtimes', t.state, '', '', count(*)
     from (select x.state from signalbox.runtime x limit $1) t group by t.state
   union all select 'limits', e.state, e.reason, '', count(*) from (select x.state, x.reason
     from signalbox.exhaustion x where x.state <> 'open' limit $1) e group by e.state, e.reason
   union all (select 'allowance', u.id::text, u.scope, u.metric, u.used from uses u
     order by u.used desc, u.id limit $2)
   union all select 'allowance_other', '', '', '', o.used from (select u.used from uses u
     order by u.used desc, u.id offset $2 limit 1) o
   union all select 'servers', '', '', '', (select count(*) from signalbox.server s
     where s.seen_at > clock_timestamp() - interval '15 seconds')
   union all select 'projects', x.word, '', '', (select count(*) from (select
     from signalbox.project p where (p.stopped_at is not null) = x.stopped limit $1) p)
     from (values ('open', false), ('stopped', true)) x(word, stopped)
   union all select 'horizon_s', '', '', '', h.seconds from signalbox.horizon() h
   union all select 'horizon_x', '', '', '', h.transactions from signalbox.horizon() h
   union all select 'dead_rows', t.relname, '', '', t.n_dead_tup from pg_stat_user_tables t
     where t.schemaname = 'signalbox' and t.relname = any ($4::text[])
   union all select 'table_bytes', t.relname, '', '', pg_total_relation_size(t.relid)
     from pg_stat_user_tables t
     where t.schemaname = 'signalbox' and t.relname = any ($4::text[])`,
);

// What waits for a person, and what waits for somebody else's endpoint.
const waiting = statement(
  "waiting_figures",
  `with asked as (select a.risk, a.asked_at from signalbox.approval a
     where a.status = 'pending' limit $1),
   hooks as (select w.id, case when w.disabled_at is not null then 'disabled'
       when w.failures > 0 then 'failing' else 'healthy' end as state
     from signalbox.webhook w where w.deleted_at is null limit $1),
   out as (select h.state, d.created_at from (select x.webhook_id, x.created_at
       from signalbox.delivery x where x.state = 'pending' limit $1) d
     join hooks h on h.id = d.webhook_id)
   select 'approvals' as kind, a.risk::text as a, '' as b, '' as c,
     count(*)::double precision as value from asked a group by a.risk
   union all select 'approvals_oldest', '', '', '', coalesce(max(extract(epoch from
     clock_timestamp() + $2::interval - a.asked_at)), 0) from asked a
   union all select 'webhooks', h.state, '', '', count(*) from hooks h group by h.state
   union all select 'deliveries', o.state, '', '', count(*) from out o group by o.state
   union all select 'deliveries_oldest', '', '', '', coalesce(max(extract(epoch from
     clock_timestamp() + $2::interval - o.created_at)), 0) from out o where o.state <> 'disabled'`,
);

/** Tables that grow or are rewritten with every run. */
const hotTables = [
  "allowance_period",
  "attempt",
  "event",
  "feed_counter",
  "reservation",
  "run",
  "run_spec",
  "usage",
];

/** Reads all of them, in no particular order. */
export async function readFigures(runner: Runner, offsetMs: number): Promise<FigureRow[]> {
  const values = [MOST_COUNTED, MOST_NAMED, `${offsetMs} milliseconds`, hotTables];
  const [, rows, more] = await Promise.all([
    runner.query(patience),
    runner.query<FigureRow>(figures, values),
    runner.query<FigureRow>(waiting, [MOST_COUNTED, values[2]]),
  ]);
  return [...rows, ...more];
}
