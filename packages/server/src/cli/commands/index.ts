// All commands, in the order of the help.
// Promises: a command that is not listed here does not exist.
// Leaves to others: each command (the files beside this one).

import type { CommandSpec } from "../command.ts";
import { completionCommand } from "./completion.ts";
import { databaseCommands } from "./db.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { eventsCommand } from "./events.ts";
import { limitsCommands } from "./limits.ts";
import { operateCommands } from "./operate.ts";
import { runCommand } from "./run.ts";
import { runCommands } from "./runs.ts";
import { submitCommand } from "./submit.ts";
import { upCommand } from "./up.ts";
import { workerCommand } from "./worker.ts";

export const commands: readonly CommandSpec[] = [
  upCommand,
  demoCommand,
  runCommand,
  workerCommand,
  submitCommand,
  ...runCommands,
  eventsCommand,
  ...operateCommands,
  ...limitsCommands,
  doctorCommand,
  ...databaseCommands,
  completionCommand(() => commands),
];
