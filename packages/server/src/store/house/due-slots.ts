// Agents in whose calendar time has reached something, across all projects, as the role `house`.
// Promises: reads only; every find is a hint that is decided again under the agent's lock; a slot
// that was put off is found again when its agent is idle, or may be put off again, or is over.
// Leaves to others: deciding (`domain/slot.ts`), writing (as `app`).

import { DEFER_EVERY_MS } from "../../domain/slot.ts";
import type { AgentRef } from "../agents.ts";
import type { Runner } from "../db.ts";
import { statement } from "../db.ts";

const due = statement(
  "agents_with_slots_to_decide",
  `select s.project_id, s.agent as name
   from (select statement_timestamp() + make_interval(secs => $3::double precision / 1000) as now) t
   join signalbox.slot s on s.status in ('not_started', 'deferred', 'ongoing', 'paused')
     and s.starts_at <= t.now and (s.project_id, s.agent) > ($1::uuid, $2::text)
   cross join lateral (select a.status, a.paused_at, a.slot_id from signalbox.agent a
     where a.project_id = s.project_id and a.name = s.agent limit 1) a
   left join lateral (select r.finished_at from signalbox.run r where r.id = s.run_id limit 1) r
     on true
   where case
     when s.status in ('not_started', 'deferred') then s.ends_at <= t.now
       or (a.status = 'idle' and a.paused_at is null and a.slot_id is null)
       or s.deferred_at is null
       or s.deferred_at <= t.now - make_interval(secs => $4::double precision / 1000)
     when s.run_template is null then s.ends_at <= t.now
     else s.run_id is null or r.finished_at is not null end
   group by s.project_id, s.agent order by s.project_id, s.agent limit $5`,
);

/** Agents whose slots ask for a decision, after a cursor. */
export async function agentsWithSlotsToDecide(
  runner: Runner,
  offsetMs: number,
  page: { readonly after: AgentRef; readonly limit: number },
): Promise<{ project_id: string; name: string }[]> {
  const { after, limit } = page;
  return runner.query(due, [after.projectId, after.name, offsetMs, DEFER_EVERY_MS, limit]);
}
