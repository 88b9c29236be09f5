// SIGTERM and SIGINT, turned into a drain.
// Promises: nothing is listened to before a worker starts or after it has stopped; the first signal
// drains, a second one has its usual effect at once; after the drain the signal takes its usual
// effect too, unless the program listens to it itself.
// Leaves to others: draining (`worker.ts`).

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** Calls `drain` at the first signal. Returns how to stop listening. */
export function drainOnSignals(drain: () => Promise<void>): () => void {
  const unlisten = (): void => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    unlisten();
    void drain().finally(() => {
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return unlisten;
}
