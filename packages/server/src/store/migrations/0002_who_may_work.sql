-- 0002: who may work: agents with their status, accounts with their limits, allowances with what is
-- reserved and spent, usage, slots; and what a run must know of them while it is claimed.

create domain signalbox.agent_status as text check (value in ('offline', 'exhausted', 'on_call',
  'busy', 'idle'));
create domain signalbox.exhaustion_state as text check (value in ('open', 'closed', 'half_open'));
create domain signalbox.limit_reason as text check (value in ('rate_limit', 'quota', 'billing',
  'overloaded'));
create domain signalbox.allowance_scope as text collate "C" check (value in ('project', 'agent',
  'account', 'model'));
create domain signalbox.allowance_metric as text check (value in ('tokens', 'cost_micros', 'runs',
  'concurrent_runs'));
create domain signalbox.slot_type as text check (value in ('work', 'on_call', 'entertainment',
  'system'));

-- Whether anything besides queues and stops limits its claims: agents with settings, exhausted
-- accounts, allowances. Until then claims read none of it. It never goes back. Who sets it holds
-- the project's lock alone, so claims under way (they share it) come before or after.
alter table signalbox.project add column regulated boolean not null default false;

-- ---- agents and accounts ------------------------------------------------------------------------

create table signalbox.agent (
  id uuid primary key,
  project_id uuid not null references signalbox.project (id),
  name text collate "C" not null check (length(name) between 1 and 200),
  description text,
  status signalbox.agent_status not null default 'offline',
  status_reason text,
  status_since timestamptz not null,
  paused_at timestamptz,
  pause_reason text,
  paused_by text,
  capabilities text[] not null default '{}',
  models text[],
  labels jsonb not null default '{}',
  max_concurrent integer check (max_concurrent between 0 and 100000),
  max_run_duration_ms bigint check (max_run_duration_ms > 0),
  -- Accounts it draws on, in order of preference; empty stands for one of its own name.
  accounts text[] not null default '{}',
  -- The ongoing slot that occupies it or puts it on call.
  slot_id uuid,
  slot_type signalbox.slot_type,
  slot_ends_at timestamptz,
  -- What its last attempts consumed, newest first, at most 20: what is typical is reserved.
  recent_tokens bigint[] not null default '{}',
  recent_cost bigint[] not null default '{}',
  created_at timestamptz not null,
  last_seq bigint not null default 0,
  unique (project_id, name),
  check ((paused_at is null) = (pause_reason is null)
    and (paused_at is null) = (paused_by is null)),
  check ((slot_id is null) = (slot_type is null) and (slot_id is null) = (slot_ends_at is null))
) with (fillfactor = 70);

create table signalbox.account (
  id uuid primary key,
  project_id uuid not null references signalbox.project (id),
  name text collate "C" not null check (length(name) between 1 and 200),
  provider text,
  labels jsonb not null default '{}',
  created_at timestamptz not null,
  last_seq bigint not null default 0,
  unique (project_id, name)
);

-- A limit that was met: of one model of an account, or of all ('').
create table signalbox.exhaustion (
  project_id uuid not null references signalbox.project (id),
  account text collate "C" not null,
  model text collate "C" not null,
  state signalbox.exhaustion_state not null,
  reason signalbox.limit_reason not null,
  recovery_at timestamptz,
  closed_at timestamptz not null,
  doublings smallint not null default 0,
  probe_run uuid,
  probe_token integer,
  probe_since timestamptz,
  evidence jsonb not null,
  primary key (project_id, account, model),
  check ((probe_run is null) = (probe_token is null)
    and (probe_run is null) = (probe_since is null)),
  check (probe_run is null or state = 'half_open')
) with (fillfactor = 70);
-- What sweeps look for: instants of recovery, and probes under way.
create index exhaustion_recovery on signalbox.exhaustion (recovery_at, project_id, account, model)
  where state = 'closed' and recovery_at is not null;
create index exhaustion_probe on signalbox.exhaustion (probe_since, project_id, account, model)
  where probe_run is not null;

