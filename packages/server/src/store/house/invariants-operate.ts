// The invariants of what people do, and of what a run's row says besides its state: counters, ends,
// holders and reports recomputed from the events; dead letters; stops by scope; revoked keys.
// Promises: as those of runs (`invariants.ts`).
// Leaves to others: approvals and deliveries, which bring their own questions with them.

import { limits } from "../../domain/limits.ts";
import type { Invariant } from "./invariant.ts";
import { invariant, ofStreams, within } from "./invariant.ts";

const released = `('shutdown', 'declined', 'lost_touch')`;

/** Every invariant of what operators do, and of rows recomputed from events. */
export const operateInvariants: readonly Invariant[] = [
  ofStreams(
    "I-9 attempts used",
    "attempts used are the last number an event told, and what was claimed and suspended since",
    `select r.id as subject, t.seq, r.attempts_used || ' used, events say ' || t.n as detail
     from signalbox.run r cross join lateral (
       select b.seq, coalesce(b.n, 0) + count(*) filter (where e.type = 'run.claimed')
         - count(*) filter (where e.type = 'run.suspended' and e.nth <= $3::integer) as n
       from (select max(x.seq) as seq, (array_agg((x.data ->> 'attempts_used')::integer
           order by x.seq desc))[1] as n
         from signalbox.event x where x.stream_id = r.id and x.data ? 'attempts_used'
           and x.lease_delta = -1) b
       left join lateral (select y.type, y.seq,
           count(*) filter (where y.type = 'run.suspended') over (order by y.seq) as nth
         from signalbox.event y where y.stream_id = r.id
           and y.type in ('run.claimed', 'run.suspended')) e on e.seq > coalesce(b.seq, 0)
       group by b.seq, b.n) t
     where ${within("r.id")} and r.attempts_used <> t.n`,
    [limits.suspensionsFree],
  ),
  ofStreams(
    "I-9 given back",
    "releases, exhaustions and suspensions of a run are as many as its events tell",
    `select r.id as subject, null::bigint as seq, r.releases || ' releases, ' || r.exhaustions
       || ' exhaustions, ' || r.suspensions || ' suspensions; events say ' || e.releases || ', '
       || e.exhaustions || ', ' || e.suspensions as detail
     from signalbox.run r cross join lateral (
       select count(*) filter (where x.type in ('run.requeued', 'run.failed')
           and x.data ->> 'attempt_cause' in ${released}) as releases,
         count(*) filter (where x.type = 'run.requeued'
           and x.data ->> 'attempt_cause' = 'exhausted') as exhaustions,
         count(*) filter (where x.type = 'run.suspended') as suspensions
       from signalbox.event x where x.stream_id = r.id) e
     where ${within("r.id")} and (r.releases not between
         e.releases - (r.suspensions > e.suspensions)::integer
         and e.releases
       or r.exhaustions <> e.exhaustions
       or r.suspensions not between e.suspensions and e.suspensions + 1)`,
  ),
  ofStreams(
    "I-9 holders",
    "a leased run is held by its newest attempt, which is live, by the runtime that claimed it",
    `select r.id as subject, c.seq, 'is held by ' || coalesce(r.runtime, '(nobody)') || ', attempt '
       || r.fencing_token || ' by ' || coalesce(c.runtime, '(nobody)') as detail
     from signalbox.run r
     left join signalbox.attempt a on a.run_id = r.id and a.number = r.fencing_token
     left join lateral (select e.seq, e.data ->> 'runtime' as runtime from signalbox.event e
       where e.stream_id = r.id and e.lease_delta = 1 order by e.seq desc limit 1) c on true
     where ${within("r.id")} and r.lease_expires_at is not null
       and (a.id is distinct from r.attempt_id
       or a.ended_at is not null or r.runtime is distinct from c.runtime
       or a.runtime is distinct from c.runtime)`,
  ),
  ofStreams(
    "I-9 ends",
    "when, why and with what error a run ended is what its last transition told",
    `select r.id as subject, e.seq, r.end_cause || ' at ' || r.finished_at || ', its event says '
       || coalesce(e.cause, '(nothing)') || ' at ' || coalesce(e.at::text, '(never)') as detail
     from signalbox.run r left join lateral (select x.seq, x.at, x.data ->> 'cause' as cause,
         x.data #>> '{error,code}' as code, 'run.dead_lettered' = any (x.also) as dead
       from signalbox.event x where x.stream_id = r.id and x.to_state is not null
       order by x.seq desc limit 1) e on true
     where ${within("r.id")} and r.finished_at is not null and (r.finished_at is distinct from e.at
       or r.end_cause is distinct from e.cause
       or (e.code is not null and r.error ->> 'code' is distinct from e.code)
       or (r.dead_lettered_at is not null) <> coalesce(e.dead, false)
       or r.dead_lettered_at <> e.at)`,
  ),
  ofStreams(
    "I-18 reported",
    "what an event says was consumed was booked under its number",
    `select e.stream_id as subject, e.seq, 'reported as ' || e.producer_seq || ', booked '
       || coalesce(u.input_tokens::text, '(nothing)') as detail
     from signalbox.event e left join signalbox.usage u on u.run_id = e.stream_id
       and u.number = e.attempt and u.producer_seq = e.producer_seq
     where ${within("e.stream_id")} and e.stream = 'run' and e.source = 'runner'
       and e.type = 'usage.recorded'
       and e.producer_seq is not null and e.data ? 'usage' and (u.run_id is null
       or u.input_tokens is distinct from (e.data #>> '{usage,input_tokens}')::bigint)`,
  ),
  invariant(
    "I-22 stops",
    "while a project's own stop or that of everything stands, nothing of it is claimed",
    // Stops are few, and few events stand between a stop and its end: found by the feed's index.
    `select c.stream_id as subject, c.seq, 'claimed while ' || s.scope || ' was stopped' as detail
     from (select x.*, lead(x.feed, 1, 9223372036854775807)
           over (partition by x.project_id, x.scope order by x.feed) as until
       from (select e.project_id, e.feed, e.type, coalesce(e.data ->> 'scope', 'project') as scope
         from signalbox.project p join signalbox.event e on e.stream_id = p.id
           and e.stream = 'project' and e.type in ('project.stopped', 'project.resumed')) x) s
     join signalbox.event c on c.project_id = s.project_id and c.feed > s.feed
       and c.feed < s.until and c.lease_delta = 1
     where s.type = 'project.stopped'`,
  ),

  invariant(
    "I-22 renewed under a stop",
    "what a stop ended did not count, and nothing is held long after it",
    `select a.run_id as subject, null::bigint as seq, 'attempt ' || a.number || ' counts' as detail
     from signalbox.attempt a where a.cause = 'stopped' and a.counted
     union all select r.id, null, 'is still held'
     from signalbox.everything t cross join signalbox.project p
     join signalbox.run r on r.project_id = p.id and r.lease_expires_at is not null
     where least(p.stopped_at, t.stopped_at) < clock_timestamp() - interval '15 seconds'`,
  ),
  invariant(
    "I-23 letters",
    "every dead letter stands in the list, closes once, and the run it became says so",
    `select r.id as subject, null::bigint as seq, 'is a dead letter and not in the list' as detail
     from signalbox.run r left join signalbox.dead_letter l
       on l.run_id = r.id and l.project_id = r.project_id and l.at = r.dead_lettered_at
     where r.dead_lettered_at is not null and l.run_id is null
     union all select l.run_id, null, 'is in the list and no dead letter'
     from signalbox.dead_letter l left join signalbox.run r on r.id = l.run_id
     where r.dead_lettered_at is null
     union all select l.run_id, null, 'was closed, and its log says ' || coalesce(e.types, '(no)')
     from signalbox.dead_letter l left join lateral (select string_agg(x.type, ', ') as types
       from signalbox.event x where x.stream_id = l.run_id
         and x.type in ('run.redriven', 'run.discarded')) e on true
     where e.types is distinct from case when l.became is not null then 'run.redriven'
       when l.closed_at is not null then 'run.discarded' end
     union all select l.run_id, null, 'became a run that says otherwise'
     from signalbox.dead_letter l left join signalbox.run_spec s
       on s.run_id = l.became and s.project_id = l.project_id
     join signalbox.project p on p.id = l.project_id
     where l.became is not null and s.redrive_of is distinct from l.run_id
       and (s.run_id is not null or p.feed_floor = 0)
     union all select s.redrive_of, null, 'has a redrive it does not know'
     from signalbox.run_spec s left join signalbox.dead_letter l on l.run_id = s.redrive_of
     join signalbox.project p on p.id = s.project_id
     where s.redrive_of is not null and l.became is distinct from s.run_id
       and (l.run_id is not null or p.feed_floor = 0)`,
  ),
  ofStreams(
    "I-28 revoked keys",
    "a key that was revoked, or expired, has written nothing since but what was under way",
    `select e.stream_id as subject, e.seq, e.type || ' by ' || e.actor || ', good until '
         || least(k.revoked_at, k.expires_at) as detail
     from signalbox.event e join signalbox.api_key k on k.prefix = substr(e.actor, 5)
     where ${within("e.stream_id")} and e.actor like 'key:%'
       and e.at > least(k.revoked_at, k.expires_at) + interval '60 seconds'`,
  ),
];
