// The thread of the witness (witness.ts): sleeps, commits a row, and notes the worst of both.
// Leaves to others: when to begin and to end, reading what was noted.

import { workerData } from "node:worker_threads";

import { Client } from "./postgres.ts";
import { sleep } from "./until.ts";
import { board } from "./witness.ts";

const EVERY_MS = 20;

const { url, seen } = workerData as { url: string; seen: Int32Array };

function note(place: number, ms: number): void {
  const us = Math.round(ms * 1000);
  if (us > Atomics.load(seen, place)) Atomics.store(seen, place, us);
}

const client = new Client({ connectionString: url });
await client.connect();
await client.query("create table if not exists public.witness (at timestamptz not null)");
while (Atomics.load(seen, board.isOver) === 0) {
  const slept = performance.now();
  await sleep(EVERY_MS);
  const began = performance.now();
  note(board.lateMostUs, began - slept - EVERY_MS);
  await client.query("insert into public.witness values (now())");
  note(board.commitMostUs, performance.now() - began);
  Atomics.add(seen, board.commits, 1);
}
await client.end();
