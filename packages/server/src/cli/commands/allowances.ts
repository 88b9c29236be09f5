// `allowances list|create|set|delete`: what may be consumed.
// Promises: only what was given is sent; money may be written in dollars (`5usd`), and is micros in
// JSON.
// Leaves to others: which fields go together (the server names each wrong one), usage (usage.ts).

import type {
  AllowanceChange,
  AllowanceInput,
  AllowanceMetric,
  AllowanceMode,
  AllowanceWindow,
} from "@signalbox/sdk";
import { type Call, chosen, clientOptions, type CommandSpec } from "../command.ts";
import { throughDoor, usual } from "../door.ts";
import { usage } from "../failure.ts";
import { pageFlags, pageOf, showPage } from "../page.ts";
import { allowanceLine, showAllowances } from "../show-allowance.ts";

const metrics: readonly AllowanceMetric[] = ["tokens", "cost_micros", "runs", "concurrent_runs"];
const windows: readonly AllowanceWindow[] = ["hour", "day", "week", "month", "rolling"];
const modes: readonly AllowanceMode[] = ["soft", "hard", "kill"];

/** 2000000, 2_000_000, or dollars as 5usd, 0.25usd. */
function amountOf(text: string, what: string): number {
  const dollars = /^(\d{1,9})(?:\.(\d{1,6}))?usd$/i.exec(text);
  if (dollars !== null) {
    return Number(dollars[1]) * 1_000_000 + Number((dollars[2] ?? "").padEnd(6, "0"));
  }
  const value = Number(text.replaceAll("_", ""));
  if (/^\d[\d_]*$/.test(text) && Number.isSafeInteger(value)) return value;
  throw usage(`${what} must be a whole number, or dollars such as 5usd.`);
}

function modeFrom(call: Call): { mode?: AllowanceMode } {
  const mode = call.word("mode", modes);
  return mode === undefined ? {} : { mode };
}

function reserveFrom(call: Call): { default_reserve?: number | null } {
  const text = call.text("reserve");
  if (text === undefined) return {};
  return { default_reserve: text === "none" ? null : amountOf(text, "--reserve") };
}

/** Whom it is for: the one of --agent, --account, --model that was given, else the project. */
function scopeFrom(call: Call): Pick<AllowanceInput, "scope" | "name"> {
  const given = (["agent", "account", "model"] as const).flatMap((scope) => {
    const name = call.text(scope);
    return name === undefined ? [] : [{ scope, name }];
  });
  if (given.length > 1) throw usage("Give one of --agent, --account, --model.");
  return given[0] ?? { scope: "project" };
}

function inputFrom(call: Call): AllowanceInput {
  const window = call.word("window", windows);
  const hours = call.number("hours", { least: 1, most: 744 });
  const zone = call.text("timeZone");
  const reset = call.text("resetTime");
  return {
    ...scopeFrom(call),
    metric: chosen(call.argument(0), metrics, "The metric"),
    limit: amountOf(call.argument(1), "The limit"),
    ...(window && { window }),
    ...(hours && { window_hours: hours }),
    ...(zone && { time_zone: zone }),
    ...(reset && { reset_time: reset }),
    ...modeFrom(call),
    ...reserveFrom(call),
  };
}

const modeFlag = {
  flag: "--mode <mode>",
  says: "soft warns, hard (default) holds back, kill ends runs that cross it as well",
};
const reserveFlag = {
  flag: "--reserve <n>",
  says: "reserved per attempt without an estimate; none: what is typical",
};
const theAllowance = { name: "id", says: "id of the allowance (`allowances list`)" };

const list: CommandSpec = {
  words: "allowances list",
  says: "List allowances with what is spent and reserved",
  flags: pageFlags,
  options: clientOptions,
  examples: ["signalbox allowances list"],
  act: async (call) => {
    const page = await throughDoor(call, usual, ({ client }) =>
      client.allowances.list(pageOf(call)),
    );
    showPage(call, page, {
      none: "no allowances: nothing is limited",
      show: (items) => showAllowances(call.screen, items),
    });
  },
};

const create: CommandSpec = {
  words: "allowances create",
  says: "Limit what the project, an agent, an account or a model may consume",
  more: "Without --agent, --account or --model it is for the whole project.",
  takes: [
    { name: "metric", says: `one of ${metrics.join(", ")}` },
    { name: "limit", says: "most of it; money in micros, or as 5usd" },
  ],
  flags: [
    { flag: "--agent <name>", says: "for this agent" },
    { flag: "--account <name>", says: "for this account" },
    { flag: "--model <name>", says: "for this model" },
    { flag: "--window <window>", says: `one of ${windows.join(", ")}` },
    { flag: "--hours <n>", says: "length of a rolling window" },
    { flag: "--time-zone <zone>", says: "where calendar windows begin (default UTC)" },
    { flag: "--reset-time <HH:MM>", says: "when they begin (default 00:00)" },
    modeFlag,
    reserveFlag,
  ],
  options: clientOptions,
  examples: [
    "signalbox allowances create cost_micros 5usd --agent reviewer --window day",
    "signalbox allowances create tokens 2_000_000 --model opus --window rolling --hours 5",
    "signalbox allowances create concurrent_runs 4 --account anthropic/max-1",
  ],
  act: async (call) => {
    const input = inputFrom(call);
    const made = await throughDoor(call, usual, ({ client }) => client.allowances.create(input));
    call.screen.result(made, () => call.screen.line(allowanceLine(made)));
  },
};

const set: CommandSpec = {
  words: "allowances set",
  says: "Change limit, mode or default reserve of an allowance",
  takes: [theAllowance],
  flags: [
    { flag: "--limit <n>", says: "most of it; money in micros, or as 5usd" },
    modeFlag,
    reserveFlag,
  ],
  options: clientOptions,
  examples: ["signalbox allowances set alw_01j… --limit 10usd"],
  act: async (call) => {
    const limit = call.text("limit");
    const change: AllowanceChange = {
      ...(limit !== undefined && { limit: amountOf(limit, "--limit") }),
      ...modeFrom(call),
      ...reserveFrom(call),
    };
    if (Object.keys(change).length === 0) throw usage("Give --limit, --mode or --reserve.");
    const changed = await throughDoor(call, usual, ({ client }) =>
      client.allowances.update(call.argument(0), change),
    );
    call.screen.result(changed, () => call.screen.line(allowanceLine(changed)));
  },
};

const remove: CommandSpec = {
  words: "allowances delete",
  says: "End an allowance: it limits nothing any more",
  takes: [theAllowance],
  options: clientOptions,
  examples: ["signalbox allowances delete alw_01j…"],
  act: async (call) => {
    const gone = await throughDoor(call, usual, ({ client }) =>
      client.allowances.delete(call.argument(0)),
    );
    call.screen.result(gone, () => call.screen.line(`deleted ${allowanceLine(gone)}`));
  },
};

export const allowanceCommands: readonly CommandSpec[] = [list, create, set, remove];