-- ---- allowances ---------------------------------------------------------------------------------

create table signalbox.allowance (
  id uuid primary key,
  project_id uuid not null references signalbox.project (id),
  scope signalbox.allowance_scope not null,
  name text collate "C",
  metric signalbox.allowance_metric not null,
  most bigint not null check (most >= 0),
  mode text not null check (mode in ('soft', 'hard', 'kill')),
  window_kind text check (window_kind in ('hour', 'day', 'week', 'month', 'rolling')),
  window_hours integer check (window_hours between 1 and 744),
  time_zone text not null default 'UTC',
  reset_minute smallint not null default 0 check (reset_minute between 0 and 1439),
  default_reserve bigint check (default_reserve >= 0),
  -- What is set aside for live attempts; they carry over from one period to the next. Amounts go up
  -- to 2^53 - 1; a sum of many must neither fail the end of an attempt nor be wrong after it.
  reserved numeric not null default 0 check (reserved >= 0),
  created_at timestamptz not null,
  deleted_at timestamptz,
  check ((scope = 'project') = (name is null)),
  check ((metric = 'concurrent_runs') = (window_kind is null)),
  check ((window_kind is not distinct from 'rolling') = (window_hours is not null))
) with (fillfactor = 50);
create index allowance_scopes on signalbox.allowance (project_id, scope, name, id)
  where deleted_at is null;

-- What was consumed in a period: a new period is a new row. What counts now are the rows with
-- starts_at <= now < ends_at: of a calendar window one, of a rolling window its buckets.
create table signalbox.allowance_period (
  allowance_id uuid not null,
  starts_at timestamptz not null,
  project_id uuid not null references signalbox.project (id),
  ends_at timestamptz not null,
  -- A refund is booked where the attempt was claimed, so a period can go below zero.
  spent numeric not null default 0,
  warned_at timestamptz,
  exceeded_at timestamptz,
  primary key (allowance_id, starts_at)
) with (fillfactor = 50);

-- What one attempt has set aside of one allowance, and what it was charged. Ends with its attempt.
create table signalbox.reservation (
  run_id uuid not null,
  number integer not null,
  allowance_id uuid not null,
  project_id uuid not null,
  remaining bigint not null check (remaining >= 0),
  charged bigint not null default 0 check (charged >= 0),
  closed_at timestamptz,
  primary key (run_id, number, allowance_id)
) with (fillfactor = 70);
create index reservation_open on signalbox.reservation (allowance_id, run_id, number)
  where closed_at is null;

-- What was given back of a charge, once per attempt and allowance: spent = charges - refunds.
create table signalbox.refund (
  allowance_id uuid not null,
  run_id uuid not null,
  number integer not null,
  project_id uuid not null,
  starts_at timestamptz not null,
  amount bigint not null check (amount > 0),
  cause text not null,
  at timestamptz not null,
  primary key (allowance_id, run_id, number)
);

-- Measured consumption, append-only: one row per report. 0 is what came with the end.
create table signalbox.usage (
  run_id uuid not null,
  number integer not null,
  producer_seq bigint not null,
  project_id uuid not null,
  at timestamptz not null,
  late boolean not null default false,
  agent text collate "C",
  account text collate "C",
  model text collate "C",
  input_tokens bigint,
  output_tokens bigint,
  cache_read_input_tokens bigint,
  reasoning_output_tokens bigint,
  cost_micros bigint,
  steps bigint,
  primary key (run_id, number, producer_seq)
);
create index usage_time on signalbox.usage (project_id, at);

-- The sum of two usages by counter; what neither knows stays unknown.
create function signalbox.add_usage(a jsonb, b jsonb) returns jsonb
language sql immutable parallel safe as $$
  select jsonb_object_agg(x.name, x.total) from (
    select e.key as name, least(sum(e.value::text::numeric), 9007199254740991)::bigint as total
    from (select p.key, p.value from jsonb_each(coalesce(a, '{}')) p union all
          select q.key, q.value from jsonb_each(coalesce(b, '{}')) q) e group by e.key) x
