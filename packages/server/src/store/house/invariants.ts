// The invariants of the register as questions to the database: each row that comes back is a
// violation. They run after every test file and ship as `signalbox verify`.
// Promises: reads only, as `house`; each question is one statement, so it sees one instant and may
// be asked of a live system; at most 100 violations of each are returned.
// Leaves to others: who may work (`invariants-fleet.ts`), what people do, approvals, events out and
// what is stored (parts of their own); the ranges of a large register (`invariants-verify.ts`).

import { lateEventTypes, stateAfter } from "../../domain/event.ts";
import { limits } from "../../domain/limits.ts";
import {
  attemptCauses,
  attemptStates,
  attemptTable,
  statePairs,
  terminalStates,
} from "../../domain/machine.ts";
import type { Reader, Runner } from "../db.ts";
import type { Invariant, Range, Violation } from "./invariant.ts";
import {
  everyStream,
  grace,
  invariant,
  JUDGED,
  MOST_VIOLATIONS,
  ofStreams,
  within,
} from "./invariant.ts";
import { approvalInvariants } from "./invariants-approvals.ts";
import { contentInvariants } from "./invariants-contents.ts";
import { fleetInvariants } from "./invariants-fleet.ts";
import { operateInvariants } from "./invariants-operate.ts";
import { sinkInvariants } from "./invariants-sinks.ts";

export type { Violation } from "./invariant.ts";

const pairs = statePairs();
const attemptEnds = attemptStates
  .filter((state) => attemptTable[state].length === 0)
  .map((state) => `attempt.${state}`);
const cancelGrace = `interval '${limits.cancelGraceMs + 5000} milliseconds'`;

