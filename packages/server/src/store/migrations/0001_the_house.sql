-- 0001: the whole of the first schema: projects, keys, runtimes, queues, lanes, runs, attempts,
-- events. Every table carries its project and has row-level security that fails closed; the few
-- installation-wide tables are marked. Hot tables have no foreign keys: their statements join on
-- the project and `signalbox verify` checks what keys would (ADR 0008).

create schema if not exists signalbox;

-- Two roles, made once per cluster. `app` serves the API and sees the projects its transaction
-- names; `house` looks across projects for sweeps, the event tail, retention and metrics.
do $$
begin
  if not exists (select from pg_roles where rolname = 'signalbox_app') then
    begin
      create role signalbox_app nologin nosuperuser nobypassrls;
    exception when duplicate_object or unique_violation then null;
    end;
  end if;
  if not exists (select from pg_roles where rolname = 'signalbox_house') then
    begin
      create role signalbox_house nologin nosuperuser nobypassrls;
    exception when duplicate_object or unique_violation then null;
    end;
  end if;
  if not pg_has_role(current_user, 'signalbox_app', 'member') then
    execute format('grant signalbox_app to %I', current_user);
  end if;
  if not pg_has_role(current_user, 'signalbox_house', 'member') then
    execute format('grant signalbox_house to %I', current_user);
  end if;
end $$;

grant usage on schema signalbox to signalbox_app, signalbox_house;

-- The projects the current transaction may see; null (nothing) when it named none.
create function signalbox.projects() returns uuid[] language sql stable parallel safe as $$
  select nullif(current_setting('app.projects', true), '')::uuid[]
$$;

-- The row-count assertion of every set-based write: a statement that touched another number of rows
-- than it was given fails its transaction.
create function signalbox.expect(written bigint, wanted bigint, what text) returns bigint
language plpgsql as $$
begin
  if written <> wanted then
    raise exception '%: wrote % rows, expected %', what, written, wanted using errcode = 'SB002';
  end if;
  return written;
end $$;

-- Words of the law, as types of their columns. A domain's CHECK is read once per session, that of a
-- table anew for every statement; flushes are small statements, of which it would be half the cost
-- (ADR 0015). What ties the columns of a row together is in the guards below.
create domain signalbox.run_state as text check (value in ('pending', 'claimed', 'running',
  'waiting_tool', 'waiting_approval', 'completed', 'failed', 'cancelled', 'timeout'));
create domain signalbox.approval_mode as text check (value in ('hold', 'suspend'));
create domain signalbox.end_cause as text check (value in ('completed', 'error', 'cancel', 'kill',
  'budget', 'deadline', 'approval', 'dependency', 'attempts'));
create domain signalbox.attempt_state as text check (value in ('spawning', 'running', 'completed',
  'failed', 'killed', 'lost', 'released'));
create domain signalbox.attempt_end as text check (value in ('completed', 'failed', 'killed',
  'lost', 'released'));
create domain signalbox.event_stream as text check (value in ('run', 'agent', 'account', 'runtime',
  'queue', 'project', 'slot'));
create domain signalbox.event_source as text check (value in ('host', 'runner', 'operator'));
create domain signalbox.event_type as text check (length(value) between 1 and 200);
create domain signalbox.sha256 as bytea check (length(value) = 32);

-- ---- installation-wide tables (no project) ------------------------------------------------------

-- One row: when a server of this installation last said that it is up (outages show as a gap).
create table signalbox.control_heartbeat (
  id smallint primary key check (id = 1),
  at timestamptz not null
);

-- Servers of this installation; a doorbell is rung only while another one listens.
create table signalbox.server (
  id uuid primary key,
  version text not null,
  started_at timestamptz not null,
  seen_at timestamptz not null
);

-- One row per flush, kept an hour: tells after a lost connection whether the commit happened.
create table signalbox.flush (
  id uuid primary key,
  at timestamptz not null
);

-- ---- projects and keys --------------------------------------------------------------------------

create table signalbox.project (
  id uuid primary key,
  name text collate "C" not null unique check (length(name) between 1 and 200),
  created_at timestamptz not null,
  stopped_at timestamptz,
  stop_reason text,
  stopped_by text,
  last_seq bigint not null default 0,
  check ((stopped_at is null) = (stop_reason is null)
    and (stopped_at is null) = (stopped_by is null))
);

-- The project's own gap-free event number in commit order; the last row a transaction locks.
create table signalbox.feed_counter (
  project_id uuid primary key references signalbox.project (id),
  n bigint not null default 0
) with (fillfactor = 50);

