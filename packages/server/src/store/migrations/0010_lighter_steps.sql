-- 0010: what a step of a run costs the database. Measured in batches of 256 rows (ADR 0040): a
-- generated column beside a trigger was a third of an update that changes two counters, for which
-- the guard of the whole row was called too.

-- The code of an error is written by the guard: rows keep theirs, nothing is rewritten.
alter table signalbox.run alter column error_code drop expression;

create or replace function signalbox.guard_run() returns trigger language plpgsql as $$
declare
  wrong text;
  leased boolean := new.lease_expires_at is not null;
  ended boolean := new.finished_at is not null;
begin
  if tg_op = 'UPDATE' then
    if old.finished_at is not null and (new.state <> old.state
      or new.end_cause is distinct from old.end_cause
      or new.status_reason is distinct from old.status_reason
      or new.finished_at is distinct from old.finished_at
      or new.output is distinct from old.output
      or new.output_sha256 is distinct from old.output_sha256
      or new.error is distinct from old.error
      or new.fencing_token <> old.fencing_token
      or new.attempts_used <> old.attempts_used)
    then
      wrong := 'an ended run never changes';
    elsif old.state <> new.state and not (case old.state
      when 'pending' then new.state in ('claimed', 'failed', 'cancelled', 'timeout')
      when 'claimed' then new.state <> 'claimed'
      when 'running' then new.state not in ('claimed', 'running')
      when 'waiting_tool' then new.state not in ('claimed', 'waiting_tool')
      when 'waiting_approval' then new.state <> 'claimed'
      else false end)
    then
      wrong := 'the transition table has no such step';
    elsif new.id <> old.id or new.project_id <> old.project_id or new.rank <> old.rank
      or new.created_at <> old.created_at or new.fencing_token < old.fencing_token
      or new.last_seq < old.last_seq
    then
      wrong := 'identity, rank and counters of a run only grow';
    end if;
  end if;
  if wrong is not null then
    raise exception '% of signalbox.run is refused: %', tg_op, wrong using errcode = 'SB001';
  end if;
  if (leased = (case new.state when 'claimed' then true when 'running' then true
      when 'waiting_tool' then true
      when 'waiting_approval' then new.approval_mode is not distinct from 'hold' else false end)
    and ended = (new.state in ('completed', 'failed', 'cancelled', 'timeout'))
    and (new.state = 'waiting_approval') = (new.approval_mode is not null)
    and (not leased or (new.attempt_id is not null and new.lease_ms is not null
      and new.claimed_at is not null and new.attempt_end is null and new.due_at is not null
      and new.due_at <= new.lease_expires_at))
    and (new.attempt_id is null) = (new.fencing_token = 0)
    and new.attempts_used between 0 and least(new.max_attempts::integer, new.fencing_token)
    and ended = (new.end_cause is not null)
    and (new.dead_lettered_at is null or new.state = 'failed')
    and (not ended or new.due_at is null)
    and (new.held = 0 or new.state = 'pending')
    and new.last_seq > 0 and new.held between 0 and 7 and new.open_dependencies >= 0
    and new.priority between 0 and 99 and new.max_attempts between 1 and 100
    and new.concurrency_limit between 1 and 10000) is not true
  then
    raise exception '% of signalbox.run is refused: no run of state % has such columns', tg_op,
      new.state using errcode = 'SB003';
  end if;
  -- Derived here and not by the table: a generated column is computed for every row that any update
  -- of a guarded table writes.
  if new.error is not null or new.error_code is not null then
    new.error_code := new.error ->> 'code';
  end if;
  return new;
end $$;

-- Steps, leases and identity are guarded; what an append changes is two counters, of which one may
-- not shrink.
drop trigger run_is_guarded on signalbox.run;
create trigger run_is_guarded before insert or update of id, project_id, rank, created_at, state,
  approval_mode, attempt_id, attempt_end, lease_expires_at, lease_ms, due_at, claimed_at,
  finished_at, dead_lettered_at, end_cause, status_reason, error, error_code, output, output_sha256,
  fencing_token, attempts_used, max_attempts, held, open_dependencies, priority, concurrency_limit
  on signalbox.run for each row execute function signalbox.guard_run();
create trigger run_log_only_grows before update of last_seq on signalbox.run
  for each row when (new.last_seq < old.last_seq)
  execute function signalbox.refuse_change('identity, rank and counters of a run only grow');

-- Dead rows are collected once there are enough of them to be worth a walk through all indexes.
alter table signalbox.run set (autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_vacuum_threshold = 5000);
alter table signalbox.attempt set (autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_vacuum_threshold = 5000);
