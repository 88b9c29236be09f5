// The thread of the witness (witness.ts): sleeps, commits a row, and remembers the worst of both.

import { parentPort, workerData } from "node:worker_threads";

import { Client } from "./postgres.ts";
import { sleep } from "./until.ts";
import type { Seen } from "./witness.ts";

const EVERY_MS = 20;

const { url } = workerData as { url: string };
const client = new Client({ connectionString: url });
let worst: Seen = { commit_most_ms: 0, late_most_ms: 0 };
let isOver = false;

parentPort?.on("message", (asked: "seen" | "end") => {
  if (asked === "end") isOver = true;
  else {
    parentPort?.postMessage(worst);
    worst = { commit_most_ms: 0, late_most_ms: 0 };
  }
});

await client.connect();
await client.query("create table if not exists public.witness (at timestamptz not null)");
parentPort?.postMessage("ready");
while (!isOver) {
  const slept = performance.now();
  await sleep(EVERY_MS);
  const late = performance.now() - slept - EVERY_MS;
  const began = performance.now();
  await client.query("insert into public.witness values (now())");
  const took = performance.now() - began;
  worst = {
    commit_most_ms: Math.max(worst.commit_most_ms, took),
    late_most_ms: Math.max(worst.late_most_ms, late),
  };
}
await client.end();
parentPort?.close();
