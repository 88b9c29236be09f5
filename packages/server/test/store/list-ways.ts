// Every filter of the list of runs that has a way of its own: what is asked, and the index that
// leads to its runs.
// Leaves to others: explaining (plans.test.ts).

import { scopeNames } from "../../src/domain/submission.ts";
import type { ListFilter } from "../../src/store/run-queries.ts";

/** No filter at all. */
export const everything: ListFilter = {
  states: null,
  queue: null,
  runner: null,
  agent: null,
  runtime: null,
  tag: null,
  errorCode: null,
  parentRun: null,
  createdAfter: null,
  createdBefore: null,
  finishedAfter: null,
  finishedBefore: null,
  idFrom: null,
  idTo: null,
  scopes: {},
};

type ListWay = { readonly filter: Partial<ListFilter>; readonly by: readonly string[] };

/** Statement → its filter and the indexes that it goes by, all of them in order of their ids. */
export const listWays: Readonly<Record<string, ListWay>> = {
  list_runs_by_parent: {
    filter: { parentRun: "018f0000-0000-7000-8000-000000000001" },
    by: ["run_spec by run_spec_parent"],
  },
  ...Object.fromEntries(
    scopeNames.map((scope) => [
      `list_runs_by_${scope}`,
      {
        filter: { scopes: { [scope]: "one" } },
        by: [`run_spec by run_spec_${scope.replace("_id", "")}`],
      },
    ]),
  ),
  list_runs_by_error: { filter: { errorCode: "boom" }, by: ["run by run_error_code"] },
  list_runs_by_tag: { filter: { tag: "red" }, by: ["run_tag by run_tag_pkey"] },
  list_runs_by_agent: {
    filter: { agent: "agent 4" },
    by: ["attempt by attempt_agent", "run_spec by run_spec_agent"],
  },
  list_runs_by_runtime: {
    filter: { runtime: "w2" },
    by: ["attempt by attempt_runtime", "run_spec by run_spec_runtime"],
  },
  list_runs_by_state: { filter: { states: ["failed"] }, by: ["run by run_failed"] },
  list_runs_by_runner: { filter: { runner: "runner 1" }, by: ["run_spec by run_spec_runner"] },
  list_runs_by_queue: { filter: { queue: "queue 1" }, by: ["run_spec by run_spec_queue"] },
  list_runs_by_finish: {
    filter: { finishedAfter: "2199-01-01T00:00:00.000Z" },
    by: ["run by run_ended"],
  },
};
