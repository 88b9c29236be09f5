-- 0008: what nobody has answered is kept, and who held a link may know how it ended.

alter table signalbox.project
  -- Dead letters that nobody has redriven or discarded are removed with their runs this long after
  -- the end, if retention lets them go at all; null: they are kept until somebody answers.
  add column dead_letter_days integer check (dead_letter_days between 1 and 36500);

-- The digest of the link that a question had when it was decided: it answers nothing any more, and
-- tells whoever holds it that the question is answered, and how.
alter table signalbox.approval
  add column spent_link_digest signalbox.sha256,
  add constraint approval_spent_link check (status <> 'pending' or spent_link_digest is null);

-- A stop of everything, and its end, are told to every project in bounded pieces by any server:
-- the row counts its changes, a project knows up to which it was told. Lifted when all know.
alter table signalbox.everything
  add column changes bigint not null default 0,
  -- Who lifts it, or lifted it last; while `stopped_at` stands beside, projects are being told.
  add column lift_reason text,
  add column lifted_by text,
  -- The request of the last change.
  add column change_request text,
  add constraint everything_lift check ((lift_reason is null) = (lifted_by is null));
alter table signalbox.project add column everything_changes bigint not null default 0;
