-- 0009: what lists of runs are read by. Each filter of the list leads to its runs in the order of
-- their ids, newest first, so that a page of a million runs reads a page and not the million.
-- Indexes on `run` have a price per step (ADR 0008): those here hold a run from the step that
-- brings it into the state to the one that takes it out, which for ended ones never comes (ADR
-- 0039).

create index run_pending on signalbox.run (project_id, id) where state = 'pending';
create index run_completed on signalbox.run (project_id, id) where state = 'completed';
create index run_failed on signalbox.run (project_id, id) where state = 'failed';
create index run_cancelled on signalbox.run (project_id, id) where state = 'cancelled';
create index run_timed_out on signalbox.run (project_id, id) where state = 'timeout';

-- A column of its own, since row-level security lets no condition on the inside of JSON use an
-- index.
alter table signalbox.run
  add column error_code text collate "C" generated always as (error ->> 'code') stored;
create index run_error_code on signalbox.run (project_id, error_code, id)
  where error_code is not null;

-- Every run has a queue, and every attempt a runtime: that these are partial keeps statements that
-- name neither away from them, whatever is known about a young table.
create index run_spec_queue on signalbox.run_spec (project_id, queue, run_id) where queue <> '';
create index run_spec_runner on signalbox.run_spec (project_id, runner, run_id)
  where runner <> 'default';
create index run_spec_agent on signalbox.run_spec (project_id, agent, run_id)
  where agent is not null;
create index run_spec_runtime on signalbox.run_spec (project_id, runtime, run_id)
  where runtime is not null;
create index run_spec_workspace on signalbox.run_spec (project_id, workspace_id, run_id)
  where workspace_id is not null;
create index run_spec_bot on signalbox.run_spec (project_id, bot_id, run_id)
  where bot_id is not null;
create index run_spec_binding on signalbox.run_spec (project_id, binding_id, run_id)
  where binding_id is not null;
create index run_spec_event on signalbox.run_spec (project_id, event_id, run_id)
  where event_id is not null;

-- Who has had a run: neither changes while an attempt lasts, so its updates stay within their page.
alter table signalbox.attempt
  alter column agent type text collate "C",
  alter column runtime type text collate "C";
create index attempt_agent on signalbox.attempt (project_id, agent, run_id)
  where agent is not null;
create index attempt_runtime on signalbox.attempt (project_id, runtime, run_id)
  where runtime <> '';
