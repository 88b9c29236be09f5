// `run -- <command>`: one command as a run, executed here, in the register like every other.
// Promises: prints what the command prints, byte by byte, and ends with its exit code (128 +
// signal); a command that cannot be started ends with 127 or 126 and leaves a failed run; the first
// interruption cancels the run (SIGTERM to the whole tree, SIGKILL after 10 s), the second kills it
// and does not wait for the tree (SIGKILL after 1 s); a limit of a provider rests an account and
// ends with 75, or is waited for. Needs no server: one is started for the time of the command.
// Leaves to others: the run (one-run.ts), loaded when it is wanted; serving (door.ts).

import { clientOptions, type CommandSpec } from "../command.ts";
import { throughDoor } from "../door.ts";
import { usage } from "../failure.ts";
import { limitProtocol } from "../limit-protocol.ts";

export const runCommand: CommandSpec = {
  words: "run",
  says: "Run a command as a run: leased, watched, logged",
  more:
    "Its output is printed as it is, and its exit code is passed on. Ctrl-C cancels it. If no " +
    "server runs, one is started for its time. The command finds its input in $SIGNALBOX_INPUT " +
    "and may write its output, as JSON, to $SIGNALBOX_OUTPUT.\n\n" +
    `${limitProtocol} The account of its agent then rests until the limit is over, and the run ` +
    "goes back without cost: with --wait it is begun again then, else it is cancelled, and the " +
    "exit code is 75. The agent is named after you, this machine and the program, unless --agent " +
    "names one.",
  takes: [{ name: "command", says: "the command with its arguments, after --", rest: true }],
  flags: [
    { flag: "--input <json>", says: "input of the run: JSON, @file, or - for stdin" },
    { flag: "--agent <name>", says: "agent it works as, on whose accounts (default: its own)" },
    { flag: "--wait", says: "wait until a limit of the provider is over, and go on" },
    { flag: "--tag <tag>", says: "to find it again", many: true },
    { flag: "--max-duration <s>", says: "end it as timeout after so many seconds" },
    { flag: "--stdin <what>", says: "what its stdin holds: none (default) or json, the input" },
    { flag: "--clean-env", says: "inherit only PATH, HOME and the like" },
  ],
  options: clientOptions,
  examples: [
    "signalbox run -- sh -c 'echo hi'",
    'signalbox run --wait --tag nightly -- claude -p "tidy the changelog"',
    "signalbox run --input @pr.json -- ./review.sh {input.number}",
  ],
  act: async (call) => {
    const command = call.rest(0);
    if (command.length === 0) throw usage("This needs a command: signalbox run -- echo hi.");
    const { OneRun } = await import("../one-run.ts");
    return throughDoor(call, { otherwise: "start", stay: true }, ({ client }) =>
      new OneRun(call, client, command).perform(),
    );
  },
};
