// The invariants of approvals, as questions to the database: a question and the run it holds go
// together, it is decided once, and what was executed is what was decided.
// Promises: as those of runs (`invariants.ts`).
// Leaves to others: the hashes themselves (the server makes them of canonical JSON).

import type { Invariant } from "./invariant.ts";
import { grace, ofStreams, within } from "./invariant.ts";

/** Every invariant of approvals. */
export const approvalInvariants: readonly Invariant[] = [
  ofStreams(
    "I-5 questions",
    "a pending question has an instant, and none is long past",
    `select a.run_id as subject, a.asked_seq as seq, 'is due since ' || a.due_at as detail
     from signalbox.approval a join signalbox.run r on r.id = a.run_id
     where ${within("a.run_id")} and a.status = 'pending' and r.cancel_requested_at is null
       and a.due_at < clock_timestamp() - ${grace}
     union all select a.run_id, a.asked_seq, 'has no instant' from signalbox.approval a
     where ${within("a.run_id")} and a.status = 'pending' and a.due_at is distinct from
       least(coalesce(a.hold_until, a.expires_at), a.expires_at)`,
  ),
  ofStreams(
    "I-9 answers",
    "how a question stands is what the events of its run say",
    `select a.run_id as subject, a.asked_seq as seq,
       'is ' || a.status || ', its events say ' || coalesce(e.said, '(nothing)') as detail
     from signalbox.approval a left join lateral (
       select string_agg(distinct case e.type
           when 'approval.approved' then 'approved' when 'approval.rejected' then 'rejected'
           when 'approval.cancelled' then 'cancelled'
           else case when 'approval.approved' = any (e.also) then 'approved' else 'expired' end
         end, ', ') as said, count(*) as times,
         count(*) filter (where e.data ->> 'decided_sha256'
           is distinct from encode(a.decided_sha256, 'hex')) as others
       from signalbox.event e where e.stream_id = a.run_id and e.seq > a.asked_seq
         and e.type in ('approval.approved', 'approval.rejected', 'approval.expired',
           'approval.cancelled')
         and e.data ->> 'approval_id' = (select q.data ->> 'approval_id' from signalbox.event q
           where q.stream_id = a.run_id and q.seq = a.asked_seq)) e on true
     where ${within("a.run_id")} and ((a.status = 'pending') <> (e.times = 0)
       or e.times > 1 or e.others > 0
       or (a.status <> 'pending' and e.said is distinct from a.status))
     union all select a.run_id, a.asked_seq, 'was never asked for'
     from signalbox.approval a left join signalbox.event e on e.stream_id = a.run_id
       and e.seq = a.asked_seq and e.type = 'approval.requested'
     where ${within("a.run_id")} and (e.seq is null
       or e.data ->> 'asked_sha256' <> encode(a.asked_sha256, 'hex'))
     union all select e.stream_id, e.seq, 'was asked and is not there'
     from signalbox.event e left join signalbox.approval a on a.run_id = e.stream_id
       and a.asked_seq = e.seq
     where e.type = 'approval.requested' and a.id is null and ${within("e.stream_id")}`,
  ),
  ofStreams(
    "I-20 questions and runs",
    "a run waits for a person exactly while one question of it is pending",
    `select r.id as subject, null::bigint as seq,
       r.state || ' with ' || count(a.id) || ' pending questions' as detail
     from signalbox.run r left join signalbox.approval a on a.run_id = r.id
       and a.status = 'pending'
     where ${within("r.id")}
     group by r.id, r.state having count(a.id) <> (r.state = 'waiting_approval')::integer`,
  ),
  ofStreams(
    "I-21 executed",
    "what was executed is what was decided, and a key stands for one action of its run",
    `select a.run_id as subject, a.asked_seq as seq, 'executed ' ||
         encode(a.executed_sha256, 'hex') as detail
     from signalbox.approval a where ${within("a.run_id")} and a.executed_sha256 is not null
       and (a.status <> 'approved' or a.executed_sha256 is distinct from a.decided_sha256)
     union all select a.run_id, a.asked_seq, 'was decided otherwise than asked, and not edited'
     from signalbox.approval a where ${within("a.run_id")} and a.status = 'approved'
       and (a.edited_arguments is null) <> (a.decided_sha256 = a.asked_sha256)
     union all select e.stream_id, e.seq, 'executed what was not decided'
     from signalbox.event e where ${within("e.stream_id")} and e.type = 'approval.executed'
       and e.data ->> 'executed_sha256' is distinct from e.data ->> 'decided_sha256'
     union all select a.run_id, max(a.asked_seq), 'key ' || a.key || ' for several actions'
     from signalbox.approval a where ${within("a.run_id")} and a.status <> 'cancelled'
     group by a.run_id, a.key having count(*) > 1`,
  ),
  ofStreams(
    "I-27 projects of questions",
    "a question is in the project of its run",
    `select a.run_id as subject, a.asked_seq as seq, 'project ' || a.project_id as detail
     from signalbox.approval a left join signalbox.run r
       on r.id = a.run_id and r.project_id = a.project_id where r.id is null
       and ${within("a.run_id")}`,
  ),
];