/** Those of runs and of the register. */
const runInvariants: readonly Invariant[] = [
  ofStreams(
    "I-1 tokens",
    "claims of a run carry the tokens 1, 2, 3 …, each after exactly one end of the lease before",
    `select x.stream_id as subject, x.seq, 'token ' || x.t || ' after ' || x.pt as detail from (
       select e.stream_id, e.seq, e.attempt as t, e.lease_delta as d,
         lag(e.attempt, 1, 0) over w as pt, lag(e.lease_delta, 1, (-1)::smallint) over w as pd
       from signalbox.event e where e.lease_delta <> 0 and e.stream = 'run' and
         ${within("e.stream_id")}
       window w as (partition by e.stream_id order by e.seq)) x
     where x.t is null or (x.d = 1 and (x.t <> x.pt + 1 or x.pd <> -1))
       or (x.d = -1 and (x.t <> x.pt or x.pd <> 1))`,
  ),
  ofStreams(
    "I-2 stale writes",
    "nothing is written under a token outside its lease but what is marked late",
    `select x.stream_id as subject, x.seq, x.type || ' under token ' || x.attempt as detail from (
       select e.stream_id, e.seq, e.type, e.attempt, e.lease_delta, e.late,
         coalesce(sum(e.lease_delta) over (partition by e.stream_id, e.attempt order by e.seq
           rows between unbounded preceding and 1 preceding), 0) as live
       from signalbox.event e where e.attempt is not null and e.stream = 'run'
         and ${within("e.stream_id")}) x
     where x.lease_delta <> 1 and x.late <> (x.live <> 1)
     union all select e.stream_id, e.seq, e.type || ' under no token'
     from signalbox.event e where e.stream = 'run' and e.attempt is null
       and ${within("e.stream_id")}
       and (e.source = 'runner' or e.from_state in ('claimed', 'running', 'waiting_tool'))
     union all select e.stream_id, e.seq, e.type || ' may not come late'
     from signalbox.event e where e.late and ${within("e.stream_id")}
       and not (e.stream = 'run' and e.type = any ($3::text[]))`,
    [lateEventTypes],
  ),
  invariant(
    "I-3 attempt ids",
    "an attempt's id never repeats",
    `select a.id as subject, null::bigint as seq, count(*) || ' attempts' as detail
     from signalbox.attempt a group by a.id having count(*) > 1`,
  ),
  ofStreams(
    "I-4 early reclaim",
    "a lease is as long as its claim said, and taken back only after it expired",
    `select e.stream_id as subject, e.seq, e.at || ' before ' || e.lease_expires_at as detail
     from signalbox.event e where 'attempt.lost' = any (e.also)
       and ${within("e.stream_id")}
       and (e.lease_expires_at is null or e.at < e.lease_expires_at)
     union all select e.stream_id, e.seq, 'a lease until ' || e.lease_expires_at
     from signalbox.event e where e.lease_delta = 1
       and ${within("e.stream_id")} and e.lease_expires_at is distinct from
       e.at + make_interval(secs => (e.data ->> 'lease_ms')::double precision / 1000)`,
  ),
  ofStreams(
    "I-5 limbo",
    "whatever time must change has an instant, and no instant is long past",
    `select r.id as subject, null::bigint as seq, 'is overdue since ' || r.due_at as detail
     from signalbox.run r where ${within("r.id")}
       and r.due_at < clock_timestamp() - ${grace}
     union all select r.id, null, 'has a lease, a deadline or a wait and no due instant'
     from signalbox.run r where ${within("r.id")} and r.finished_at is null and r.due_at is null
       and (r.lease_expires_at is not null or r.deadline_at is not null or r.held & 1 = 1)
     union all select r.id, null, 'was to be cancelled'
     from signalbox.run r where ${within("r.id")} and r.finished_at is null
       and r.cancel_requested_at < clock_timestamp() - ${cancelGrace}
     union all select r.id, null, 'waits for a key it does not have'
     from signalbox.run r where ${within("r.id")}
       and r.held & 4 = 4 and r.concurrency_key is null
     union all select r.id, null, 'waits for dependencies that have all completed'
     from signalbox.run r where ${within("r.id")}
       and r.held & 2 = 2 and r.open_dependencies = 0`,
  ),
  ofStreams(
    "I-6 path",
    "the states of a run form a path in the transition table",
    `select x.stream_id as subject, x.seq,
       coalesce(x.from_state, '(none)') || ' → ' || x.to_state as detail
     from (select e.stream_id, e.seq, e.from_state, e.to_state,
         lag(e.to_state) over (partition by e.stream_id order by e.seq) as prev
       from signalbox.event e where e.to_state is not null and e.stream = 'run'
         and ${within("e.stream_id")}) x
     left join unnest($3::text[], $4::text[]) as t(from_state, to_state)
       on t.from_state is not distinct from x.from_state and t.to_state = x.to_state
     where t.to_state is null or x.from_state is distinct from x.prev`,
    [pairs.map(({ from }) => from), pairs.map(({ to }) => to)],
  ),
  ofStreams(
    "I-6 types",
    "an event's type says the state it leads to, and whether a lease begins or ends with it",
    `select e.stream_id as subject, e.seq, e.type || ' to ' || coalesce(e.to_state, '(none)')
         || ', lease ' || e.lease_delta as detail
     from signalbox.event e
     left join unnest($3::text[], $4::text[]) as t(type, to_state) on t.type = e.type
     where e.stream = 'run' and ${within("e.stream_id")}
       and (e.to_state is distinct from t.to_state
       or (e.to_state is null and e.from_state is not null)
       or (e.lease_delta = 1) <> (e.type = 'run.claimed')
       or (e.lease_delta = -1) <> (coalesce(e.also, '{}') && $5::text[]))`,
    [Object.keys(stateAfter), Object.values(stateAfter), attemptEnds],
  ),
  ofStreams(
    "I-7 one end",
    "a run ends at most once, and nothing follows but what is late or an operator's",
    `select e.stream_id as subject, max(e.seq) as seq, count(*) || ' ends' as detail
     from signalbox.event e where e.to_state = any ($3::text[]) and ${within("e.stream_id")}
     group by e.stream_id having count(*) > 1
     union all select e.stream_id, e.seq, e.type || ' after the end'
     from signalbox.event e join signalbox.event t on t.stream_id = e.stream_id
       and t.to_state = any ($3::text[]) and e.seq > t.seq
     where ${within("e.stream_id")} and not e.late
       and e.type not in ('run.redriven', 'run.discarded')`,
    [terminalStates],
  ),
  ofStreams(
    "I-8 numbers",
    "each stream is numbered 1..n, in the order of its feed",
    `select e.stream_id as subject, max(e.seq) as seq, count(*) || ' rows' as detail
     from signalbox.event e where ${within("e.stream_id")} group by e.stream, e.stream_id
     having min(e.seq) <> 1 or max(e.seq) <> count(*) or count(distinct e.seq) <> count(*)
     union all select x.stream_id, x.seq, 'feed ' || x.feed || ' after ' || x.before
     from (select e.stream_id, e.seq, e.feed,
         lag(e.feed) over (partition by e.stream_id order by e.seq) as before
       from signalbox.event e where ${within("e.stream_id")}) x where x.feed <= x.before`,
  ),
  invariant(
    "I-8 feed",
    "each feed is numbered 1..n, without a gap above what was removed",
    // Read in the order of its index: nothing is sorted, nothing is gathered.
    `select x.project_id as subject, x.feed as seq, 'follows ' || x.before as detail
     from (select e.project_id, e.feed, lag(e.feed, 1, p.feed_floor)
           over (partition by e.project_id order by e.feed) as before
       from signalbox.project p join signalbox.event e
         on e.project_id = p.id and e.feed > p.feed_floor) x where x.feed <> x.before + 1
     union all select f.project_id, l.feed, 'is the last of ' || f.n
     from signalbox.feed_counter f join signalbox.project p on p.id = f.project_id
     cross join lateral (select coalesce(max(e.feed), p.feed_floor) as feed
       from signalbox.event e where e.project_id = f.project_id and e.feed > p.feed_floor) l
     where l.feed <> f.n`,
  ),

  ofStreams(
    "I-9 fold",
    "state, token, lease and last number of a run are what its events add up to",
    `select r.id as subject, r.last_seq as seq,
       r.state || ' token ' || r.fencing_token || ', events say ' || coalesce(e.state, '(nothing)')
         || ' token ' || coalesce(e.token, 0) || ' seq ' || coalesce(e.seq, 0) as detail
     from signalbox.run r left join lateral (
       select max(e.seq) as seq, max(e.attempt) as token, sum(e.lease_delta) as leases,
         (array_agg(e.to_state order by e.seq desc) filter (where e.to_state is not null))[1]
           as state
       from signalbox.event e where e.stream_id = r.id) e on true
     where ${within("r.id")} and (r.last_seq is distinct from e.seq
       or r.state is distinct from e.state
       or r.fencing_token <> coalesce(e.token, 0)
       or (r.lease_expires_at is not null) <> (coalesce(e.leases, 0) = 1))`,
  ),
  invariant(
    "I-10 streams",
    "the last number of a project, queue or runtime is that of its last event",
    `select s.id as subject, s.last_seq as seq, s.stream || ' has ' || count(e.seq) as detail
     from (select p.id, 'project' as stream, p.last_seq from signalbox.project p
       union all select q.id, 'queue', q.last_seq from signalbox.queue q
       union all select t.id, 'runtime', t.last_seq from signalbox.runtime t) s
     left join signalbox.event e on e.stream_id = s.id and e.stream = s.stream
     group by s.id, s.stream, s.last_seq having coalesce(max(e.seq), 0) <> s.last_seq`,
  ),
  ofStreams(
    "I-12 origin",
    "a run has one submission, in its own project, and its first event says so",
    `select r.id as subject, null::bigint as seq, 'has no submission' as detail
     from signalbox.run r left join signalbox.run_spec s
       on s.run_id = r.id and s.project_id = r.project_id where s.run_id is null
       and ${within("r.id")}
     union all select s.run_id, null, 'was submitted and is not there'
     from signalbox.run_spec s left join signalbox.run r on r.id = s.run_id where r.id is null
       and ${within("s.run_id")}
     union all select e.stream_id, e.seq, 'begins with ' || e.type
     from signalbox.event e where e.stream = 'run'
       and ${within("e.stream_id")}
       and (e.seq = 1) <> (e.type = 'run.submitted')`,
  ),
  ofStreams(
    "I-13 producer numbers",
    "a runner's number is stored once per attempt",
    `select e.stream_id as subject, max(e.seq) as seq,
       'producer_seq ' || e.producer_seq || ' twice' as detail
     from signalbox.event e where e.producer_seq is not null
       and ${within("e.stream_id")}
     group by e.stream_id, e.attempt, e.producer_seq having count(*) > 1`,
  ),
  ofStreams(
    "I-14 counters",
    "attempts that count are those used, one row per claim, within the bounds",
    `select r.id as subject, null::bigint as seq, r.attempts_used || ' used of ' || r.max_attempts
       || ', ' || count(a.number) filter (where a.counted) || ' counted of ' || count(a.number)
       || ', token ' || r.fencing_token as detail
     from signalbox.run r left join signalbox.attempt a on a.run_id = r.id
     where ${within("r.id")}
     group by r.id, r.attempts_used, r.max_attempts, r.fencing_token
     having r.attempts_used > r.max_attempts or r.attempts_used < 0
       or count(a.number) filter (where a.counted) <> r.attempts_used
       or count(a.number) <> r.fencing_token or coalesce(max(a.number), 0) <> r.fencing_token`,
  ),
  ofStreams(
    "I-14 given back",
    "no more attempts were given back for free than each kind allows",
    `select a.run_id as subject, null::bigint as seq, count(*) || ' free' as detail
     from signalbox.attempt a where not a.counted and a.cause in ('shutdown', 'declined',
       'lost_touch', 'suspended', 'lease_expired') and ${within("a.run_id")}
     group by a.run_id having count(*) > $3::integer + $4::integer
       or count(*) filter (where a.cause = 'suspended') > $4::integer`,
    [limits.releasesFree, limits.suspensionsFree],
  ),
  ofStreams(
    "I-15 attempts end once",
    "each attempt ends with its lease, once, with a cause of the closed list",
    `select a.run_id as subject, null::bigint as seq,
       'attempt ' || a.number || ' ' || a.state || ' ' || coalesce(a.cause, '(no cause)') as detail
     from signalbox.attempt a left join lateral (
       select count(*) filter (where e.lease_delta = 1) as begun,
         count(*) filter (where e.lease_delta = -1) as ended,
         bool_or(('attempt.' || a.state) = any (e.also)) filter (where e.lease_delta = -1) as said
       from signalbox.event e where e.stream_id = a.run_id and e.attempt = a.number) e on true
     where ${within("a.run_id")} and (e.begun <> 1 or e.ended <> (a.ended_at is not null)::integer
       or (a.ended_at is not null and e.said is not true)
       or (a.cause is not null and not a.cause = any ($3::text[])))`,
    [attemptCauses],
  ),
  invariant(
    "I-16 concurrency keys",
    "no claim took a concurrency key above the limit of its run",
    `select x.stream_id as subject, x.seq, x.live || ' live of ' || x.allowed as detail from (
       select e.stream_id, e.seq, e.lease_delta, r.concurrency_limit as allowed,
         sum(e.lease_delta) over (partition by r.project_id, r.concurrency_key order by e.feed)
           as live
       from signalbox.event e join signalbox.run r on r.id = e.stream_id
       where e.lease_delta <> 0 and r.concurrency_key is not null) x
     where x.lease_delta = 1 and x.live > x.allowed`,
  ),
  ofStreams(
    "I-22 after a cancel",
    "after an accepted cancel there is no further claim, and the run ends cancelled or timeout",
    `select e.stream_id as subject, e.seq, e.type || ' after the cancel' as detail
     from signalbox.event e join signalbox.event c on c.stream_id = e.stream_id
       and c.type = 'run.cancel_requested' and e.seq > c.seq
     where ${within("c.stream_id")}
       and (e.lease_delta = 1 or e.to_state in ('pending', 'completed', 'failed'))`,
  ),

  invariant(
    "I-23 dead letters",
    "a dead letter has failed, and is redriven at most once",
    `select r.id as subject, null::bigint as seq, 'dead letter, and ' || r.state as detail
     from signalbox.run r where r.dead_lettered_at is not null and r.state <> 'failed'
     union all select s.redrive_of, null, count(*) || ' redrives'
     from signalbox.run_spec s where s.redrive_of is not null
     group by s.redrive_of having count(*) > 1`,
  ),
  ofStreams(
    "I-27 projects",
    "rows that belong together belong to one project",
    `select r.id as subject, null::bigint as seq, 'lane of another project' as detail
     from signalbox.run r left join signalbox.lane l
       on l.id = r.lane_id and l.project_id = r.project_id where l.id is null and ${within("r.id")}
     union all select a.run_id, null, 'attempt of another project'
     from signalbox.attempt a left join signalbox.run r
       on r.id = a.run_id and r.project_id = a.project_id
     where r.id is null and ${within("a.run_id")}
     union all select e.stream_id, e.seq, 'event of another project'
     from signalbox.event e left join signalbox.run r
       on r.id = e.stream_id and r.project_id = e.project_id
     where e.stream = 'run' and r.id is null and ${within("e.stream_id")}
     union all select d.run_id, null, 'dependency of another project'
     from signalbox.run_dependency d
     left join signalbox.run r on r.id = d.run_id and r.project_id = d.project_id
     left join signalbox.run p on p.id = d.depends_on and p.project_id = d.project_id
     where ${within("d.run_id")} and (r.id is null or p.id is null)`,
  ),
  invariant(
    "I-27 projects of tags",
    "a tag is in the project of its run",
    `select t.run_id as subject, null::bigint as seq, 'tag ' || t.tag as detail
     from signalbox.run_tag t left join signalbox.run r
       on r.id = t.run_id and r.project_id = t.project_id where r.id is null`,
  ),
  ofStreams(
    "I-29 actors",
    "every event says who caused it and in which request",
    `select e.stream_id as subject, e.seq, e.type as detail
     from signalbox.event e where ${within("e.stream_id")}
       and (e.actor is null or e.request_id is null)`,
  ),
];