$$;

create trigger usage_is_append_only before update on signalbox.usage
  for each row execute function signalbox.refuse_change('usage is append-only');
create trigger usage_is_never_truncated before truncate on signalbox.usage
  for each statement execute function signalbox.refuse_change('usage is append-only');
create trigger refund_is_append_only before update on signalbox.refund
  for each row execute function signalbox.refuse_change('refunds are append-only');

-- ---- slots --------------------------------------------------------------------------------------

create table signalbox.slot (
  id uuid primary key,
  project_id uuid not null references signalbox.project (id),
  agent text collate "C" not null check (length(agent) between 1 and 200),
  type signalbox.slot_type not null,
  title text,
  priority smallint not null check (priority between 0 and 99),
  status text not null check (status in ('not_started', 'ongoing', 'deferred', 'skipped', 'paused',
    'finished', 'aborted')),
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  started_at timestamptz,
  ended_at timestamptz,
  deferred_at timestamptz,
  content jsonb,
  run_template jsonb,
  run_id uuid,
  reason text,
  created_at timestamptz not null,
  last_seq bigint not null default 0,
  check (ends_at > starts_at),
  check ((status in ('skipped', 'finished', 'aborted')) = (ended_at is not null))
) with (fillfactor = 70);
create index slot_due on signalbox.slot (starts_at, id)
  where status in ('not_started', 'deferred', 'ongoing', 'paused');
create index slot_agent on signalbox.slot (project_id, agent, starts_at, id);
create index slot_list on signalbox.slot (project_id, id);

-- ---- what a run knows while it is claimed -------------------------------------------------------

-- Compared with the names of agents, byte by byte, and an index needs the same collation.
alter table signalbox.run alter column agent type text collate "C";
alter table signalbox.run
  -- Account its newest attempt draws on.
  add column account text collate "C",
  -- Longest duration of its newest attempt, by the agent.
  add column duration_cap_ms bigint,
  -- Whether its live attempt has open reservations, or tries whether a limit is over.
  add column metered boolean not null default false,
  add column probing boolean not null default false;
alter table signalbox.run_spec add column agent_timeout_ms bigint;
-- Live attempts of an agent, or of a project. The state stands in the condition so that only who
-- asks for it goes this way: who counts a concurrency key must not, whatever is known of the table.
create index run_live on signalbox.run (project_id, agent)
  where lease_expires_at is not null and state <> 'pending';
create index run_spec_agent_timeout on signalbox.run_spec (project_id, agent, run_id)
  where agent_timeout_ms is not null;

-- Why a due run has not been claimed, and how often that was told.
create table signalbox.run_block (
  run_id uuid primary key,
  project_id uuid not null,
  codes text not null,
  since timestamptz not null,
  told_codes text,
  told smallint not null default 0
) with (fillfactor = 70);

-- ---- who may see what ---------------------------------------------------------------------------

do $$
declare
  name text;
begin
  foreach name in array array['agent', 'account', 'exhaustion', 'allowance', 'allowance_period',
    'reservation', 'refund', 'usage', 'slot', 'run_block'] loop
    execute format('alter table signalbox.%I enable row level security', name);
    execute format('alter table signalbox.%I force row level security', name);
    execute format('create policy app on signalbox.%I to signalbox_app
      using (project_id = any ((select signalbox.projects())::uuid[]))
      with check (project_id = any ((select signalbox.projects())::uuid[]))', name);
    execute format('create policy house on signalbox.%I for select to signalbox_house using (true)',
      name);
    execute format('grant select on signalbox.%I to signalbox_app, signalbox_house', name);
  end loop;
end $$;

grant insert, update on signalbox.agent, signalbox.account, signalbox.exhaustion,
  signalbox.allowance, signalbox.allowance_period, signalbox.reservation, signalbox.slot,
  signalbox.run_block to signalbox_app;
grant insert on signalbox.refund, signalbox.usage to signalbox_app;
