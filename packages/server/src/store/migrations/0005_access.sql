-- 0005: who may do what, and who did: keys bound to agents and rotated, sessions of browsers, the
-- trail of the installation itself, answers kept for their Idempotency-Key. What a project's keys
-- and sessions do is in the project's register; only what belongs to no project has a table here.

alter table signalbox.api_key
  -- The agents a worker's key may work as; null = any.
  add column agents text[] collate "C",
  -- To the minute or so: written beside the requests, not in them.
  add column last_used_at timestamptz,
  -- The key that was made in its place.
  add column replaced_by uuid,
  add constraint api_key_agents check (agents is null or cardinality(agents) between 1 and 100);

-- The owner's keys belong to no project, so the house ends and follows them, and no others.
create policy house_owner_keys_change on signalbox.api_key for update to signalbox_house
  using (project_id is null) with check (project_id is null);
grant update (revoked_at, expires_at, replaced_by, last_used_at) on signalbox.api_key
  to signalbox_house;

-- A login: made as a link that opens once, then the session of one browser. It can do what the key
-- can that made it, as long as that key is good.
create table signalbox.session (
  id uuid primary key,
  prefix text collate "C" not null unique,
  project_id uuid,
  key_id uuid not null,
  key_prefix text collate "C" not null,
  created_at timestamptz not null,
  link_digest bytea not null check (length(link_digest) = 32),
  link_expires_at timestamptz not null,
  digest bytea check (length(digest) = 32),
  opened_at timestamptz,
  seen_at timestamptz,
  expires_at timestamptz,
  ended_at timestamptz,
  check ((opened_at is null) = (digest is null) and (opened_at is null) = (seen_at is null)
    and (opened_at is null) = (expires_at is null)),
  check (link_expires_at > created_at and (expires_at is null or expires_at > opened_at))
);
create index session_project on signalbox.session (project_id, id);

-- What happened to what belongs to no project: owner's keys and their sessions.
create table signalbox.installation_event (
  id uuid primary key,
  at timestamptz not null,
  type text collate "C" not null check (length(type) between 1 and 200),
  actor text collate "C" not null,
  request_id text not null,
  data jsonb not null default '{}'
);
create trigger installation_event_is_append_only before update or delete
  on signalbox.installation_event
  for each row execute function signalbox.refuse_change('the register is append-only');
create trigger installation_event_is_never_truncated before truncate
  on signalbox.installation_event
  for each statement execute function signalbox.refuse_change('the register is append-only');

-- What people did, in the order of the feed.
create index event_audit on signalbox.event (project_id, feed) where source = 'operator';

-- Routes above projects keep their answers under the nil project, which has no row.
alter table signalbox.idempotency drop constraint idempotency_project_id_fkey;
alter table signalbox.idempotency
  add column sealed bytea,
  add constraint idempotency_answer check ((status is null and response is null and sealed is null)
    or (status is not null and (response is null) <> (sealed is null)));

-- ---- who may see what ---------------------------------------------------------------------------

alter table signalbox.session enable row level security;
alter table signalbox.session force row level security;
-- Like a key: seen by the request that presents its public prefix, before its project is known.
create policy app on signalbox.session to signalbox_app
  using (project_id = any ((select signalbox.projects())::uuid[])
    or prefix = nullif(current_setting('app.key_prefix', true), ''))
  with check (project_id = any ((select signalbox.projects())::uuid[]));
create policy house on signalbox.session for select to signalbox_house using (true);
create policy house_owner_sessions on signalbox.session for insert to signalbox_house
  with check (project_id is null);
create policy house_owner_sessions_change on signalbox.session for update to signalbox_house
  using (project_id is null) with check (project_id is null);
create policy house_cleans on signalbox.session for delete to signalbox_house using (true);
grant select, insert, update on signalbox.session to signalbox_app;
grant select, insert, delete on signalbox.session to signalbox_house;
grant update (digest, opened_at, seen_at, expires_at, ended_at) on signalbox.session
  to signalbox_house;

alter table signalbox.installation_event enable row level security;
alter table signalbox.installation_event force row level security;
create policy house on signalbox.installation_event to signalbox_house using (true)
  with check (true);
grant select, insert on signalbox.installation_event to signalbox_house;

-- A request that was refused gives its key back.
grant delete on signalbox.idempotency to signalbox_app;
