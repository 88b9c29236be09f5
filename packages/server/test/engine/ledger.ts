// The ledger: questions about allowances, reservations, usage and limits of accounts that must have
// no answer, asked of a whole database. Each row that comes back is a booking that is wrong.
// Leaves to others: the register of runs (test/store/checker.ts).

import type pg from "pg";
import { expect } from "vitest";

const questions: { readonly [promise: string]: string } = {
  "what is reserved is what open reservations have left": `
    select w.project_id, w.id::text as subject,
      w.reserved || ' reserved, left ' || v.remaining as detail
    from signalbox.allowance w cross join lateral (
      select coalesce(sum(v.remaining), 0) as remaining from signalbox.reservation v
      where v.allowance_id = w.id and v.closed_at is null) v where w.reserved <> v.remaining`,
  "what is spent is what was charged less what was given back": `
    select w.project_id, w.id::text as subject,
      p.spent || ' spent, charged ' || v.charged || ', refunds '
      || f.amount as detail
    from signalbox.allowance w
    cross join lateral (select coalesce(sum(p.spent), 0) as spent
      from signalbox.allowance_period p where p.allowance_id = w.id) p
    cross join lateral (select coalesce(sum(v.charged), 0) as charged
      from signalbox.reservation v where v.allowance_id = w.id) v
    cross join lateral (select coalesce(sum(f.amount), 0) as amount
      from signalbox.refund f where f.allowance_id = w.id) f
    where p.spent <> v.charged - f.amount`,
  "a reservation is open while its attempt is live at most, and has nothing left then": `
    select v.project_id, v.run_id::text as subject,
      'attempt ' || v.number || ' ' || a.state || ', left '
      || v.remaining || ', closed ' || coalesce(v.closed_at::text, 'never') as detail
    from signalbox.reservation v
    join signalbox.attempt a on a.run_id = v.run_id and a.number = v.number
    where (a.ended_at is not null and v.closed_at is null)
      or (v.closed_at is not null and v.remaining > 0)`,
  "what an attempt consumed is what it reported, each report once": `
    select a.project_id, a.run_id::text as subject,
      'attempt ' || a.number || ': ' || coalesce(a.usage::text, '-')
      || ', rows ' || coalesce(u.input::text, '-') || ' ' || coalesce(u.cost::text, '-') as detail
    from signalbox.attempt a cross join lateral (
      select sum(u.input_tokens) as input, sum(u.cost_micros) as cost from signalbox.usage u
      where u.run_id = a.run_id and u.number = a.number) u
    where (a.usage ->> 'input_tokens')::numeric is distinct from u.input
      or (a.usage ->> 'cost_micros')::numeric is distinct from u.cost`,
  "a refund is no more than the charge": `
    select f.project_id, f.run_id::text as subject, f.amount || ' of ' || v.charged as detail
    from signalbox.refund f join signalbox.reservation v on v.run_id = f.run_id
      and v.number = f.number and v.allowance_id = f.allowance_id where f.amount > v.charged`,
  "who tries a limit holds a lease": `
    select e.project_id, e.account as subject,
      'run ' || e.probe_run || ' token ' || e.probe_token as detail
    from signalbox.exhaustion e left join signalbox.run r on r.id = e.probe_run
      and r.fencing_token = e.probe_token and r.lease_expires_at is not null
    where e.probe_run is not null and r.id is null`,
  "rows that belong together belong to one project": `
    select v.project_id, v.run_id::text as subject, 'reservation of another project' as detail
    from signalbox.reservation v join signalbox.run r on r.id = v.run_id
    join signalbox.allowance w on w.id = v.allowance_id
    where r.project_id <> v.project_id or w.project_id <> v.project_id
    union all select u.project_id, u.run_id::text, 'usage of another project'
    from signalbox.usage u left join signalbox.run r on r.id = u.run_id
      and r.project_id = u.project_id where r.id is null`,
  "the last number of an agent or account is that of its last event": `
    select s.project_id, s.id::text as subject,
      s.last_seq || ', events ' || coalesce(max(e.seq), 0) as detail
    from (select a.project_id, a.id, a.last_seq from signalbox.agent a
      union all select c.project_id, c.id, c.last_seq from signalbox.account c) s
    left join signalbox.event e on e.stream_id = s.id
    group by s.project_id, s.id, s.last_seq having coalesce(max(e.seq), 0) <> s.last_seq`,
  "an account that rests is claimed on by nobody": `
    select x.project_id, x.account as subject, 'claimed at feed ' || x.feed as detail from (
      select e.project_id, a.account, e.feed,
        (select l.type || ' ' || coalesce(l.data ->> 'state', '') from signalbox.event l
        join signalbox.account c on c.id = l.stream_id
        where l.stream = 'account' and l.project_id = e.project_id and c.name = a.account
          and l.data ->> 'model' is null and l.feed < e.feed
        order by l.feed desc limit 1) as standing
      from signalbox.event e join signalbox.attempt a on a.run_id = e.stream_id
        and a.number = e.attempt
      where e.type = 'run.claimed' and a.account is not null) x
    where x.standing = 'account.exhausted closed'`,
};

/** Fails with every booking of this database (or of one project) that is wrong. */
export async function expectBalanced(owner: pg.Client, projectId?: string): Promise<void> {
  const wrong: string[] = [];
  for (const [promise, text] of Object.entries(questions)) {
    const { rows } = await owner.query<{ subject: string; detail: string }>(
      `select q.subject, q.detail from (${text}) q
       where $1::uuid is null or q.project_id = $1 order by 1, 2 limit 20`,
      [projectId ?? null],
    );
    for (const { subject, detail } of rows) wrong.push(`${promise}: ${subject}, ${detail}`);
  }
  expect(wrong).toEqual([]);
}