create table signalbox.api_key (
  id uuid primary key,
  prefix text collate "C" not null unique,
  project_id uuid references signalbox.project (id),
  name text not null,
  roles text[] not null check (cardinality(roles) > 0),
  digest bytea not null check (length(digest) = 32),
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  check (('owner' = any (roles)) = (project_id is null))
);
create index api_key_project on signalbox.api_key (project_id, id);

-- Answers of creating requests that named an Idempotency-Key, kept 7 days.
create table signalbox.idempotency (
  project_id uuid not null references signalbox.project (id),
  route text collate "C" not null,
  key text collate "C" not null,
  body_sha256 bytea not null,
  status smallint,
  response jsonb,
  at timestamptz not null,
  primary key (project_id, route, key)
);
create index idempotency_age on signalbox.idempotency (at);

-- ---- runtimes, queues, lanes --------------------------------------------------------------------

create table signalbox.runtime (
  id uuid primary key,
  project_id uuid not null references signalbox.project (id),
  name text collate "C" not null check (length(name) between 1 and 200),
  state text not null check (state in ('online', 'draining', 'stale', 'offline')),
  version text,
  capabilities text[] not null,
  labels jsonb not null,
  runners text[] not null,
  endpoint text,
  host text,
  pid integer,
  deadline_s integer not null check (deadline_s between 1 and 86400),
  registered_at timestamptz not null,
  last_heartbeat_at timestamptz not null,
  last_seq bigint not null default 0,
  unique (project_id, name)
) with (fillfactor = 70);

-- Which agents a runtime works as, and when it last said so: written by claims and heartbeats.
create table signalbox.presence (
  project_id uuid not null references signalbox.project (id),
  agent text collate "C" not null check (length(agent) between 1 and 200),
  runtime_id uuid not null,
  last_heartbeat_at timestamptz not null,
  primary key (project_id, agent, runtime_id)
) with (fillfactor = 50);

create table signalbox.queue (
  project_id uuid not null references signalbox.project (id),
  name text collate "C" not null check (length(name) between 1 and 200),
  id uuid not null unique,
  paused_at timestamptz,
  pause_reason text,
  paused_by text,
  last_seq bigint not null default 0,
  primary key (project_id, name),
  check ((paused_at is null) = (pause_reason is null) and (paused_at is null) = (paused_by is null))
);

-- Runs that share queue, runner, requires, agent, runtime, model and account wait in one lane.
create table signalbox.lane (
  id uuid primary key,
  project_id uuid not null references signalbox.project (id),
  key text collate "C" not null,
  queue text collate "C" not null,
  runner text collate "C" not null,
  requires text[] not null,
  agent text collate "C",
  runtime text collate "C",
  model text collate "C",
  account text collate "C",
  created_at timestamptz not null,
  unique (project_id, key)
);

-- ---- runs ---------------------------------------------------------------------------------------

-- The moving part of a run: narrow, few indexes, rewritten at every step.
create table signalbox.run (
  id uuid primary key,
  project_id uuid not null,
  lane_id uuid not null,
  attempt_id uuid,
  rank bigint not null,
  last_seq bigint not null,
  last_producer_seq bigint not null default 0,
  created_at timestamptz not null,
  lease_expires_at timestamptz,
  due_at timestamptz,
  claimed_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  not_before timestamptz,
  deadline_at timestamptz,
  cancel_requested_at timestamptz,
  dead_lettered_at timestamptz,
  lease_ms integer,
  max_duration_ms bigint,
  fencing_token integer not null default 0,
  concurrency_limit integer not null default 1,
  open_dependencies integer not null default 0,
  step_count integer not null default 0,
  priority smallint not null,
  held smallint not null default 0,
  attempts_used smallint not null default 0,
  max_attempts smallint not null,
  releases smallint not null default 0,
  exhaustions smallint not null default 0,
  suspensions smallint not null default 0,
  fail_with_dependency boolean not null default false,
  state signalbox.run_state not null,
  approval_mode signalbox.approval_mode,
  end_cause signalbox.end_cause,
  attempt_end signalbox.attempt_end,
  runtime text,
  agent text,
  concurrency_key text collate "C",
  status_reason text,
  backoff jsonb,
  error jsonb,
  metadata_patch jsonb,
  output_sha256 bytea,
  output jsonb,
  checkpoint jsonb
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_insert_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05);

