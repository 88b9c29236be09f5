// `queues`, `projects`, `keys`, `stop`, `resume`: what an operator does to a project.
// Promises: pausing, stopping and killing need a reason, which stands in the register; a key is
// printed once, by the command that made it.
// Leaves to others: who may do it (the server; the local key may, or the owner's is used).

import type { ApiKey, Project, Queue, Role } from "@signalbox/sdk";
import { type Call, clientOptions, type CommandSpec } from "../command.ts";
import { throughDoor } from "../door.ts";
import { usage } from "../failure.ts";
import { safeLine } from "../safe-text.ts";
import { ago } from "../show-run.ts";

const reasonFlag = { flag: "--reason <text>", says: "why, for the register (needed)" };
const read = { otherwise: "start_if_used" } as const;
const asOwner = { ...read, owner: true } as const;

function showQueue(call: Call, queue: Queue): void {
  const { screen } = call;
  const state = queue.paused_at === null ? "open" : `paused: ${safeLine(queue.pause_reason ?? "")}`;
  screen.result(queue, () => screen.line(`${safeLine(queue.name)} ${state}`));
}

const queueCommands: readonly CommandSpec[] = [
  {
    words: "queues list",
    says: "List queues with their pending runs",
    options: clientOptions,
    examples: ["signalbox queues list"],
    act: async (call) => {
      const page = await throughDoor(call, read, ({ client }) => client.queues.list());
      call.screen.result(page, () =>
        call.screen.table(
          ["QUEUE", "PENDING", "STATE"],
          page.items.map((queue) => [
            safeLine(queue.name, 40),
            String(queue.pending),
            queue.paused_at === null
              ? "open"
              : `paused ${ago(queue.paused_at)}: ${safeLine(queue.pause_reason ?? "", 60)}`,
          ]),
        ),
      );
    },
  },
  {
    words: "queues pause",
    says: "Hold back the runs of a queue; live ones go on",
    takes: [{ name: "name", says: "the queue" }],
    flags: [reasonFlag],
    options: clientOptions,
    examples: ['signalbox queues pause mail --reason "provider is down"'],
    act: async (call) => {
      const reason = call.required("reason");
      const pause = throughDoor(call, read, ({ client }) =>
        client.queues.pause(call.argument(0), { reason }),
      );
      showQueue(call, await pause);
    },
  },
  {
    words: "queues resume",
    says: "Let the runs of a queue go again",
    takes: [{ name: "name", says: "the queue" }],
    options: clientOptions,
    examples: ["signalbox queues resume mail"],
    act: async (call) =>
      showQueue(
        call,
        await throughDoor(call, read, ({ client }) => client.queues.resume(call.argument(0))),
      ),
  },
];

const projectRow = (project: Project): string[] => [
  safeLine(project.name, 40),
  project.id,
  project.stopped_at === null ? "open" : `stopped: ${safeLine(project.stop_reason ?? "", 60)}`,
];

const projectCommands: readonly CommandSpec[] = [
  {
    words: "projects list",
    says: "List all projects of the installation",
    more: "Needs the owner key: the local one is used, or SIGNALBOX_KEY.",
    options: clientOptions,
    examples: ["signalbox projects list"],
    act: async (call) => {
      const page = await throughDoor(call, asOwner, ({ client }) => client.projects.list());
      call.screen.result(page, () =>
        call.screen.table(["PROJECT", "ID", "STATE"], page.items.map(projectRow)),
      );
    },
  },
  {
    words: "projects create",
    says: "Create a project",
    more: "Needs the owner key: the local one is used, or SIGNALBOX_KEY.",
    takes: [{ name: "name", says: "name of the project, unique in the installation" }],
    options: clientOptions,
    examples: [
      "signalbox projects create support",
      "signalbox keys create build-7 --role worker --project support",
    ],
    act: async (call) => {
      const project = await throughDoor(call, asOwner, ({ client }) =>
        client.projects.create({ name: call.argument(0) }),
      );
      call.screen.result(project, () => call.screen.line(projectRow(project).join(" ")));
    },
  },
];

const roles: readonly string[] = [
  "viewer",
  "submitter",
  "worker",
  "approver",
  "operator",
  "admin",
  "owner",
] satisfies Role[];

