// `agents list|show|register|pause|resume|recover`: who may work, and who rests.
// Promises: pausing and recovering need a reason, which stands in the register; `register` sends
// only what was given, so everything else stays as it is.
// Leaves to others: limits of one account (accounts.ts), who may do it (the server).

import { isSignalboxError } from "@signalbox/sdk";
import type { Account, AgentRegistration, AgentStatus } from "@signalbox/sdk";
import { type Call, clientOptions, type CommandSpec } from "../command.ts";
import { type Door, throughDoor, usual } from "../door.ts";
import { pageFlags, pageOf, showPage } from "../page.ts";
import { safeLine } from "../safe-text.ts";
import { accountState, agentLine, showAgent, showAgents } from "../show-agent.ts";

const theAgent = { name: "name", says: "the agent" };
const reasonFlag = { flag: "--reason <text>", says: "why, for the register (needed)" };

const statuses: readonly AgentStatus[] = ["offline", "exhausted", "on_call", "busy", "idle"];

const list: CommandSpec = {
  words: "agents list",
  says: "List agents with their status",
  flags: [
    { flag: "--status <status>", says: `only with this status: ${statuses.join(", ")}` },
    { flag: "--paused", says: "only paused ones" },
    ...pageFlags,
  ],
  options: clientOptions,
  examples: ["signalbox agents list", "signalbox agents list --status exhausted"],
  act: async (call) => {
    const status = call.word("status", statuses);
    const page = await throughDoor(call, usual, ({ client }) =>
      client.agents.list({
        ...pageOf(call),
        ...(status && { status }),
        ...(call.on("paused") && { paused: true }),
      }),
    );
    showPage(call, page, {
      none: "no agents",
      show: (items) => showAgents(call.screen, items),
    });
  },
};

const show: CommandSpec = {
  words: "agents show",
  says: "Show one agent, with the limits of its accounts",
  takes: [theAgent],
  options: clientOptions,
  examples: ["signalbox agents show reviewer"],
  act: async (call) =>
    throughDoor(call, usual, async ({ client }) => {
      const agent = await client.agents.get(call.argument(0));
      const accounts = call.screen.json ? [] : await accountsOf(client, agent.accounts);
      call.screen.result(agent, () => showAgent(call.screen, agent, accounts));
    }),
};

/** The accounts of these names; one that nobody has used yet is no account. */
async function accountsOf(client: Door["client"], names: readonly string[]): Promise<Account[]> {
  const found: Account[] = [];
  for (const name of names) {
    const account = await orNothing(client.accounts.get(name));
    if (account !== null) found.push(account);
  }
  return found;
}

async function orNothing<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (isSignalboxError(error) && error.status === 404) return null;
    throw error;
  }
}

/** Fields that `--clear` puts back to the default. */
const clearable = [
  "description",
  "capabilities",
  "models",
  "accounts",
  "labels",
  "max_concurrent",
  "max_run_duration_s",
] as const satisfies readonly (keyof AgentRegistration)[];

const listFlags = { capability: "capabilities", model: "models", account: "accounts" } as const;

function registrationFrom(call: Call): AgentRegistration {
  const registration: AgentRegistration = {};
  for (const field of call.words("clear", clearable) ?? []) registration[field] = null;
  for (const flag of ["capability", "model", "account"] as const) {
    const names = call.texts(flag);
    if (names !== undefined) registration[listFlags[flag]] = names;
  }
  const description = call.text("description");
  if (description !== undefined) registration.description = description;
  const most = call.number("maxConcurrent", { least: 0, most: 100_000 });
  if (most !== undefined) registration.max_concurrent = most;
  const longest = call.number("maxRunDuration", { least: 1, most: 2_678_400 });
  if (longest !== undefined) registration.max_run_duration_s = longest;
  const labels = call.pairs("label");
  if (labels !== undefined) registration.labels = labels;
  return registration;
}

const register: CommandSpec = {
  words: "agents register",
  says: "Register an agent, or change what it may do",
  more: "What is not given stays as it is; --clear puts a field back to its default.",
  takes: [theAgent],
  flags: [
    { flag: "--account <name>", says: "account it draws on, the preferred one first", many: true },
    { flag: "--model <name>", says: "model it may use; without any: every model", many: true },
    { flag: "--capability <name>", says: "what it can do", many: true },
    { flag: "--max-concurrent <n>", says: "runs at a time (default: unlimited)" },
    { flag: "--max-run-duration <s>", says: "longest attempt, in seconds" },
    { flag: "--label <key=value>", says: "for people and filters", many: true },
    { flag: "--description <text>", says: "for people" },
    { flag: "--clear <field>", says: `one of ${clearable.join(", ")}`, many: true },
  ],
  options: clientOptions,
  examples: [
    "signalbox agents register reviewer --account anthropic/max-1 --max-concurrent 4",
    "signalbox agents register reviewer --clear models",
  ],
  act: async (call) => {
    const registration = registrationFrom(call);
    const agent = await throughDoor(call, usual, ({ client }) =>
      client.agents.register(call.argument(0), registration),
    );
    call.screen.result(agent, () => call.screen.line(agentLine(agent, call.screen.colours)));
  },
};

const pause: CommandSpec = {
  words: "agents pause",
  says: "Let an agent claim nothing more; what it has goes on",
  takes: [theAgent],
  flags: [reasonFlag],
  options: clientOptions,
  examples: ['signalbox agents pause reviewer --reason "its prompt is being rewritten"'],
  act: async (call) => {
    const reason = call.required("reason");
    const agent = await throughDoor(call, usual, ({ client }) =>
      client.agents.pause(call.argument(0), { reason }),
    );
    call.screen.result(agent, () => call.screen.line(agentLine(agent, call.screen.colours)));
  },
};

const resume: CommandSpec = {
  words: "agents resume",
  says: "Let a paused agent claim again",
  takes: [theAgent],
  options: clientOptions,
  examples: ["signalbox agents resume reviewer"],
  act: async (call) => {
    const agent = await throughDoor(call, usual, ({ client }) =>
      client.agents.resume(call.argument(0)),
    );
    call.screen.result(agent, () => call.screen.line(agentLine(agent, call.screen.colours)));
  },
};

const recover: CommandSpec = {
  words: "agents recover",
  says: "Say that the limits of an agent's accounts are over",
  more:
    "Of all its accounts, which other agents may share. One run tries each; if the limit stands " +
    "still, it closes again.",
  takes: [theAgent],
  flags: [reasonFlag, { flag: "--model <name>", says: "only the limit of this model" }],
  options: clientOptions,
  examples: ['signalbox agents recover reviewer --reason "the invoice is paid"'],
  act: async (call) => {
    const reason = call.required("reason");
    const model = call.text("model");
    const items = await throughDoor(call, usual, async ({ client }) => {
      const { accounts } = await client.agents.get(call.argument(0));
      const recovered: Account[] = [];
      for (const name of accounts) {
        const asked = client.accounts.recover(name, { reason, ...(model && { model }) });
        const account = await orNothing(asked);
        if (account !== null) recovered.push(account);
      }
      return recovered;
    });
    call.screen.result({ items }, () => {
      if (items.length === 0) call.screen.aside("none of its accounts has met a limit");
      for (const one of items) call.screen.line(`${safeLine(one.name)} ${accountState(one)}`);
    });
  },
};

export const agentCommands: readonly CommandSpec[] = [list, show, register, pause, resume, recover];
