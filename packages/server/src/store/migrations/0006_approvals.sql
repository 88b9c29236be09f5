-- 0006: approvals: questions that hold a run until a person answers. One row per question; all of
-- its changes are made under the lock of its run, in the transaction that changes the run.

create domain signalbox.approval_status as text check (value in ('pending', 'approved', 'rejected',
  'expired', 'cancelled'));
create domain signalbox.approval_risk as text check (value in ('low', 'medium', 'high'));
create domain signalbox.expiry_policy as text check (value in ('timeout', 'reject', 'approve'));

create table signalbox.approval (
  id uuid primary key,
  project_id uuid not null,
  run_id uuid not null,
  attempt_id uuid not null,
  -- Fencing token of the attempt that asked.
  token integer not null check (token > 0),
  agent text collate "C",
  key text collate "C" not null check (length(key) between 1 and 255),
  title text not null check (length(title) between 1 and 500),
  action text not null check (length(action) between 1 and 200),
  arguments jsonb not null,
  risk signalbox.approval_risk not null,
  mode signalbox.approval_mode not null,
  on_expiry signalbox.expiry_policy not null,
  status signalbox.approval_status not null,
  asked_at timestamptz not null,
  -- Number of its `approval.requested` in the run's stream: the order of a run's questions.
  asked_seq bigint not null check (asked_seq > 0),
  asked_sha256 signalbox.sha256 not null,
  hold_until timestamptz,
  expires_at timestamptz not null,
  -- When time changes something about it; empty once it is decided.
  due_at timestamptz,
  -- Questions of the run before it that were approved by expiry, without a person between.
  house_approvals smallint not null default 0 check (house_approvals between 0 and 3),
  decided_at timestamptz,
  decided_by text,
  comment text,
  edited_arguments jsonb,
  decided_sha256 signalbox.sha256,
  executed_at timestamptz,
  executed_sha256 signalbox.sha256,
  -- SHA-256 of the secret in its callback link, and who made it; dies with the decision.
  link_digest signalbox.sha256,
  link_by text,
  check (expires_at > asked_at),
  check ((status = 'pending') = (decided_at is null)),
  check ((status = 'pending') = (due_at is not null)),
  check (status = 'pending' or link_digest is null),
  check (link_digest is null or link_by is not null),
  check ((status in ('approved', 'rejected', 'expired')) = (decided_by is not null)),
  check ((status = 'approved') = (decided_sha256 is not null)),
  check (edited_arguments is null or status = 'approved'),
  check ((executed_at is null) = (executed_sha256 is null)),
  -- What was executed is what was decided (I-21).
  check (executed_sha256 is null or executed_sha256 is not distinct from decided_sha256)
) with (fillfactor = 70);

-- One question of a run at a time (I-20); a key stands for one action of its run, but for questions
-- that the run went on without.
create unique index approval_pending on signalbox.approval (run_id) where status = 'pending';
create unique index approval_key on signalbox.approval (run_id, key) where status <> 'cancelled';
create index approval_run on signalbox.approval (run_id, asked_seq);
create index approval_inbox on signalbox.approval (project_id, id) where status = 'pending';
create index approval_list on signalbox.approval (project_id, id);
create index approval_due on signalbox.approval (due_at, id) where due_at is not null;

-- A decision is final, and what was asked never changes.
create function signalbox.guard_approval() returns trigger language plpgsql as $$
begin
  if old.status <> 'pending' and (new.status <> old.status
    or new.decided_at is distinct from old.decided_at
    or new.decided_by is distinct from old.decided_by
    or new.comment is distinct from old.comment
    or new.edited_arguments is distinct from old.edited_arguments
    or new.decided_sha256 is distinct from old.decided_sha256
    or (old.executed_at is not null and new.executed_at is distinct from old.executed_at))
  then
    raise exception '% of signalbox.approval is refused: a decision is final', tg_op
      using errcode = 'SB001';
  end if;
  if new.id <> old.id or new.project_id <> old.project_id or new.run_id <> old.run_id
    or new.key <> old.key or new.action <> old.action or new.arguments <> old.arguments
    or new.asked_sha256 <> old.asked_sha256 or new.asked_seq <> old.asked_seq
  then
    raise exception '% of signalbox.approval is refused: what was asked never changes', tg_op
      using errcode = 'SB001';
  end if;
  return new;
end $$;
create trigger approval_is_guarded before update on signalbox.approval
  for each row execute function signalbox.guard_approval();

alter table signalbox.approval enable row level security;
alter table signalbox.approval force row level security;
create policy app on signalbox.approval to signalbox_app
  using (project_id = any ((select signalbox.projects())::uuid[]))
  with check (project_id = any ((select signalbox.projects())::uuid[]));
create policy house on signalbox.approval for select to signalbox_house using (true);
grant select on signalbox.approval to signalbox_app, signalbox_house;
grant insert, update on signalbox.approval to signalbox_app;