/** Every invariant that this schema can be asked about, by what it is about. */
export const invariantParts = {
  runs: runInvariants,
  fleet: fleetInvariants,
  operate: operateInvariants,
  approvals: approvalInvariants,
  sinks: sinkInvariants,
  contents: contentInvariants,
} as const;

export const invariants: readonly Invariant[] = Object.values(invariantParts).flat();

/**
 * Asks every invariant and returns what violates one, in the order of the list. `reader` acts as
 * `signalbox_house`: another role sees no rows, and would find nothing wrong.
 */
export async function checkInvariants(reader: Reader): Promise<Violation[]> {
  const found: Violation[] = [];
  for (const one of invariants) {
    found.push(...(await reader.within([], (runner) => violationsOf(runner, one))));
  }
  return found;
}

/** What violates one invariant among the streams of a range, as this session sees it. */
export async function violationsOf(
  runner: Runner,
  one: Invariant,
  range: Range = everyStream,
): Promise<Violation[]> {
  const { judge } = one;
  if (judge !== undefined) return judgedRows(runner, { ...one, judge }, range);
  const values = one.ofStreams ? [range.after, range.until, ...one.values] : one.values;
  const rows = await runner.query<Omit<Violation, "invariant">>(one.statement, values);
  return rows.map((row) => ({ invariant: one.name, ...row }));
}

/** Page by page, since what is judged may be large. */
async function judgedRows(
  runner: Runner,
  one: Invariant & Required<Pick<Invariant, "judge">>,
  { after, until }: Range,
): Promise<Violation[]> {
  const found: Violation[] = [];
  for (let last = after; found.length < MOST_VIOLATIONS;) {
    const rows = await runner.query<{ subject: string }>(one.statement, [last, until]);
    for (const row of rows) {
      const detail = one.judge(row);
      if (detail !== null)
        found.push({ invariant: one.name, subject: row.subject, seq: null, detail });
    }
    if (rows.length < JUDGED) break;
    last = rows.at(-1)?.subject as string;
  }
  return found.slice(0, MOST_VIOLATIONS);
}
