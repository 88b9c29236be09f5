// `dead list|show|redrive|discard` and `runs cancel-many`: failed runs that wait for a person, and
// what is done to many runs at once.
// Promises: an act on many counts first; it is done only with `--confirm` and the number counted.
// Leaves to others: which runs fail for good, and every rule of redriving (server).

import type { BulkRequest, BulkResult, DeadLetter, RunState } from "@signalbox/sdk";
import { type Call, clientOptions, type CommandSpec, type FlagSpec } from "../command.ts";
import { type Door, throughDoor, usual } from "../door.ts";
import { exit } from "../exit-codes.ts";
import { usage } from "../failure.ts";
import { safeLine } from "../safe-text.ts";
import { ago } from "../show-run.ts";

type Filter = NonNullable<BulkRequest["filter"]>;

const FINGERPRINT = /^[0-9a-f]{16}$/;

const statusFlag: FlagSpec = { flag: "--status <status>", says: "open, redriven or discarded" };
const filterFlags: readonly FlagSpec[] = [
  { flag: "--queue <name>", says: "only in this queue" },
  { flag: "--agent <name>", says: "only of this agent" },
  { flag: "--tag <tag>", says: "only with this tag" },
];
const confirmFlag: FlagSpec = {
  flag: "--confirm <n>",
  says: "do it, if no more than so many match; without it they are only counted",
};
const which = {
  name: "which",
  says: "id of a run, the fingerprint of a group, or `all`",
} as const;

const statuses = ["open", "redriven", "discarded"] as const;

function statusOf(call: Call): { status?: (typeof statuses)[number] } {
  const status = call.word("status", statuses);
  return status === undefined ? {} : { status };
}

function filterOf(call: Call): Filter {
  const [queue, agent, tag] = ["queue", "agent", "tag"].map((name) => call.text(name));
  return { ...(queue && { queue }), ...(agent && { agent }), ...(tag && { tag }) };
}

const list: CommandSpec = {
  words: "dead list",
  says: "List dead letters by what their errors have in common",
  flags: [
    statusFlag,
    { flag: "--queue <name>", says: "only in this queue" },
    { flag: "--agent <name>", says: "only where this agent failed last" },
    { flag: "--limit <n>", says: "at most so many groups, 1 to 100 (default 50)" },
  ],
  options: clientOptions,
  examples: ["signalbox dead list", "signalbox dead list --queue mail --json"],
  act: async (call) => {
    const [queue, agent] = [call.text("queue"), call.text("agent")];
    const limit = call.number("limit", { least: 1, most: 100 });
    const filter = { ...statusOf(call), ...(queue && { queue }), ...(agent && { agent }) };
    const page = await throughDoor(call, usual, ({ client }) =>
      client.deadLetters.list({ ...filter, ...(limit && { limit }) }),
    );
    call.screen.result(page, () => {
      if (page.items.length === 0) return call.screen.aside("no dead letters");
      call.screen.table(
        ["GROUP", "COUNT", "LAST", "CODE", "MESSAGE"],
        page.items.map((group) => [
          group.fingerprint,
          String(group.count),
          ago(group.last_at),
          safeLine(group.code, 30),
          safeLine(group.pattern === "" ? (group.sample_message ?? "") : group.pattern, 60),
        ]),
      );
    });
  },
};

const show: CommandSpec = {
  words: "dead show",
  says: "Show the dead letters of a group",
  takes: [{ name: "group", says: "fingerprint of the group (`dead list`)" }],
  flags: [statusFlag, { flag: "--limit <n>", says: "at most so many, 1 to 100 (default 50)" }],
  options: clientOptions,
  examples: ["signalbox dead show 0f3a9c1be5d27746"],
  act: async (call) => {
    const group = call.argument(0);
    if (!FINGERPRINT.test(group)) throw usage("A group is named by 16 hexadecimal digits.");
    const limit = call.number("limit", { least: 1, most: 100 });
    const page = await throughDoor(call, usual, ({ client }) =>
      client.deadLetters.ofGroup(group, { ...statusOf(call), ...(limit && { limit }) }),
    );
    call.screen.result(page, () =>
      call.screen.table(
        ["RUN", "DIED", "AGENT", "STATE", "ERROR"],
        page.items.map((one) => [
          one.run.id,
          ago(one.at),
          safeLine(one.run.agent ?? "–", 20),
          safeLine(stateOf(one), 40),
          safeLine(one.run.error?.message ?? "", 60),
        ]),
      ),
    );
  },
};

function stateOf({ status, became, note }: DeadLetter): string {
  if (became !== null) return `became ${became}`;
  return note === null ? status : `discarded: ${note}`;
}

/** The letters that are meant: a group, or all that the flags leave. */
function groupOf(call: Call): Filter {
  const name = call.argument(0);
  return { ...filterOf(call), ...(name === "all" ? {} : { fingerprint: name }) };
}

const isMany = (call: Call): boolean =>
  call.argument(0) === "all" || FINGERPRINT.test(call.argument(0));

