// All commands, in the order of the help.
// Promises: a command that is not listed here does not exist.
// Leaves to others: each command (the files beside this one).

import type { CommandSpec } from "../command.ts";
import { accountCommands } from "./accounts.ts";
import { agentCommands } from "./agents.ts";
import { accessCommands } from "./access.ts";
import { allowanceCommands } from "./allowances.ts";
import { approvalCommands } from "./approvals.ts";
import { completionCommand } from "./completion.ts";
import { databaseCommands } from "./db.ts";
import { deadCommands } from "./dead.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { eventsCommand } from "./events.ts";
import { keyCommands } from "./keys.ts";
import { limitsCommands } from "./limits.ts";
import { operateCommands } from "./operate.ts";
import { runCommand } from "./run.ts";
import { runCommands } from "./runs.ts";
import { runtimeCommands } from "./runtimes.ts";
import { slotCommands } from "./slots.ts";
import { submitCommand } from "./submit.ts";
import { upCommand } from "./up.ts";
import { usageCommand } from "./usage.ts";
import { verifyCommand } from "./verify.ts";
import { webhookCommands } from "./webhooks.ts";
import { workerCommand } from "./worker.ts";

export const commands: readonly CommandSpec[] = [
  upCommand,
  demoCommand,
  runCommand,
  workerCommand,
  submitCommand,
  ...runCommands,
  ...deadCommands,
  eventsCommand,
  ...agentCommands,
  ...accountCommands,
  ...allowanceCommands,
  usageCommand,
  ...slotCommands,
  ...approvalCommands,
  ...runtimeCommands,
  ...operateCommands,
  ...keyCommands,
  ...accessCommands,
  ...webhookCommands,
  ...limitsCommands,
  doctorCommand,
  verifyCommand,
  ...databaseCommands,
  completionCommand(() => commands),
];
