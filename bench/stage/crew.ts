// Workers of a campaign: processes of `bench/workers`, and what they have told.
// Promises: each line a worker tells becomes an entry of the operations log; `begun` and `ended`
// are in the order they were told.
// Leaves to others: killing, stopping and continuing them (the campaign).

import type { HandsSettings } from "../workers/hands.ts";
import type { OperationsLog } from "./operations.ts";
import { workerProgram } from "./places.ts";
import type { OwnProcess, Processes } from "./processes.ts";

/** One thing a worker did: it began or ended a run under a fencing token. */
export type Deed = { worker: string; run: string; token: number; at: number };

/** A worker process. */
export class Hands {
  readonly process: OwnProcess;
  readonly begun: Deed[] = [];
  readonly ended: Deed[] = [];

  constructor(processes: Processes, settings: HandsSettings, log: OperationsLog) {
    this.process = processes.start({
      name: settings.name,
      command: process.execPath,
      args: [workerProgram("hands"), JSON.stringify(settings)],
      onLine: (line) => {
        const told = JSON.parse(line) as Deed & { what: string };
        if (told.what === "ready") return;
        const deed = { worker: settings.name, run: told.run, token: told.token, at: told.at };
        (told.what === "begin" ? this.begun : this.ended).push(deed);
        log.add({
          process: settings.name,
          op: told.what,
          args: { run: told.run, token: told.token },
          invoked_at: told.at,
          returned_at: told.at,
          result: "ok",
          value: null,
        });
      },
    });
  }

  /** Resolves when the worker is registered and asks for work. */
  async ready(): Promise<this> {
    await this.process.saysLine('"ready"');
    return this;
  }
}

/** Runs that two workers, or one worker twice, held at the same time, by what they told. */
export function overlaps(hands: readonly Hands[], diedAt: ReadonlyMap<Hands, number>): number {
  const spans = hands.flatMap((one) =>
    one.begun.map(({ run, token, at }) => {
      const end = one.ended.find((deed) => deed.run === run && deed.token === token);
      return { run, from: at, to: end?.at ?? diedAt.get(one) ?? Infinity };
    }),
  );
  const sorted = spans.toSorted((a, b) => a.run.localeCompare(b.run) || a.from - b.from);
  return sorted.filter((span, n) => {
    const before = sorted[n - 1];
    return before?.run === span.run && span.from < before.to;
  }).length;
}
