// The invariants of who may work, as questions to the database: agents and how much they hold,
// what is reserved, charged and given back, limits that are tried, slots, statuses.
// Promises: as those of runs (`invariants.ts`); settings that were changed meanwhile violate
// nothing: an agent may hold more than it may since an hour ago.
// Leaves to others: limits at every instant of the past (campaigns read the register for that).

import { MOST } from "../../domain/allowance/amounts.ts";
import type { Invariant } from "./invariant.ts";
import { grace, invariant, ofStreams, within } from "./invariant.ts";

/** What a row of usage weighs, and of which model it was: `domain/allowance/settle.ts`. */
const weights = `select u.run_id, u.number, coalesce(u.model, l.model) as model, l.model as named,
       a.claimed_at,
       coalesce(u.input_tokens, 0)::numeric + coalesce(u.output_tokens, 0) as tokens,
       coalesce(u.cost_micros, 0)::numeric as cost
     from signalbox.usage u join signalbox.run r on r.id = u.run_id
     join signalbox.lane l on l.id = r.lane_id
     join signalbox.attempt a on a.run_id = u.run_id and a.number = u.number`;
const counters = [
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "reasoning_output_tokens",
  "cost_micros",
  "steps",
];
/** All counters as one record without what was never reported, as `attempt.usage` is. */
const summed = counters
  .map((name) => `'${name}', nullif(least(coalesce(sum(u.${name}), -1), ${MOST}), -1)::bigint`)
  .join(", ");

/** Scans come every ten seconds and look at 500 doubtful agents each. */
const kept = `interval '60 seconds'`;

