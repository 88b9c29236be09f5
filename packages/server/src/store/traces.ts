// What a trace tells of attempts that have ended: their record, what was asked for, what happened.
// Promises: reads only, set-based, by key; asked only while traces are on.
// Leaves to others: spans and attribute names (engine/services/traces.ts).

import type { Row, Runner } from "./db.ts";
import { statement } from "./db.ts";

export type EndedAttempt = Row & {
  readonly run_id: string;
  readonly number: number;
  readonly id: string;
  readonly state: string;
  readonly cause: string;
  readonly agent: string | null;
  readonly account: string | null;
  readonly provider: string | null;
  readonly runtime: string;
  readonly claimed_at: number;
  readonly started_at: number | null;
  readonly ended_at: number;
  readonly error_code: string | null;
  readonly usage: Readonly<Record<string, number>> | null;
  readonly queue: string;
  readonly runner: string;
  readonly model: string | null;
  readonly conversation_id: string | null;
  readonly traceparent: string | null;
  readonly project: string;
  /** Facts of the house about it, in order, without their data. */
  readonly facts: readonly { readonly type: string; readonly at_ms: number }[] | null;
};

const ended = statement(
  "traced_attempts",
  `select a.run_id, a.number, a.id, a.state, a.cause, a.agent, a.account, c.provider, a.runtime,
     a.claimed_at, a.started_at, a.ended_at, left(a.error ->> 'code', 200) as error_code, a.usage,
     s.queue, s.runner, s.model, s.conversation_id, s.traceparent, p.name as project, f.facts
   from unnest($1::uuid[], $2::integer[]) as n(run_id, number)
   join signalbox.attempt a on a.run_id = n.run_id and a.number = n.number
   join signalbox.run_spec s on s.run_id = a.run_id
   join signalbox.project p on p.id = a.project_id
   left join signalbox.account c on c.project_id = a.project_id and c.name = a.account
   left join lateral (select jsonb_agg(jsonb_build_object('type', x.type,
       'at_ms', (extract(epoch from x.at) * 1000)::bigint) order by x.seq) as facts
     from (select e.type, e.at, e.seq from signalbox.event e where e.stream_id = a.run_id
       and e.attempt = a.number and e.source <> 'runner' order by e.seq desc limit 32) x) f on true
   where a.ended_at is not null`,
);

/** Attempts that have ended, by run and number, in no particular order. */
export async function readEndedAttempts(
  runner: Runner,
  refs: readonly { readonly runId: string; readonly number: number }[],
): Promise<EndedAttempt[]> {
  return runner.query<EndedAttempt>(ended, [
    refs.map(({ runId }) => runId),
    refs.map(({ number }) => number),
  ]);
}
