-- 0007: events out: webhooks with their secrets and deliveries, cursors of other sinks, and how
-- long a project keeps what has ended.

-- ---- webhooks -----------------------------------------------------------------------------------

create table signalbox.webhook (
  id uuid primary key,
  project_id uuid not null references signalbox.project (id),
  url text not null check (length(url) between 1 and 2000),
  description text,
  -- Types of events it wants, `run.*` for a prefix; empty: all.
  types text[] not null,
  agent text collate "C",
  queue text collate "C",
  allow_private boolean not null default false,
  -- Deliveries have been made of the project's feed up to this number.
  cursor bigint not null check (cursor >= 0),
  created_at timestamptz not null,
  disabled_at timestamptz,
  disabled_reason text,
  deleted_at timestamptz,
  -- The endpoint as a whole: failed tries since the last success, and no try before `rest_until`.
  failures integer not null default 0 check (failures >= 0),
  failing_since timestamptz,
  rest_until timestamptz,
  check ((disabled_at is null) = (disabled_reason is null)),
  check ((failures = 0) = (failing_since is null)),
  check (rest_until is null or failures > 0)
) with (fillfactor = 50);
create index webhook_list on signalbox.webhook (project_id, id) where deleted_at is null;

-- Written by the API, read by the house when it signs: the role that serves requests cannot read
-- them. The newest signs first; one that was replaced signs along until it expires.
create table signalbox.webhook_secret (
  id uuid primary key,
  project_id uuid not null references signalbox.project (id),
  webhook_id uuid not null,
  secret text not null check (secret like 'whsec\_%'),
  created_at timestamptz not null,
  expires_at timestamptz
);
create index webhook_secret_webhook on signalbox.webhook_secret (webhook_id, created_at desc, id);

-- One row per webhook and event; a test delivery has no event. Its id is the `webhook-id`.
create table signalbox.delivery (
  id uuid primary key,
  project_id uuid not null references signalbox.project (id),
  webhook_id uuid not null,
  feed bigint check (feed > 0),
  stream_id uuid,
  seq bigint check (seq > 0),
  type signalbox.event_type not null,
  state text not null check (state in ('pending', 'delivered', 'failed')),
  created_at timestamptz not null,
  -- Null: it waits for an earlier one of its stream.
  next_at timestamptz,
  lease_until timestamptz,
  leased_by uuid,
  tries integer not null default 0 check (tries >= 0),
  first_try_at timestamptz,
  last_try_at timestamptz,
  -- Failed so often that later ones of its stream do not wait for it any more.
  aside boolean not null default false,
  -- Whether the last try said that it came out of order.
  out_of_order boolean not null default false,
  status smallint,
  took_ms integer,
  error text,
  excerpt text,
  ended_at timestamptz,
  check ((feed is null) = (stream_id is null) and (feed is null) = (seq is null)),
  check ((state = 'pending') = (ended_at is null)),
  check (state = 'pending' or (next_at is null and lease_until is null)),
  check ((lease_until is null) = (leased_by is null))
) with (fillfactor = 50);
create unique index delivery_feed on signalbox.delivery (webhook_id, feed) where feed is not null;
create index delivery_due on signalbox.delivery (webhook_id, next_at, feed, id)
  where state = 'pending' and next_at is not null;
create index delivery_leased on signalbox.delivery (webhook_id, lease_until)
  where lease_until is not null;
create index delivery_line on signalbox.delivery (webhook_id, stream_id, feed)
  where state = 'pending';
create index delivery_stream on signalbox.delivery (stream_id, webhook_id, feed)
  where stream_id is not null;
create index delivery_list on signalbox.delivery (webhook_id, id);
create index delivery_ended on signalbox.delivery (ended_at, id) where ended_at is not null;

-- ---- other sinks --------------------------------------------------------------------------------

-- How far the feed of a project has been written to a sink outside, and which server writes.
create table signalbox.sink_cursor (
  project_id uuid not null references signalbox.project (id),
  sink text collate "C" not null check (length(sink) between 1 and 200),
  cursor bigint not null check (cursor >= 0),
  leased_by uuid,
  lease_until timestamptz,
  seen_at timestamptz not null,
  primary key (project_id, sink),
  check ((lease_until is null) = (leased_by is null))
) with (fillfactor = 50);

-- ---- retention ----------------------------------------------------------------------------------

alter table signalbox.project
  -- Runs that ended longer ago than this are removed; null: kept for ever.
  add column retention_days integer check (retention_days between 1 and 36500),
  -- Of the feed up to this number, events may have been removed with their runs.
  add column feed_floor bigint not null default 0 check (feed_floor >= 0);
-- What removed runs were charged, less what was given back: spent = charges - refunds + this.
alter table signalbox.allowance add column removed_spent numeric not null default 0;
create index run_ended on signalbox.run (project_id, finished_at, id)
  where finished_at is not null;

-- ---- who may see what ---------------------------------------------------------------------------

do $$
declare
  name text;
begin
  foreach name in array array['webhook', 'webhook_secret', 'delivery', 'sink_cursor'] loop
    execute format('alter table signalbox.%I enable row level security', name);
    execute format('alter table signalbox.%I force row level security', name);
    execute format('create policy app on signalbox.%I to signalbox_app
      using (project_id = any ((select signalbox.projects())::uuid[]))
      with check (project_id = any ((select signalbox.projects())::uuid[]))', name);
    execute format('create policy house on signalbox.%I for select to signalbox_house using (true)',
      name);
    execute format('grant select on signalbox.%I to signalbox_house', name);
  end loop;
end $$;

grant select, insert, update on signalbox.webhook, signalbox.delivery, signalbox.sink_cursor
  to signalbox_app;
grant insert, update (expires_at), select (id, project_id, webhook_id, created_at, expires_at)
  on signalbox.webhook_secret to signalbox_app;

-- What the house removes: runs with all that is theirs, old deliveries, secrets that expired.
do $$
declare
  name text;
begin
  foreach name in array array['run', 'run_spec', 'run_tag', 'run_dependency', 'run_block',
    'attempt', 'event', 'reservation', 'refund', 'usage', 'dead_letter', 'approval', 'delivery',
    'webhook_secret'] loop
    execute format('create policy house_removes on signalbox.%I for delete to signalbox_house
      using (true)', name);
    execute format('grant delete on signalbox.%I to signalbox_house', name);
  end loop;
  foreach name in array array['project', 'allowance', 'slot', 'run'] loop
    execute format('create policy house_notes on signalbox.%I for update to signalbox_house
      using (true) with check (true)', name);
  end loop;
end $$;
grant update (feed_floor) on signalbox.project to signalbox_house;
grant update (removed_spent) on signalbox.allowance to signalbox_house;
grant update (run_id) on signalbox.slot to signalbox_house;
-- Only so that it can lock the runs that it removes.
grant update (dead_lettered_at) on signalbox.run to signalbox_house;
