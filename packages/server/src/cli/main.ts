// The command line: finds the command, calls it, and turns how it ended into an exit code.
// Promises: every error is one sentence on stderr (with `--json` one JSON object) and an exit code
// of the table; help is success; output that was written is out before the process ends.
// Leaves to others: the check of Node's version (bin/signalbox.mjs), the commands.

import { readConfig } from "../config.ts";
import { version } from "../version.ts";
import type { CommandSpec } from "./command.ts";
import { commands } from "./commands/index.ts";
import { exit } from "./exit-codes.ts";
import { failureOf } from "./failure.ts";
import { watchReaders } from "./interruptions.ts";
import { buildProgram, callOf, parserVerdict, type Typed } from "./program.ts";
import { safeJson, safeText } from "./safe-text.ts";
import { Screen } from "./screen.ts";

/** Runs one command line and ends the process. */
export async function main(args: readonly string[]): Promise<void> {
  watchReaders();
  let code = exit("ok");
  const dispatch = async (spec: CommandSpec, typed: Typed): Promise<void> => {
    code = await perform(spec, typed);
  };
  const program = buildProgram(commands, dispatch, version);
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    const verdict = parserVerdict(error);
    if (verdict === null) code = complain(error, args.includes("--json"));
    else code = verdict === "helped" ? exit("ok") : exit("usage");
  }
  // Sockets that are kept alive and timers of libraries must not keep a finished command.
  process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
}

async function perform(spec: CommandSpec, typed: Typed): Promise<number> {
  try {
    const config = readConfig(typed.flags);
    const colour = config.noColour ? false : config.forceColour ? true : undefined;
    const screen = new Screen({ json: typed.json, colour });
    return (await spec.act(callOf(typed, { screen, config }))) ?? exit("ok");
  } catch (error) {
    return complain(error, typed.json);
  }
}

/** Says what went wrong. Returns the exit code. */
function complain(error: unknown, json: boolean): number {
  const failure = failureOf(error);
  const { exitCode, message, ...rest } = failure;
  if (json) {
    process.stderr.write(`${safeJson({ error: { ...rest, message, exit_code: exitCode } })}\n`);
    return exitCode;
  }
  process.stderr.write(`signalbox: ${safeText(message)}\n`);
  const errors = failure.errors ?? [];
  if (errors.length > 1) {
    for (const one of errors)
      process.stderr.write(`  ${safeText(`${one.field} ${one.message}`)}\n`);
  }
  if (exitCode === exit("software") && error instanceof Error) {
    process.stderr.write(`${safeText(error.stack ?? "")}\n`);
  }
  return exitCode;
}
