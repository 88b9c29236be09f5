-- 0004: how people operate it: dead letters with what their errors have in common, the stop of
-- everything, and what a stop does with what is live.

-- ---- dead letters -------------------------------------------------------------------------------

-- A failed run that waits for a person. Written by the flush that failed it; closed once, by a
-- redrive (which names the run it became) or by a discard (which needs a note). Its run's row is
-- locked by whoever changes it.
create table signalbox.dead_letter (
  run_id uuid primary key,
  project_id uuid not null references signalbox.project (id),
  at timestamptz not null,
  -- Digest of code and pattern: errors that differ in numbers and names only share it.
  fingerprint text collate "C" not null check (fingerprint ~ '^[0-9a-f]{16}$'),
  code text collate "C" not null,
  pattern text not null check (length(pattern) <= 500),
  queue text collate "C" not null,
  agent text collate "C",
  closed_at timestamptz,
  closed_by text,
  note text,
  became uuid unique,
  check ((closed_at is null) = (closed_by is null)),
  check (closed_at is null or (became is null) <> (note is null)),
  check (closed_at is not null or (became is null and note is null))
) with (fillfactor = 80);
create index dead_letter_group on signalbox.dead_letter (project_id, fingerprint, run_id);
create index dead_letter_open on signalbox.dead_letter (project_id, run_id)
  where closed_at is null;

create function signalbox.guard_dead_letter() returns trigger language plpgsql as $$
begin
  if old.closed_at is not null or new.run_id <> old.run_id or new.project_id <> old.project_id
    or new.fingerprint <> old.fingerprint or new.at <> old.at
  then
    raise exception '% of signalbox.dead_letter is refused: a dead letter closes once', tg_op
      using errcode = 'SB001';
  end if;
  return new;
end $$;
create trigger dead_letter_is_guarded before update on signalbox.dead_letter
  for each row execute function signalbox.guard_dead_letter();

-- Those of before: one group per code, since what their messages have in common was not kept.
insert into signalbox.dead_letter (run_id, project_id, at, fingerprint, code, pattern, queue, agent)
select r.id, r.project_id, r.dead_lettered_at,
  left(encode(sha256(convert_to(coalesce(r.error ->> 'code', 'unknown'), 'UTF8')), 'hex'), 16),
  coalesce(r.error ->> 'code', 'unknown'), '', s.queue, coalesce(r.agent, s.agent)
from signalbox.run r join signalbox.run_spec s on s.run_id = r.id
where r.dead_lettered_at is not null;

-- ---- stops --------------------------------------------------------------------------------------

-- Whether a stop ends what is live as cancelled: kept with the stop, so that any server can finish
-- it.
alter table signalbox.project add column stop_cancels boolean not null default false;

-- The stop of everything: one row, always there. While it stands no project is claimed from or
-- renewed, whatever its own row says.
create table signalbox.everything (
  id smallint primary key check (id = 1),
  stopped_at timestamptz,
  stop_reason text,
  stopped_by text,
  stop_cancels boolean not null default false,
  check ((stopped_at is null) = (stop_reason is null)
    and (stopped_at is null) = (stopped_by is null)),
  check (stopped_at is not null or not stop_cancels)
);
insert into signalbox.everything (id) values (1);

-- ---- who may see what ---------------------------------------------------------------------------

alter table signalbox.dead_letter enable row level security;
alter table signalbox.dead_letter force row level security;
create policy app on signalbox.dead_letter to signalbox_app
  using (project_id = any ((select signalbox.projects())::uuid[]))
  with check (project_id = any ((select signalbox.projects())::uuid[]));
create policy house on signalbox.dead_letter for select to signalbox_house using (true);
grant select on signalbox.dead_letter to signalbox_app, signalbox_house;
grant insert, update on signalbox.dead_letter to signalbox_app;

-- Every claim and every renewal reads it; the verb of the owner changes it.
alter table signalbox.everything enable row level security;
alter table signalbox.everything force row level security;
create policy app on signalbox.everything to signalbox_app using (true) with check (true);
create policy house on signalbox.everything for select to signalbox_house using (true);
grant select, update on signalbox.everything to signalbox_app;
grant select on signalbox.everything to signalbox_house;
