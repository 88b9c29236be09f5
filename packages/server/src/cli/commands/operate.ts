// `queues`, `projects`, `stop`, `resume`: what an operator does to a project.
// Promises: pausing, stopping and killing need a reason, which stands in the register.
// Leaves to others: who may do it (the server; the local key may, or the owner's is used).

import type { Everything, Project, Queue } from "@signalbox/sdk";
import { type Call, clientOptions, type CommandSpec } from "../command.ts";
import { throughDoor, usual } from "../door.ts";
import { usage } from "../failure.ts";
import { safeLine } from "../safe-text.ts";
import { ago } from "../show-run.ts";

const reasonFlag = { flag: "--reason <text>", says: "why, for the register (needed)" };
const asOwner = { ...usual, owner: true } as const;

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
      const page = await throughDoor(call, usual, ({ client }) => client.queues.list());
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
      const pause = throughDoor(call, usual, ({ client }) =>
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
        await throughDoor(call, usual, ({ client }) => client.queues.resume(call.argument(0))),
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

const allFlag = { flag: "--all", says: "every project of the installation; needs the owner key" };

const retentionCommand: CommandSpec = {
  words: "projects retention",
  says: "Set how long runs of the project are kept after their end",
  more:
    "Removes whole runs with their attempts, events and usage; never one with deliveries that " +
    "are not done. What they were charged stays in the sums of allowances. Dead letters that " +
    "nobody has redriven or discarded are kept, unless --dead-letters says how long.",
  takes: [{ name: "days", says: "a number of days, or off to keep everything" }],
  options: clientOptions,
  flags: [
    {
      flag: "--dead-letters <days>",
      says: "remove dead letters without an answer after this many days; off: keep them",
    },
  ],
  examples: ["signalbox projects retention 90", "signalbox projects retention off"],
  act: async (call) => {
    const letters = call.text("deadLetters");
    const change = {
      retention_days: daysOf(call.argument(0)),
      ...(letters === undefined ? {} : { dead_letter_days: daysOf(letters) }),
    };
    const project = await throughDoor(call, usual, ({ client }) =>
      client.projects.setRetention(change),
    );
    const kept = (days: number | null): string =>
      days === null ? "are kept for ever" : `are removed ${days} days after their end`;
    call.screen.result(project, () => {
      call.screen.line(`runs of ${safeLine(project.name)} ${kept(project.retention_days)}`);
      const letterDays = project.dead_letter_days;
      const until = letterDays === null ? "are kept until somebody answers" : kept(letterDays);
      call.screen.line(`dead letters without an answer ${until}`);
    });
  },
};

/** Days as a person writes them; `off` keeps everything. */
function daysOf(text: string): number | null {
  if (text === "off") return null;
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1) {
    throw usage("The days must be a whole number from 1 to 36500, or off.");
  }
  return Number(text);
}

function showEverything({ screen }: Call, all: Everything): void {
  const why = safeLine(all.stop_reason ?? "");
  const line = all.stopped_at === null ? "everything is open" : `everything is stopped: ${why}`;
  screen.result(all, () => screen.line(line));
}

const stopCommands: readonly CommandSpec[] = [
  {
    words: "stop",
    says: "Emergency stop of a project (not of the server)",
    more:
      "No claim and no renewal succeeds until `signalbox resume`. Live runs go back to pending " +
      "with their checkpoint, or are cancelled. To end the server, press Ctrl-C where `up` runs.",
    flags: [reasonFlag, { flag: "--cancel-live", says: "cancel live runs instead" }, allFlag],
    options: clientOptions,
    examples: [
      'signalbox stop --reason "agents delete branches"',
      'signalbox stop --all --reason "a key has leaked"',
    ],
    act: async (call) => {
      const reason = call.required("reason");
      const cancel = call.on("cancelLive") && { cancel_live: true };
      if (call.on("all")) {
        const all = await throughDoor(call, asOwner, ({ client }) =>
          client.projects.stopEverything({ reason, ...cancel }),
        );
        return showEverything(call, all);
      }
      const project = await throughDoor(call, usual, ({ client }) =>
        client.projects.stop({ reason, ...cancel }),
      );
      call.screen.result(project, () => call.screen.line(projectRow(project).join(" ")));
    },
  },
  {
    words: "resume",
    says: "Lift the emergency stop of a project",
    flags: [reasonFlag, allFlag],
    options: clientOptions,
    examples: [
      'signalbox resume --reason "rights were corrected"',
      'signalbox resume --all --reason "the key is revoked"',
    ],
    act: async (call) => {
      const reason = call.required("reason");
      if (call.on("all")) {
        const all = await throughDoor(call, asOwner, ({ client }) =>
          client.projects.resumeEverything({ reason }),
        );
        return showEverything(call, all);
      }
      const project = await throughDoor(call, usual, ({ client }) =>
        client.projects.resume({ reason }),
      );
      call.screen.result(project, () => call.screen.line(projectRow(project).join(" ")));
    },
  },
];

export const operateCommands: readonly CommandSpec[] = [
  ...queueCommands,
  ...projectCommands,
  retentionCommand,
  ...stopCommands,
];