/** Every invariant of agents, accounts, allowances, usage and slots. */
export const fleetInvariants: readonly Invariant[] = [
  invariant(
    "I-5 probes",
    "a limit is tried by an attempt that is live, or has just ended",
    `select e.probe_run as subject, null::bigint as seq, 'account ' || e.account
         || ' is tried by attempt ' || e.probe_token || ', which is not live' as detail
     from signalbox.exhaustion e
     left join signalbox.run r on r.id = e.probe_run and r.project_id = e.project_id
       and r.fencing_token = e.probe_token and r.lease_expires_at is not null
     left join signalbox.attempt a on a.run_id = e.probe_run and a.number = e.probe_token
     where e.probe_run is not null and r.id is null
       and coalesce(a.ended_at, e.probe_since) < clock_timestamp() - ${grace}`,
  ),
  invariant(
    "I-9 statuses",
    "an agent's status is where its changes lead, each from where the one before led",
    `select x.id as subject, x.seq, x.was || ' → ' || x.now || ' after ' || x.before as detail
     from (select a.id, e.seq, e.data ->> 'from' as was, e.data ->> 'to' as now,
         lag(e.data ->> 'to', 1, 'offline') over (partition by a.id order by e.seq) as before
       from signalbox.agent a join signalbox.event e on e.stream_id = a.id
         and e.type = 'agent.status_changed') x
     where x.was is distinct from x.before or x.now is not distinct from x.was
     union all select a.id, e.seq,
       'is ' || a.status || ', its events say ' || coalesce(e.now, '(nothing)')
     from signalbox.agent a left join lateral (select e.seq, e.data ->> 'to' as now
       from signalbox.event e where e.stream_id = a.id and e.type = 'agent.status_changed'
       order by e.seq desc limit 1) e on true
     where a.status is distinct from coalesce(e.now, 'offline')`,
  ),
  invariant(
    "I-10 streams of the fleet",
    "the last number of an agent, account or slot is that of its last event",
    `select s.id as subject, s.last_seq as seq, s.stream || ' has ' || count(e.seq) as detail
     from (select a.id, 'agent' as stream, a.last_seq from signalbox.agent a
       union all select c.id, 'account', c.last_seq from signalbox.account c
       union all select t.id, 'slot', t.last_seq from signalbox.slot t) s
     left join signalbox.event e on e.stream_id = s.id and e.stream = s.stream
     group by s.id, s.stream, s.last_seq having coalesce(max(e.seq), 0) <> s.last_seq`,
  ),
  invariant(
    "I-16 agents",
    "no claim made an agent hold more attempts than it may",
    // A claim after its settings last changed; what it held before then it may keep.
    `select a.id as subject, null::bigint as seq,
       l.held || ' live of ' || a.max_concurrent as detail
     from signalbox.agent a cross join lateral (
       select count(*) as held, max(e.feed) as newest from signalbox.run r
       join signalbox.event e on e.stream_id = r.id and e.type = 'run.claimed'
         and e.attempt = r.fencing_token
       where r.project_id = a.project_id and r.agent = a.name
         and r.lease_expires_at is not null and r.state <> 'pending') l
     where l.held > a.max_concurrent and l.newest > coalesce((select max(e.feed)
       from signalbox.event e where e.stream_id = a.id and e.type = 'agent.registered'), 0)`,
  ),
  invariant(
    "I-16 regulated",
    "a project with anything that limits its claims says so: else claims read none of it",
    `select p.id as subject, null::bigint as seq, 'has ' || x.what as detail
     from signalbox.project p join (
       select w.project_id, 'allowances' as what from signalbox.allowance w
       where w.deleted_at is null
       union select e.project_id, 'exhausted accounts' from signalbox.exhaustion e
       union select a.project_id, 'agents with settings' from signalbox.agent a
       where a.paused_at is not null or a.slot_id is not null or a.models is not null
         or a.max_concurrent is not null or a.max_run_duration_ms is not null
         or a.capabilities <> '{}' or a.accounts <> '{}') x on x.project_id = p.id
     where not p.regulated`,
  ),
  invariant(
    "I-18 reserved",
    "what an allowance has reserved is what its open reservations have left",
    `select w.id as subject, null::bigint as seq, 'reserved ' || w.reserved
         || ', open reservations have ' || coalesce(sum(v.remaining), 0) || ' left' as detail
     from signalbox.allowance w
     left join signalbox.reservation v on v.allowance_id = w.id and v.closed_at is null
     group by w.id, w.reserved having w.reserved <> coalesce(sum(v.remaining), 0)
     union all select v.run_id, null, 'has ' || v.remaining || ' left after its end'
     from signalbox.reservation v where v.closed_at is not null and v.remaining <> 0`,
  ),
  invariant(
    "I-18 spent",
    "what is spent of an allowance is what attempts were charged, less what was given back",
    `select w.id as subject, null::bigint as seq, 'spent ' || coalesce(p.n, 0) || ', charged '
         || coalesce(v.n, 0) || ', given back ' || coalesce(f.n, 0) || ', removed '
         || w.removed_spent as detail
     from signalbox.allowance w
     left join (select p.allowance_id as id, sum(p.spent) as n from signalbox.allowance_period p
       group by p.allowance_id) p on p.id = w.id
     left join (select v.allowance_id as id, sum(v.charged) as n from signalbox.reservation v
       group by v.allowance_id) v on v.id = w.id
     left join (select f.allowance_id as id, sum(f.amount) as n from signalbox.refund f
       group by f.allowance_id) f on f.id = w.id
     where coalesce(p.n, 0) <> coalesce(v.n, 0) - coalesce(f.n, 0) + w.removed_spent`,
  ),
  ofStreams(
    "I-18 charged",
    "an attempt is charged what it used, and 1 of what counts runs if it counted",
    // An allowance of a model counts also attempts that did not name it, or were claimed before it
    // was made: of those a part, at most what was used.
    `select v.run_id as subject, null::bigint as seq, 'attempt ' || v.number || ' was charged '
         || v.charged || ' ' || w.metric || ', used ' || x.used as detail
     from signalbox.reservation v join signalbox.allowance w on w.id = v.allowance_id
     cross join lateral (select least(coalesce(sum(case w.metric when 'tokens' then u.tokens
           else u.cost end) filter (where w.scope <> 'model' or u.model = w.name), 0), ${MOST})
           as used,
         coalesce(bool_and(w.scope <> 'model' or (u.named = w.name
           and u.claimed_at > w.created_at + ${grace})), true) as whole
       from (${weights}) u where u.run_id = v.run_id and u.number = v.number) x
     where w.metric in ('tokens', 'cost_micros') and ${within("v.run_id")}
       and (v.charged > x.used or (x.whole and v.charged < x.used))
     union all select v.run_id, null,
       'attempt ' || v.number || ' was charged ' || v.charged || ' runs'
     from signalbox.reservation v join signalbox.allowance w on w.id = v.allowance_id
     left join signalbox.attempt a on a.run_id = v.run_id and a.number = v.number
     where w.metric = 'runs' and ${within("v.run_id")}
       and v.charged <> (a.ended_at is not null and a.counted)::integer`,
  ),
  invariant(
    "I-18 refunds",
    "of an attempt's tokens at most its charge is given back, once; of money and of kill nothing",
    `select f.run_id as subject, null::bigint as seq, f.amount || ' ' || w.metric || ' of '
         || coalesce(v.charged, 0) || ' given back for ' || f.cause as detail
     from signalbox.refund f
     left join signalbox.allowance w on w.id = f.allowance_id
     left join signalbox.reservation v on v.run_id = f.run_id and v.number = f.number
       and v.allowance_id = f.allowance_id
     where w.metric is distinct from 'tokens' or v.closed_at is null or f.amount > v.charged
       or f.cause not in ('cancel', 'kill', 'error')
       or (f.cause = 'error' and f.amount * 2 > v.charged)
       or (w.mode = 'kill' and not exists (select from signalbox.event e
         where e.project_id = w.project_id and e.stream = 'project'
           and e.type = 'allowance.changed' and e.at >= f.at))
     union all select f.run_id, null, count(*) || ' refunds of attempt ' || f.number
     from signalbox.refund f group by f.allowance_id, f.run_id, f.number having count(*) > 1`,
  ),
  ofStreams(
    "I-18 usage",
    "what an attempt used is the sum of its reports, each of them stored once",
    // Attempts that ended before the first report of all were told by an older server.
    `select a.run_id as subject, null::bigint as seq, 'attempt ' || a.number || ' used '
         || coalesce(a.usage, '{}') || ', reports say ' || coalesce(u.usage, '{}') as detail
     from (select a.run_id, a.number, a.usage, a.ended_at from signalbox.attempt a
       where ${within("a.run_id")}) a
     full join (select u.run_id, u.number, jsonb_strip_nulls(jsonb_build_object(${summed})) as usage
       from signalbox.usage u where ${within("u.run_id")}
       group by u.run_id, u.number) u
       on u.run_id = a.run_id and u.number = a.number
     where coalesce(a.usage, '{}') <> coalesce(u.usage, '{}') and (u.usage is not null
       or a.ended_at is null or a.ended_at > (select min(u.at) from signalbox.usage u))
     union all select u.run_id, null, 'report ' || u.producer_seq || ' of attempt ' || u.number
       || ' ' || count(*) || ' times'
     from signalbox.usage u where ${within("u.run_id")}
     group by u.run_id, u.number, u.producer_seq having count(*) > 1`,
  ),
  ofStreams(
    "I-19 reservations",
    "a reservation is open exactly while its attempt is live, and the run says so",
    // Charges of a model for which nothing was set aside are closed from the beginning.
    `select v.run_id as subject, null::bigint as seq,
       'attempt ' || v.number || ' has reservations and is not live' as detail
     from signalbox.reservation v left join signalbox.run r on r.id = v.run_id
       and r.fencing_token = v.number and r.lease_expires_at is not null
     where ${within("v.run_id")} and v.closed_at is null and r.id is null
     union all select v.run_id, null, 'attempt ' || v.number || ' is live, its reservation closed'
     from signalbox.reservation v join signalbox.allowance w on w.id = v.allowance_id
     join signalbox.run r on r.id = v.run_id and r.fencing_token = v.number
       and r.lease_expires_at is not null
     where ${within("v.run_id")} and v.closed_at is not null
       and (w.scope <> 'model' or v.charged = 0)
     union all select r.id, null, 'is metered and has nothing reserved or charged'
     from signalbox.run r where ${within("r.id")} and r.metered
       and not exists (select from signalbox.reservation v
       where v.run_id = r.id and v.number = r.fencing_token)
     union all select r.id, null, 'is metered and not live'
     from signalbox.run r where ${within("r.id")} and r.metered and r.lease_expires_at is null
     union all select r.id, null, 'has open reservations and is not metered'
     from signalbox.run r where ${within("r.id")} and not r.metered
       and exists (select from signalbox.reservation v
       where v.run_id = r.id and v.number = r.fencing_token and v.closed_at is null)`,
  ),
  invariant(
    "I-24 slots",
    "of an agent's slots at most one occupies it or puts it on call, and the agent says which",
    `select a.id as subject, null::bigint as seq, coalesce(a.slot_id::text, 'no slot')
         || ', ongoing ' || coalesce(string_agg(s.id::text, ' ' order by s.id), 'none') as detail
     from signalbox.agent a left join signalbox.slot s on s.project_id = a.project_id
       and s.agent = a.name and s.status = 'ongoing'
       and (s.type = 'on_call' or s.run_template is null)
     group by a.id, a.slot_id, a.slot_type, a.slot_ends_at
     having count(s.id) > 1 or min(s.id::text) is distinct from a.slot_id::text
       or min(s.type) is distinct from a.slot_type::text
       or min(s.ends_at) is distinct from a.slot_ends_at
     union all select s.id, null, 'of agent ' || s.agent || ', whom nobody knows'
     from signalbox.slot s left join signalbox.agent a
       on a.project_id = s.project_id and a.name = s.agent where a.id is null`,
  ),
  invariant(
    "I-24 occupied",
    "an agent that is present is not called idle while a slot occupies it",
    // Its status follows within a moment, or with the next scan when a server died in between. So
    // only what lasts counts, and only where a server has been up to keep it.
    `select a.id as subject, null::bigint as seq,
       'is idle, in slot ' || a.slot_id || ' (' || a.slot_type || ')' as detail
     from signalbox.agent a
     where a.status = 'idle' and a.slot_id is not null
       and a.status_since < clock_timestamp() - ${kept}
       and (select max(e.at) from signalbox.event e where e.stream_id = a.slot_id
         and e.stream = 'slot') < clock_timestamp() - ${kept}
       and exists (select from signalbox.presence p where p.project_id = a.project_id
         and p.agent = a.name and p.last_heartbeat_at > clock_timestamp() - ${kept})
       and exists (select from signalbox.server v where v.started_at < clock_timestamp() - ${kept}
         and v.seen_at > clock_timestamp() - ${grace})`,
  ),
  invariant(
    "I-27 projects of the fleet",
    "what an attempt set aside and used belongs to its project, as do its allowances",
    `select v.run_id as subject, null::bigint as seq, v.what || ' of another project' as detail
     from (select v.run_id, v.project_id, 'reservation' as what from signalbox.reservation v
       union all select f.run_id, f.project_id, 'refund' from signalbox.refund f
       union all select u.run_id, u.project_id, 'usage' from signalbox.usage u
       union all select b.run_id, b.project_id, 'block' from signalbox.run_block b
       union all select e.probe_run, e.project_id, 'probe' from signalbox.exhaustion e
       where e.probe_run is not null
       union all select s.run_id, s.project_id, 'slot' from signalbox.slot s
       where s.run_id is not null) v
     left join signalbox.run r on r.id = v.run_id and r.project_id = v.project_id
     where r.id is null
     union all select w.allowance_id, null, w.what || ' of another project'
     from (select p.allowance_id, p.project_id, 'period' as what from signalbox.allowance_period p
       union all select v.allowance_id, v.project_id, 'reservation' from signalbox.reservation v
       union all select f.allowance_id, f.project_id, 'refund' from signalbox.refund f) w
     left join signalbox.allowance o on o.id = w.allowance_id and o.project_id = w.project_id
     where o.id is null`,
  ),
];
