// The operations log: what the clients of a campaign asked for and what they were told.
// Promises: every entry has the instants before the call and after its answer; an unknown outcome
// (timeout, cut, 5xx) is `info`, never counted as done or as not done; the log is written to a
// file as it grows, so that it survives the campaign.
// Leaves to others: comparing it with the register.

import { appendFileSync } from "node:fs";

/** One operation of one process. Instants are milliseconds of the wall clock. */
export type Operation = {
  process: string;
  op: string;
  args: unknown;
  invoked_at: number;
  returned_at: number;
  result: "ok" | "fail" | "info";
  value: unknown;
};

/** Milliseconds of the wall clock: the clock the database writes its facts with. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Collects operations and appends them to a file of JSON lines. */
export class OperationsLog {
  readonly entries: Operation[] = [];
  readonly #path: string;
  #unwritten: string[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  add(operation: Operation): void {
    this.entries.push(operation);
    this.#unwritten.push(JSON.stringify(operation));
    if (this.#unwritten.length >= 500) this.flush();
  }

  flush(): void {
    if (this.#unwritten.length === 0) return;
    appendFileSync(this.#path, `${this.#unwritten.join("\n")}\n`);
    this.#unwritten = [];
  }

  /** What was acknowledged, of one kind. */
  acknowledged(op: string): Operation[] {
    return this.entries.filter((entry) => entry.op === op && entry.result === "ok");
  }
}
