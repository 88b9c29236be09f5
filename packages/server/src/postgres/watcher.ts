// The parent of the postmaster: a shell of a few hundred KiB in a session of its own, so that
// neither Ctrl-C nor the end of a terminal reaches the database before the server has drained.
// Promise: when this process dies, however it dies, the kernel closes its end of the channel,
// and the shell asks the postmaster for a fast shutdown, after 5 s for an immediate one.
// Why not Node: 40 MiB. Why the parent: a child that was not waited for keeps its pid, so the
// shell cannot signal a stranger; and there is no moment in which a postmaster has no watcher.
// Leaves to others: a watcher that is itself killed (keeper.ts, leftovers.ts).

import { spawn } from "node:child_process";
import type { Socket } from "node:net";

import { environment, identityOf, type OsUser } from "./command.ts";
import { watcherTitle } from "./processes.ts";

// stdout: the postmaster's pid · stderr: its log · 3: the lock on the cluster, inherited by every
// process of the database and by nothing else · 4: the channel; words in, its end is the alarm.
// Two shells: the outer waits for the postmaster, the inner for the channel. Signals that a
// terminal or a service manager sends to all are ignored only after the postmaster was started,
// since ignoring is inherited.
const script = `
"$@" </dev/null >&2 4>&- &
postmaster=$!
exec 3>&-
born() { cut -d ' ' -f 22 "/proc/$postmaster/stat" 2>/dev/null; }
mark=$(born)
tell() { [ "$(born)" = "$mark" ] && kill -"$1" "$postmaster" 2>/dev/null; }
trap '' HUP INT TERM PIPE
(
  exec >/dev/null
  while read -r word <&4; do
    case $word in
      fast) tell INT ;;
      immediate) tell QUIT ;;
    esac
  done
  exec 4>&-
  tell INT
  for second in 1 2 3 4 5; do
    sleep 1
    kill -0 "$postmaster" 2>/dev/null || exit
  done
  tell QUIT
) &
reader=$!
exec 4>&-
echo "$postmaster"
wait "$postmaster"
code=$?
kill -KILL "$reader"
wait "$reader" 2>/dev/null
exit "$code"
`;

export type Word = "fast" | "immediate";

export type Watched = {
  /** The postmaster. */
  pid: number;
  /** Settles when the postmaster has ended or is no longer watched; the exit code if known. */
  ended: Promise<number | null>;
  ask: (word: Word) => void;
  /** Lets go of the channel: the same alarm as our own death. */
  close: () => void;
};

export type Launch = {
  postgres: string;
  args: string[];
  user: OsUser;
  /** Open for appending. */
  logFd: number;
  lockFd: number;
};

/** Resolves as soon as the postmaster is a process; whether it serves is session.ts's matter. */
export async function launch(how: Launch): Promise<Watched> {
  const args = ["-c", script, watcherTitle, how.postgres, ...how.args];
  const child = spawn("/bin/sh", args, {
    ...identityOf(how.user),
    cwd: "/",
    env: environment,
    detached: true,
    stdio: ["ignore", "pipe", how.logFd, how.lockFd, "pipe"],
  });
  const channel = child.stdio[4] as Socket;
  // A broken channel shows as the end of the watcher; the error itself adds nothing.
  channel.on("error", () => {});
  const ended = new Promise<number | null>((resolve) => {
    child.once("exit", (code) => resolve(code));
    child.once("error", () => resolve(null));
    // The inner shell never ends first, unless it is killed: then nobody watches any more.
    channel.once("end", () => resolve(null));
    channel.resume();
  });
  const pid = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error("the watching shell ended at once")));
    child.stdout?.once("data", (line: Buffer) => resolve(Number(line.toString())));
  });
  const ask = (word: Word): void => {
    if (channel.writable) channel.write(`${word}\n`);
  };
  return { pid, ended, ask, close: () => channel.destroy() };
}