create index run_ready on signalbox.run (lane_id, rank, id) where state = 'pending' and held = 0;
create index run_due on signalbox.run (due_at, id) where due_at is not null;
create index run_key_waiting on signalbox.run (project_id, concurrency_key, rank, id)
  where concurrency_key is not null and state = 'pending';
create index run_key_live on signalbox.run (project_id, concurrency_key)
  where concurrency_key is not null and lease_expires_at is not null;

-- What was asked for: written once, read with the claim and by screens.
create table signalbox.run_spec (
  run_id uuid primary key,
  project_id uuid not null references signalbox.project (id),
  created_at timestamptz not null,
  idempotency_key text collate "C",
  body_sha256 bytea not null,
  input_sha256 bytea not null,
  queue text collate "C" not null,
  runner text collate "C" not null,
  requires text[] not null,
  agent text collate "C",
  runtime text collate "C",
  model text collate "C",
  account text collate "C",
  parent_run uuid,
  redrive_of uuid unique,
  depends_on uuid[] not null,
  tags text[] not null,
  conversation_id text collate "C",
  thread_id text collate "C",
  workspace_id text collate "C",
  bot_id text collate "C",
  binding_id text collate "C",
  event_id text collate "C",
  traceparent text,
  submitted_by text,
  estimate jsonb,
  metadata jsonb not null,
  authorization_snapshot jsonb,
  input jsonb
);
create unique index run_spec_list on signalbox.run_spec (project_id, run_id);
create unique index run_spec_idempotency on signalbox.run_spec (project_id, idempotency_key)
  where idempotency_key is not null;
create index run_spec_parent on signalbox.run_spec (parent_run, run_id)
  where parent_run is not null;
create index run_spec_conversation on signalbox.run_spec (project_id, conversation_id, run_id)
  where conversation_id is not null;
create index run_spec_thread on signalbox.run_spec (project_id, thread_id, run_id)
  where thread_id is not null;

create table signalbox.run_tag (
  project_id uuid not null references signalbox.project (id),
  tag text collate "C" not null,
  run_id uuid not null,
  primary key (project_id, tag, run_id)
);

create table signalbox.run_dependency (
  run_id uuid not null,
  depends_on uuid not null,
  project_id uuid not null references signalbox.project (id),
  primary key (run_id, depends_on)
);
create index run_dependency_dependents on signalbox.run_dependency (depends_on, run_id);

-- The n-th try at a run; number = fencing token.
create table signalbox.attempt (
  run_id uuid not null,
  number integer not null,
  id uuid not null,
  project_id uuid not null,
  state signalbox.attempt_state not null,
  counted boolean not null,
  agent text,
  runtime text not null,
  account text,
  claimed_at timestamptz not null,
  started_at timestamptz,
  ended_at timestamptz,
  terminated_at timestamptz,
  cause text,
  pid integer,
  host text,
  exit_code integer,
  signal text,
  error jsonb,
  usage jsonb,
  key_digest signalbox.sha256 not null,
  child_digest signalbox.sha256 not null,
  primary key (run_id, number)
) with (fillfactor = 70);

-- ---- the register -------------------------------------------------------------------------------

create table signalbox.event (
  stream_id uuid not null,
  seq bigint not null check (seq > 0),
  project_id uuid not null,
  feed bigint not null check (feed > 0),
  at timestamptz not null,
  lease_expires_at timestamptz,
  producer_seq bigint,
  attempt integer,
  lease_delta smallint not null default 0,
  late boolean not null default false,
  stream signalbox.event_stream not null,
  type signalbox.event_type not null,
  source signalbox.event_source not null,
  from_state text,
  to_state text,
  also text[],
  actor text,
  request_id text,
  traceparent text,
  data jsonb,
  primary key (stream_id, seq)
) with (autovacuum_vacuum_insert_scale_factor = 0.1);
create unique index event_feed on signalbox.event (project_id, feed);

-- ---- what raw SQL may not do either -------------------------------------------------------------

create function signalbox.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% of %.% is refused: %', tg_op, tg_table_schema, tg_table_name, tg_argv[0]
    using errcode = 'SB001';
end $$;

-- Terminal is final: state, cause, output, error and the end never change again. Steps are those of
-- the transition table (several of one attempt may land in one write). Identity stays, counters
-- grow. The columns of a row fit its state: a lease exactly in the states that have one, with all
-- that belongs to it; an end with instant and cause; what is held back waits; counters in bounds.
create function signalbox.guard_run() returns trigger language plpgsql as $$
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
  return new;
