// The screens as the general tests see them: one row each, and a new screen needs no more.
// A row: name · address · text that is there when the screen is · hostile fields it shows
// (`corpus.ts`) · its main action by keyboard: the button's name, then what is there afterwards.
// Promises: `{live}`, `{failed}`, `{completed}`, `{pending}`, `{asking}` stand for runs of the
// fleet at hand, `{group}` for its dead letters, `{webhook}` for a webhook.
// Leaves to others: what is looked for on them (`*.test.ts`).

import type { HostileField } from "./corpus.ts";

type Id = "live" | "failed" | "completed" | "pending" | "asking" | "group" | "webhook";

/** What an address may speak of. */
export type Ids = Readonly<Record<Id, string>>;

type Row = readonly [
  name: string,
  address: string,
  ready: string,
  shows: readonly HostileField[],
  act?: readonly [button: string, then: string],
];

const agent: readonly HostileField[] = ["agent", "agent.pause", "account", "evidence"];
const log: readonly HostileField[] = ["title", "line", "message", "tool"];

const asked: readonly HostileField[] = ["approval.title", "approval.action", "approval.arguments"];

const rows: readonly Row[] = [
  ["fleet", "/", "reviewer", agent, ["Pause fixer", "Resume"]],
  ["runs", "/runs", "Archive thread 40", ["title", "agent", "queue", "error"]],
  ["run-log", "/runs/{live}", "14 files changed", log, ["Kill …", "cancelled"]],
  ["run-attempts", "/runs/{failed}?tab=attempts", "conflicts", ["runtime", "error"]],
  ["run-pending", "/runs/{pending}", "Timeline", ["title"]],
  ["run-usage", "/runs/{completed}?tab=usage", "opus-5", ["model"]],
  ["run-documents", "/runs/{completed}?tab=documents", "Checkpoint", ["input", "output", "tag"]],
  ["run-children", "/runs/{completed}?tab=children", "submitted no runs", []],
  ["run-events", "/runs/{completed}?tab=events", "run.completed", ["event"]],
  ["run-commands", "/runs/{completed}?tab=commands", "curl", []],
  ["run-asking", "/runs/{asking}", "Expires", asked],
  ["approvals", "/approvals", "billing", asked],
  ["approvals-history", "/approvals?view=history", "not on a Friday", []],
  ["dead-letters", "/dead-letters", "ETIMEDOUT", ["error", "agent", "queue"]],
  ["dead-letters-group", "/dead-letters/{group}", "10.0.3.", ["error", "agent"]],
  ["usage", "/usage", "Consumed", ["agent"]],
  ["queues", "/queues", "archive", ["queue", "queue.pause"], ["Pause queue default", "paused"]],
  ["runtimes", "/runtimes", "host-1", ["runtime", "version"], ["Drain fixer@host-1", "draining"]],
  [
    "accounts",
    "/accounts",
    "max-1",
    ["account", "provider"],
    ["Recover anthropic/max-1", "probing"],
  ],
  ["webhooks", "/webhooks", "/hook", ["webhook.description"]],
  ["webhook", "/webhooks/{webhook}", "webhook.test", ["webhook.description"]],
  ["audit", "/audit", "queue.paused", ["audit.reason", "project.stop"]],
  ["health", "/health", "servers sweep", []],
  ["settings", "/settings", "build-7", ["key"]],
];

export type Screen = {
  readonly name: string;
  readonly address: (ids: Ids) => string;
  readonly ready: string;
  readonly shows: readonly HostileField[];
  readonly act: readonly [button: string, then: string] | null;
};

export const screens: readonly Screen[] = rows.map(([name, address, ready, shows, act = null]) => ({
  name,
  address: (ids) => address.replaceAll(/\{(\w+)\}/g, (_, id: Id) => ids[id]),
  ready,
  shows,
  act,
}));
