// `worker --agent NAME -- <command>`: serves the runs of an agent with a command per run.
// Promises: leases of 60 s that a process of their own keeps; the first SIGTERM or Ctrl-C drains
// (no new runs, live ones may finish, the rest is given back), the second ends at once; what the
// command prints goes to the register, here one line per run is said.
// Leaves to others: the serving (serve-runs.ts), loaded when it is wanted.

import { clientOptions, type CommandSpec } from "../command.ts";
import { throughDoor } from "../door.ts";
import { usage } from "../failure.ts";
import { limitProtocol } from "../limit-protocol.ts";

const DRAIN_S = 25;

export const workerCommand: CommandSpec = {
  words: "worker",
  says: "Serve the runs of an agent: each one is a call of the command",
  more:
    "The command finds the input in $SIGNALBOX_INPUT (a file) and in {input.field} placeholders " +
    "of its arguments; it may write its output, as JSON, to $SIGNALBOX_OUTPUT, or print it as " +
    "the last line. Exit 0 completes the run; other exits are tried again, except 2, 64–74, " +
    "76–78, 126 and 127. SIGTERM drains.\n\n" +
    `${limitProtocol} The run goes back without cost, and the account of its agent rests until ` +
    "the limit is over.",
  takes: [{ name: "command", says: "the command with its arguments, after --", rest: true }],
  flags: [
    { flag: "--agent <name>", says: "agent it works as (needed, may be several)", many: true },
    { flag: "--concurrency <n>", says: "runs at a time, 1 to 10000 (default 1)" },
    { flag: "--runner <name>", says: "runner it serves (default: default)", many: true },
    { flag: "--queue <name>", says: "queue it serves (default: all)", many: true },
    { flag: "--capability <name>", says: "what runs may require of it", many: true },
    { flag: "--label <key=value>", says: "shown with the runtime", many: true },
    {
      flag: "--runtime <name>",
      says: "its name, unique in the project (default: host:pid:random)",
    },
    { flag: "--lease <s>", says: "lease in seconds, 1 to 3600 (default 60)" },
    {
      flag: "--drain <s>",
      says: `how long live runs may finish after SIGTERM (default ${DRAIN_S})`,
    },
    { flag: "--cwd <where>", says: "working folder: inherit (default), fresh, or a path" },
    { flag: "--clean-env", says: "inherit only PATH, HOME and the like" },
    { flag: "--stdin <what>", says: "what its stdin holds: none (default) or json, the input" },
    { flag: "--show-output", says: "print what the command prints, too" },
  ],
  options: clientOptions,
  examples: [
    'signalbox worker --agent reviewer -- claude -p "review {input.pr}"',
    "signalbox worker --agent tests --concurrency 4 -- npm test",
  ],
  act: async (call) => {
    if (call.rest(0).length === 0) throw usage("This needs a command after --.");
    if (call.texts("agent") === undefined) throw usage("This needs --agent NAME.");
    const drainS = call.number("drain", { least: 0, most: 86_400 }) ?? DRAIN_S;
    const { serveRuns } = await import("../serve-runs.ts");
    return throughDoor(call, { otherwise: "refuse" }, (door) => serveRuns(call, door, drainS));
  },
};