end $$;
create trigger run_is_guarded before insert or update on signalbox.run
  for each row execute function signalbox.guard_run();

-- An attempt that has ended has an instant and a cause, and ends once.
create function signalbox.guard_attempt() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if old.ended_at is not null and (new.state <> old.state or new.counted <> old.counted
      or new.ended_at is distinct from old.ended_at or new.cause is distinct from old.cause)
    then
      raise exception '% of signalbox.attempt is refused: an attempt ends once', tg_op
        using errcode = 'SB001';
    end if;
  end if;
  if (new.state in ('spawning', 'running')) <> (new.ended_at is null)
    or (new.ended_at is null) <> (new.cause is null) or new.number < 1
  then
    raise exception '% of signalbox.attempt is refused: no attempt of state % has such columns',
      tg_op, new.state using errcode = 'SB003';
  end if;
  return new;
end $$;
create trigger attempt_is_guarded before insert or update on signalbox.attempt
  for each row execute function signalbox.guard_attempt();

create trigger event_is_append_only before update on signalbox.event
  for each row execute function signalbox.refuse_change('the register is append-only');
create trigger event_is_never_truncated before truncate on signalbox.event
  for each statement execute function signalbox.refuse_change('the register is append-only');

-- ---- who may see what ---------------------------------------------------------------------------

do $$
declare
  name text;
begin
  foreach name in array array['feed_counter', 'idempotency', 'runtime', 'presence', 'queue', 'lane',
    'run', 'run_spec', 'run_tag', 'run_dependency', 'attempt', 'event'] loop
    execute format('alter table signalbox.%I enable row level security', name);
    execute format('alter table signalbox.%I force row level security', name);
    execute format('create policy app on signalbox.%I to signalbox_app
      using (project_id = any ((select signalbox.projects())::uuid[]))
      with check (project_id = any ((select signalbox.projects())::uuid[]))', name);
    execute format('create policy house on signalbox.%I for select to signalbox_house using (true)',
      name);
    execute format('grant select on signalbox.%I to signalbox_app, signalbox_house', name);
  end loop;
  foreach name in array array['control_heartbeat', 'server', 'flush'] loop
    execute format('alter table signalbox.%I enable row level security', name);
    execute format('alter table signalbox.%I force row level security', name);
    execute format('create policy house on signalbox.%I to signalbox_house using (true)
      with check (true)', name);
    execute format('grant select, insert, update, delete on signalbox.%I to signalbox_house', name);
  end loop;
end $$;

-- The flush row is written by the flush itself.
create policy app on signalbox.flush to signalbox_app using (true) with check (true);
grant select, insert on signalbox.flush to signalbox_app;

alter table signalbox.project enable row level security;
alter table signalbox.project force row level security;
create policy app on signalbox.project to signalbox_app
  using (id = any ((select signalbox.projects())::uuid[]))
  with check (id = any ((select signalbox.projects())::uuid[]));
create policy house on signalbox.project for select to signalbox_house using (true);
grant select, insert, update on signalbox.project to signalbox_app;
grant select on signalbox.project to signalbox_house;

-- A key may also be seen by the request that presents its public prefix, before its project is
-- known.
alter table signalbox.api_key enable row level security;
alter table signalbox.api_key force row level security;
create policy app on signalbox.api_key to signalbox_app
  using (project_id = any ((select signalbox.projects())::uuid[])
    or prefix = nullif(current_setting('app.key_prefix', true), ''))
  with check (project_id = any ((select signalbox.projects())::uuid[]));
create policy house on signalbox.api_key for select to signalbox_house using (true);
create policy house_owner_keys on signalbox.api_key for insert to signalbox_house
  with check (project_id is null);
grant select, insert, update on signalbox.api_key to signalbox_app;
grant select, insert on signalbox.api_key to signalbox_house;

grant insert, update on signalbox.feed_counter, signalbox.idempotency, signalbox.runtime,
  signalbox.presence,
  signalbox.queue, signalbox.run, signalbox.attempt to signalbox_app;
grant insert on signalbox.run_dependency to signalbox_app;
grant insert on signalbox.lane, signalbox.run_spec, signalbox.run_tag, signalbox.event
  to signalbox_app;

-- House cleaning of what is kept for a time only.
create policy house_cleans on signalbox.idempotency for delete to signalbox_house using (true);
grant delete on signalbox.idempotency to signalbox_house;