/** Counts, or acts when the count was confirmed. */
async function countOrAct(
  call: Call,
  verb: string,
  act: { count(door: Door): Promise<BulkResult>; all(door: Door, n: number): Promise<BulkResult> },
): Promise<number> {
  const confirm = call.number("confirm", { least: 0, most: 100_000 });
  const result = await throughDoor(call, usual, (door) =>
    confirm === undefined ? act.count(door) : act.all(door, confirm),
  );
  const { screen } = call;
  screen.result(result, () => {
    if (result.dry_run) {
      screen.line(`${result.matched} run(s) match; nothing was ${verb}.`);
      screen.aside(`To go on: the same with --confirm ${result.matched}`);
      return;
    }
    screen.line(`${result.done} ${verb}${result.refused > 0 ? `, ${result.refused} refused` : ""}`);
    for (const { run_id, code, detail } of result.refusals) {
      screen.line(`${run_id} ${code}: ${safeLine(detail)}`);
    }
  });
  return result.refused > 0 ? exit("no") : exit("ok");
}

const redrive: CommandSpec = {
  words: "dead redrive",
  says: "Try dead letters again as new runs",
  takes: [which],
  flags: [
    { flag: "--input <json>", says: "another input: JSON, @file, or - for stdin" },
    { flag: "--to-agent <name>", says: "for this agent" },
    { flag: "--model <name>", says: "with this model" },
    { flag: "--priority <n>", says: "0 to 99" },
    { flag: "--max-attempts <n>", says: "attempts, 1 to 100" },
    { flag: "--from-checkpoint", says: "go on from the last checkpoint instead of anew" },
    ...filterFlags,
    confirmFlag,
  ],
  options: clientOptions,
  examples: [
    "signalbox dead redrive run_01j… --to-agent reviewer-2",
    "signalbox dead redrive 0f3a9c1be5d27746 --confirm 12",
  ],
  act: async (call) => {
    const input = call.json("input");
    const [agent, model] = [call.text("toAgent"), call.text("model")];
    const priority = call.number("priority", { least: 0, most: 99 });
    const attempts = call.number("maxAttempts", { least: 1, most: 100 });
    const changes = {
      ...(input !== undefined && { input }),
      ...(agent && { agent }),
      ...(model && { model }),
      ...(priority !== undefined && { priority }),
      ...(attempts && { max_attempts: attempts }),
      ...(call.on("fromCheckpoint") && { from_checkpoint: true }),
    };
    const filter = groupOf(call);
    if (isMany(call)) {
      return countOrAct(call, "redriven", {
        count: ({ client }) => client.deadLetters.count({ filter }),
        all: ({ client }, confirm_count) =>
          client.deadLetters.redriveMany({ filter, confirm_count }, changes),
      });
    }
    const made = await throughDoor(call, usual, ({ client }) =>
      client.deadLetters.redrive(call.argument(0), changes),
    );
    call.screen.result(made, () => call.screen.line(`became ${made.run.id}`));
    return exit("ok");
  },
};

const discard: CommandSpec = {
  words: "dead discard",
  says: "Put dead letters away, with a note",
  takes: [which],
  flags: [
    { flag: "--note <text>", says: "why, for the register (needed)" },
    ...filterFlags,
    confirmFlag,
  ],
  options: clientOptions,
  examples: ['signalbox dead discard all --queue mail --note "list withdrawn" --confirm 40'],
  act: async (call) => {
    const note = call.required("note");
    const filter = groupOf(call);
    if (isMany(call)) {
      return countOrAct(call, "discarded", {
        count: ({ client }) => client.deadLetters.count({ filter }),
        all: ({ client }, confirm_count) =>
          client.deadLetters.discardMany({ filter, confirm_count, note }),
      });
    }
    const run = await throughDoor(call, usual, ({ client }) =>
      client.deadLetters.discard(call.argument(0), { note }),
    );
    call.screen.result(run, () => call.screen.line(`${run.id} is discarded`));
    return exit("ok");
  },
};

const cancelMany: CommandSpec = {
  words: "runs cancel-many",
  says: "Ask every run that matches to stop",
  flags: [
    { flag: "--state <state>", says: "only in this state", many: true },
    ...filterFlags,
    { flag: "--reason <text>", says: "why, for the register (needed)" },
    { flag: "--cascade", says: "cancel the runs they submitted, too" },
    confirmFlag,
  ],
  options: clientOptions,
  examples: ['signalbox runs cancel-many --queue mail --reason "wrong list" --confirm 120'],
  act: async (call) => {
    const state = call.texts("state") as RunState[] | undefined;
    const filter = { ...filterOf(call), ...(state && { state }) };
    const reason = call.required("reason");
    const asked = { filter, reason, ...(call.on("cascade") && { cascade: true }) };
    return countOrAct(call, "cancelled or told to stop", {
      count: ({ client }) => client.runs.cancelMany({ ...asked, dry_run: true }),
      all: ({ client }, confirm_count) => client.runs.cancelMany({ ...asked, confirm_count }),
    });
  },
};

export const deadCommands: readonly CommandSpec[] = [cancelMany, list, show, redrive, discard];
