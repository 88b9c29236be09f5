// The command line, built from the table of commands.
// Promises: unknown commands and flags are refused with a suggestion and exit code 64; every
// command has `--json`, `--help` with examples, and the options it names; nothing else happens
// before the command itself is called.
// Leaves to others: what commands do (commands/), what an error means (failure.ts).

import { Command, CommanderError, Option } from "commander";
import type { Config, Flags, OptionName } from "../config.ts";
import { optionTable } from "../config.ts";
import { assert } from "../std/assert.ts";
import { Call, type CommandSpec, type FlagSpec, type Values } from "./command.ts";

/** Called with the command that was asked for. */
export type Dispatch = (spec: CommandSpec, typed: Typed) => Promise<void>;

/** What was typed for one command. */
export type Typed = {
  takes: (string | string[] | undefined)[];
  values: Values;
  /** Values of the flags that belong to the option table. */
  flags: Flags;
  json: boolean;
};

/** Words that hold commands, with their help. */
const groups: Readonly<Record<string, string>> = {
  runs: "List, look at, watch, cancel, kill and explain runs",
  dead: "Look at runs that failed for good, try them again or put them away",
  approvals: "Answer the questions that runs wait on, and ask them",
  agents: "List, register, pause, resume and recover agents",
  accounts: "List, look at and recover the accounts that agents draw on",
  allowances: "Limit what projects, agents, accounts and models may consume",
  slots: "Plan, start and end times of agents",
  runtimes: "List and drain worker processes",
  queues: "List, pause and resume queues",
  projects: "List and create projects",
  keys: "List, create and revoke keys",
  sessions: "List and end the sessions of logged-in browsers",
  webhooks: "Send events to URLs, and see what their receivers answered",
  limits: "Read what providers say when they refuse",
  db: "Migrate, address and back up the database",
};

/** Builds the parser. */
export function buildProgram(
  specs: readonly CommandSpec[],
  dispatch: Dispatch,
  version: string,
): Command {
  const program = new Command("signalbox")
    .description("The control plane for fleets of AI agents.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, "signalbox: ")),
    })
    .addHelpText("after", startText);
  const parents = new Map<string, Command>();
  for (const spec of specs) {
    const words = spec.words.split(" ");
    const parent = words.length === 1 ? program : groupOf(program, parents, words[0] ?? "");
    parent.addCommand(commandOf(spec, words.at(-1) ?? "", dispatch).copyInheritedSettings(parent));
  }
  return program;
}

const startText = `
Begin with:
  $ signalbox demo                       real agents on real input, one minute
  $ signalbox run -- sh -c 'echo hi'     one command as a run
  $ signalbox up                         a server that stays`;

function groupOf(program: Command, parents: Map<string, Command>, word: string): Command {
  const known = parents.get(word);
  if (known !== undefined) return known;
  const says = groups[word];
  assert(says !== undefined, `the help of \`${word}\` is missing`);
  const group = program.command(word).description(says);
  group.helpCommand(false);
  parents.set(word, group);
  return group;
}

function commandOf(spec: CommandSpec, word: string, dispatch: Dispatch): Command {
  const command = new Command(word).summary(spec.says).description(descriptionOf(spec));
  for (const { name, says, optional, rest } of spec.takes ?? []) {
    const dots = rest === true ? `${name}...` : name;
    command.argument(optional === true ? `[${dots}]` : `<${dots}>`, says);
    // What follows the first word of the program belongs to the program.
    if (rest === true) command.passThroughOptions();
  }
  for (const flag of spec.flags ?? []) command.addOption(optionOf(flag));
  for (const name of spec.options) command.addOption(tableOption(name));
  command.addOption(new Option("--json", "print JSON, in the shapes of the API"));
  command.addHelpText(
    "after",
    `\nExamples:\n${spec.examples.map((one) => `  $ ${one}`).join("\n")}`,
  );
  command.action(async (...given: unknown[]) => {
    const takes = given.slice(0, spec.takes?.length ?? 0) as Typed["takes"];
    const values = command.opts<Values>();
    const flags = Object.fromEntries(
      spec.options.map((name) => [name, values[attributeOf(name)]]),
    ) as Flags;
    await dispatch(spec, { takes, values, flags, json: values["json"] === true });
  });
  return command;
}

function descriptionOf(spec: CommandSpec): string {
  return spec.more === undefined ? `${spec.says}.` : `${spec.says}.\n\n${spec.more}`;
}

function optionOf({ flag, says, many }: FlagSpec): Option {
  const option = new Option(flag, says);
  if (many !== true) return option;
  return option.argParser((text: string, before: string[] | undefined) => [
    ...(before ?? []),
    text,
  ]);
}

function tableOption(name: OptionName): Option {
  const { flag, value, doc, env } = optionTable[name];
  const [first = doc] = doc.split(/(?<=\.) /);
  const says = `${first.charAt(0).toLowerCase()}${first.slice(1).replace(/\.$/, "")} (${env})`;
  return new Option(`${flag} <${value}>`, says);
}

/** Where commander keeps the value of a flag of the table. */
function attributeOf(name: OptionName): string {
  return new Option(`${optionTable[name].flag} <x>`).attributeName();
}

/** Makes the call for a command. */
export function callOf(typed: Typed, around: { screen: Call["screen"]; config: Config }): Call {
  return new Call({ takes: typed.takes, values: typed.values }, around);
}

/** Whether an error is the parser's, and with which exit code it is done. */
export function parserVerdict(error: unknown): "helped" | "refused" | null {
  if (!(error instanceof CommanderError)) return null;
  const isHelp = ["commander.helpDisplayed", "commander.help", "commander.version"];
  return isHelp.includes(error.code) ? "helped" : "refused";
}
