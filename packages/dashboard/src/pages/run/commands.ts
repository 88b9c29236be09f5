// What can be done with a run, and the same by command line and by curl.
// Promises: one table: buttons, commands and requests cannot say different things; a key stands in
// the commands as a variable, never as itself.
// Leaves to others: asking and doing (`actions.tsx`).

import type { Run, Signalbox } from "@signalbox/sdk";
import { isTerminal } from "@signalbox/sdk";

export type RunAction = {
  readonly name: "cancel" | "kill";
  readonly label: string;
  readonly says: string;
  readonly reasonNeeded: boolean;
  readonly choice?: string;
  readonly isOffered: (run: Run) => boolean;
  readonly act: (signalbox: Signalbox, id: string, given: Given) => Promise<unknown>;
  readonly done: string;
};

export type Given = { readonly reason: string; readonly chosen: boolean };

export const runActions: readonly RunAction[] = [
  {
    name: "cancel",
    label: "Cancel",
    says:
      "A waiting run ends at once. One that is under way is told and has 30 s to stop; after " +
      "that the server ends it.",
    reasonNeeded: false,
    choice: "Also cancel the runs it has submitted",
    isOffered: (run) => !isTerminal(run.state) && run.cancel_requested_at === null,
    act: (signalbox, id, { reason, chosen }) =>
      signalbox.runs.cancel(id, { ...(reason && { reason }), ...(chosen && { cascade: true }) }),
    done: "The run is asked to stop",
  },
  {
    name: "kill",
    label: "Kill",
    says:
      "The run ends now, without waiting for its worker. From this moment nothing its worker " +
      "writes is accepted; the worker is told to end the process tree.",
    reasonNeeded: true,
    isOffered: (run) => !isTerminal(run.state),
    act: (signalbox, id, { reason }) => signalbox.runs.kill(id, { reason }),
    done: "The run is killed",
  },
];

export type Equivalent = { readonly what: string; readonly cli: string; readonly curl: string };

/** Every question and action of the page, as commands that can be copied. */
export function equivalents(id: string, origin: string): Equivalent[] {
  const auth = '-H "Authorization: Bearer $SIGNALBOX_KEY"';
  const get = (path: string, more = ""): string =>
    `curl -sS ${more}${auth} ${origin}/v1/runs/${id}${path}`;
  const post = (path: string, body: object): string =>
    `curl -sS -X POST ${auth} -H 'Content-Type: application/json' ` +
    `-d '${JSON.stringify(body)}' ${origin}/v1/runs/${id}${path}`;
  const cli = (words: string): string => `signalbox ${words}`;
  return [
    { what: "Show", cli: cli(`runs show ${id}`), curl: get("") },
    { what: "Why is it not running?", cli: cli(`runs explain ${id}`), curl: get("/explain") },
    {
      what: "Its attempts",
      cli: cli(`runs show ${id} --json | jq .attempts`),
      curl: get("/attempts"),
    },
    { what: "Its children", cli: cli(`runs show ${id}`), curl: get("/children") },
    {
      what: "Search its events",
      cli: cli(`runs watch ${id} --json | grep -i 'text'`),
      curl: get("/events?order=desc&text=text"),
    },
    {
      what: "Follow its events",
      cli: cli(`runs watch ${id}`),
      curl: get("/events", "-N -H 'Accept: text/event-stream' "),
    },
    {
      what: "What it asks people",
      cli: cli(`approvals list --status all --of ${id}`),
      curl: `curl -sS ${auth} '${origin}/v1/approvals?run_id=${id}'`,
    },
    {
      what: "Cancel",
      cli: cli(`runs cancel ${id} --reason 'no longer needed'`),
      curl: post("/cancel", { reason: "no longer needed" }),
    },
    {
      what: "Kill",
      cli: cli(`runs kill ${id} --reason 'out of control'`),
      curl: post("/kill", { reason: "out of control" }),
    },
    {
      what: "Redrive (a dead letter)",
      cli: cli(`dead redrive ${id} --priority 60`),
      curl: post("/redrive", { priority: 60 }),
    },
    {
      what: "Discard (a dead letter)",
      cli: cli(`dead discard ${id} --note 'the branch is gone'`),
      curl: post("/discard", { note: "the branch is gone" }),
    },
  ];
}
