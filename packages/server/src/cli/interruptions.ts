// How a running command is interrupted from outside: signals, and a reader that went away.
// Promises: the same signal twice within half a second is one (npm passes on what the terminal has
// sent already); listeners are removed when the command is done.
// Leaves to others: what a first and a second interruption mean (the commands).

import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
export type Interruption = (typeof SIGNALS)[number];

const ECHO_MS = 500;

/** Calls `listener` with each signal and how many came before. Returns how to stop listening. */
export function onInterruption(
  listener: (signal: Interruption, before: number) => void,
): () => void {
  let before = 0;
  let last = -Infinity;
  const heard = (signal: NodeJS.Signals): void => {
    const now = performance.now();
    if (now - last < ECHO_MS) return;
    last = now;
    listener(signal as Interruption, before);
    before += 1;
  };
  for (const signal of SIGNALS) process.on(signal, heard);
  return () => {
    for (const signal of SIGNALS) process.off(signal, heard);
  };
}

/** The exit code of a process that a signal ended. */
export function exitOfSignal(signal: string): number {
  return 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}

let unread: () => void = endQuietly;

function endQuietly(): void {
  process.exit(0);
}

/** What happens when nobody reads our output any more; without this the command just ends. */
export function whenUnread(act: () => void): () => void {
  unread = act;
  return () => {
    unread = endQuietly;
  };
}

/** Listens for closed pipes: `signalbox runs list | head`. */
export function watchReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED") throw error;
      unread();
    });
  }
}