const keyState = (key: ApiKey): string => {
  if (key.revoked_at !== null) return `revoked ${ago(key.revoked_at)}`;
  if (key.expires_at === null) return "good";
  return Date.parse(key.expires_at) > Date.now()
    ? `expires ${ago(key.expires_at)}`
    : `expired ${ago(key.expires_at)}`;
};

const keyCommands: readonly CommandSpec[] = [
  {
    words: "keys list",
    says: "List the keys of the project, without the keys themselves",
    options: clientOptions,
    examples: ["signalbox keys list"],
    act: async (call) => {
      const page = await throughDoor(call, read, ({ client }) => client.keys.list());
      call.screen.result(page, () =>
        call.screen.table(
          ["KEY", "NAME", "ROLES", "STATE", "ID"],
          page.items.map((key) => [
            safeLine(key.prefix),
            safeLine(key.name, 30),
            key.roles.join(", "),
            keyState(key),
            key.id,
          ]),
        ),
      );
    },
  },
  {
    words: "keys create",
    says: "Create a key; it is printed once",
    takes: [{ name: "name", says: "what it is for" }],
    flags: [
      { flag: "--role <role>", says: `one of ${roles.join(", ")}`, many: true },
      { flag: "--expires <when>", says: "an instant, or 30d from now; default never" },
    ],
    options: clientOptions,
    examples: ["signalbox keys create build-7 --role worker --expires 90d"],
    act: async (call) => {
      const wanted = call.texts("role") ?? [];
      if (wanted.length === 0) throw usage(`This needs --role: ${roles.join(", ")}.`);
      const unknown = wanted.find((role) => !roles.includes(role));
      if (unknown !== undefined) throw usage(`--role must be one of ${roles.join(", ")}.`);
      const expires = call.instant("expires");
      const door = wanted.includes("owner") ? asOwner : read;
      const key = await throughDoor(call, door, ({ client }) =>
        client.keys.create({
          name: call.argument(0),
          roles: wanted as Role[],
          ...(expires && { expires_at: expires }),
        }),
      );
      call.screen.result(key, () => call.screen.line(key.key));
      call.screen.aside("Keep it: it is never shown again.");
    },
  },
  {
    words: "keys revoke",
    says: "End a key at once",
    takes: [{ name: "id", says: "id of the key (`keys list`)" }],
    options: clientOptions,
    examples: ["signalbox keys revoke key_01j…"],
    act: async (call) => {
      const key = await throughDoor(call, read, ({ client }) =>
        client.keys.revoke(call.argument(0)),
      );
      call.screen.result(key, () => call.screen.line(`${safeLine(key.name)} ${keyState(key)}`));
    },
  },
];

const stopCommands: readonly CommandSpec[] = [
  {
    words: "stop",
    says: "Emergency stop of a project (not of the server)",
    more:
      "No claim and no renewal succeeds until `signalbox resume`. Live runs go back to pending " +
      "with their checkpoint, or are cancelled. To end the server, press Ctrl-C where `up` runs.",
    flags: [reasonFlag, { flag: "--cancel-live", says: "cancel live runs instead" }],
    options: clientOptions,
    examples: ['signalbox stop --reason "agents delete branches"'],
    act: async (call) => {
      const reason = call.required("reason");
      const cancel = call.on("cancelLive") && { cancel_live: true };
      const project = await throughDoor(call, read, ({ client }) =>
        client.projects.stop({ reason, ...cancel }),
      );
      call.screen.result(project, () => call.screen.line(projectRow(project).join(" ")));
    },
  },
  {
    words: "resume",
    says: "Lift the emergency stop of a project",
    flags: [reasonFlag],
    options: clientOptions,
    examples: ['signalbox resume --reason "rights were corrected"'],
    act: async (call) => {
      const reason = call.required("reason");
      const project = await throughDoor(call, read, ({ client }) =>
        client.projects.resume({ reason }),
      );
      call.screen.result(project, () => call.screen.line(projectRow(project).join(" ")));
    },
  },
];

export const operateCommands: readonly CommandSpec[] = [
  ...queueCommands,
  ...projectCommands,
  ...keyCommands,
  ...stopCommands,
];
