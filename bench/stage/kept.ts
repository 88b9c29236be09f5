// Promises against the register: what was acknowledged and is not there.
// Promises: compares contents, not only ids: the number that went in must be the number that is
// found; also looks for what nobody promised (a key that made two runs).
// Leaves to others: making the load (load.ts), the general rules (register.ts).

import type { Promised } from "./load.ts";
import type { Register } from "./register.ts";
import { uuidOf } from "./type-id.ts";

/** How many of each kind are missing or different. All zero: everything was kept. */
export type Broken = { submits: number; events: number; completions: number; doubled: number };

const lostSubmits = `
  select count(*)::integer as n
  from unnest($1::uuid[], $2::integer[], $3::text[]) as p (id, n, key)
  left join signalbox.run_spec s on s.run_id = p.id
  where s.run_id is null or (s.input ->> 'n')::integer is distinct from p.n
    or s.idempotency_key is distinct from p.key`;

const lostEvents = `
  select count(*)::integer as n
  from unnest($1::uuid[], $2::integer[], $3::bigint[], $4::integer[])
    as p (id, attempt, producer_seq, n)
  where not exists (
    select from signalbox.event e
    where e.stream_id = p.id and e.attempt = p.attempt and e.producer_seq = p.producer_seq
      and (e.data ->> 'n')::integer = p.n)`;

const lostCompletions = `
  select count(*)::integer as n
  from unnest($1::uuid[], $2::integer[]) as p (id, n)
  left join signalbox.run r on r.id = p.id
  where r.state is distinct from 'completed' or (r.output ->> 'n')::integer is distinct from p.n`;

const doubledKeys = `
  select count(*)::integer as n from (
    select s.project_id, s.idempotency_key from signalbox.run_spec s
    where s.idempotency_key is not null
    group by s.project_id, s.idempotency_key having count(*) > 1) d`;

export async function brokenPromises(register: Register, promised: Promised): Promise<Broken> {
  const { submits, events, completions } = promised;
  const count = async (sql: string, values: unknown[]): Promise<number> =>
    (await register.rows<{ n: number }>(sql, values))[0]?.n ?? NaN;
  const numbers = (all: { n: number }[]): number[] => all.map(({ n }) => n);
  const ids = (all: { run: string }[]): string[] => all.map(({ run }) => uuidOf(run));
  return {
    submits: await count(lostSubmits, [
      ids(submits),
      numbers(submits),
      submits.map(({ key }) => key),
    ]),
    events: await count(lostEvents, [
      ids(events),
      events.map(({ attempt }) => attempt),
      events.map(({ producer_seq }) => producer_seq),
      numbers(events),
    ]),
    completions: await count(lostCompletions, [ids(completions), numbers(completions)]),
    doubled: await count(doubledKeys, []),
  };
}
