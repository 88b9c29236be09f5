// Submitting many runs at once, and waiting until all of a queue have ended.
// Promises: throws when a single one is refused; waits with a deadline, by SQL, so that waiting
// adds no load to the server.
// Leaves to others: who does the runs.

import type { BatchSubmission, BatchSubmitResult } from "@signalbox/sdk";

import type { Register } from "./register.ts";
import { until } from "./until.ts";
import type { Wire } from "./wire.ts";

/** Submits and returns the ids, in order. At most 1,000. */
export async function submitAll(wire: Wire, items: BatchSubmission[]): Promise<string[]> {
  const call = { body: { items } };
  const { results } = await wire.must<{ results: BatchSubmitResult[] }>(
    "POST /v1/runs/batch",
    call,
  );
  return results.map((result) => {
    if (result.ok) return result.run.id;
    throw new Error(`a submit was refused: ${JSON.stringify(result.problem)}`);
  });
}

const open = `
  select count(*)::integer as n from signalbox.run r
  join signalbox.run_spec s on s.run_id = r.id
  where s.queue = $1 and r.finished_at is null`;

/** Waits until no run of the queue is open. */
export async function allEnded(register: Register, queue: string, limitMs: number): Promise<void> {
  const isDone = async (): Promise<boolean> => {
    const [row] = await register.rows<{ n: number }>(open, [queue]);
    return row?.n === 0;
  };
  await until(`the end of every run of ${queue}`, isDone, { limitMs, everyMs: 50 });
}
