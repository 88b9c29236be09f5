// `slots list|create|start|finish|abort|skip`: planned times of agents.
// Promises: only what was given is sent, so the server's defaults stay its own.
// Leaves to others: which states allow what (the server).

import type { RunSubmission, Slot, SlotStatus, SlotType } from "@signalbox/sdk";
import { type Call, clientOptions, type CommandSpec } from "../command.ts";
import { throughDoor, usual } from "../door.ts";
import { pageFlags, pageOf, showPage } from "../page.ts";
import { safeLine } from "../safe-text.ts";

const theSlot = { name: "id", says: "id of the slot (`slots list`)" };

const types: readonly SlotType[] = ["work", "on_call", "entertainment", "system"];
const statuses: readonly SlotStatus[] = [
  "not_started",
  "ongoing",
  "deferred",
  "skipped",
  "paused",
  "finished",
  "aborted",
];

function showSlots(call: Call, slots: readonly Slot[]): void {
  const rows = slots.map((one) => [
    one.id,
    safeLine(one.agent, 24),
    one.type,
    one.status,
    String(one.priority),
    one.starts_at,
    one.ends_at,
    safeLine(one.title ?? one.reason ?? "", 40),
  ]);
  call.screen.table(["SLOT", "AGENT", "TYPE", "STATUS", "PRIO", "FROM", "TO", "ABOUT"], rows);
}

function slotLine(slot: Slot): string {
  const run = slot.run_id === null ? "" : ` (${slot.run_id})`;
  return `${slot.id} ${safeLine(slot.agent)} ${slot.type} ${slot.status}${run}`;
}

const list: CommandSpec = {
  words: "slots list",
  says: "List slots",
  flags: [
    { flag: "--agent <name>", says: "only of this agent" },
    { flag: "--status <status>", says: `only with this status: ${statuses.join(", ")}` },
    ...pageFlags,
  ],
  options: clientOptions,
  examples: ["signalbox slots list --agent reviewer --status ongoing"],
  act: async (call) => {
    const status = call.word("status", statuses);
    const agent = call.text("agent");
    const page = await throughDoor(call, usual, ({ client }) =>
      client.slots.list({
        ...pageOf(call),
        ...(agent && { agent }),
        ...(status && { status }),
      }),
    );
    showPage(call, page, { none: "no slots", show: (items) => showSlots(call, items) });
  },
};

function needed(call: Call, name: "starts" | "ends"): string {
  call.required(name);
  return call.instant(name) ?? "";
}

const create: CommandSpec = {
  words: "slots create",
  says: "Plan a time for an agent",
  more:
    "With --run a run is submitted when it starts; without it the agent is occupied (on_call: " +
    "claims urgent runs only) until the slot is over.",
  takes: [{ name: "agent", says: "whose time it is" }],
  flags: [
    { flag: "--type <type>", says: `one of ${types.join(", ")} (default work)` },
    { flag: "--starts <when>", says: "an instant, or 15m, 2h from now (needed)" },
    { flag: "--ends <when>", says: "an instant, or 4h from now (needed)" },
    { flag: "--title <text>", says: "for people" },
    { flag: "--priority <n>", says: "which of several due slots starts, 0 to 99 (default 40)" },
    { flag: "--content <json>", says: "for the agent: JSON, @file, or - for stdin" },
    { flag: "--run <json>", says: "a submission: JSON, @file, or - for stdin" },
  ],
  options: clientOptions,
  examples: [
    "signalbox slots create reviewer --type on_call --starts 1h --ends 9h",
    `signalbox slots create nightly --starts 8h --ends 10h --run '{"input": {"all": true}}'`,
  ],
  act: async (call) => {
    const type = call.word("type", types) ?? "work";
    const title = call.text("title");
    const priority = call.number("priority", { least: 0, most: 99 });
    const content = call.object("content");
    const run = call.object("run") as RunSubmission | undefined;
    const input = {
      agent: call.argument(0),
      type,
      starts_at: needed(call, "starts"),
      ends_at: needed(call, "ends"),
      ...(title !== undefined && { title }),
      ...(priority !== undefined && { priority }),
      ...(content !== undefined && { content }),
      ...(run !== undefined && { run }),
    };
    const slot = await throughDoor(call, usual, ({ client }) => client.slots.create(input));
    call.screen.result(slot, () => call.screen.line(slotLine(slot)));
  },
};

const verbs = {
  start: "Start a slot now",
  finish: "Say that a slot's work is done",
  abort: "Break a slot off",
  skip: "Cancel a slot before it starts",
} as const;

const changes = (Object.keys(verbs) as (keyof typeof verbs)[]).map((verb): CommandSpec => ({
  words: `slots ${verb}`,
  says: verbs[verb],
  takes: [theSlot],
  flags: [{ flag: "--reason <text>", says: "why, for the register" }],
  options: clientOptions,
  examples: [`signalbox slots ${verb} slt_01j…`],
  act: async (call) => {
    const reason = call.text("reason");
    const slot = await throughDoor(call, usual, ({ client }) =>
      client.slots[verb](call.argument(0), { ...(reason && { reason }) }),
    );
    call.screen.result(slot, () => call.screen.line(slotLine(slot)));
  },
}));

export const slotCommands: readonly CommandSpec[] = [list, create, ...changes];
