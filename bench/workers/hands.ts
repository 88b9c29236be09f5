// A worker of the SDK in a process of its own, to be killed, stopped and continued by a campaign.
// `node hands.js <settings as JSON>`. Tells each begin and end of a run as a line of JSON.
// What a run asks for stands in its input: `{ "take_ms": 20 }` or `{ "dies": "later" }`.
// Promises: writes to the pipe are synchronous, so what it told before SIGKILL is not lost.
// Leaves to others: everything that is judged; it is the product's own worker.

import { setTimeout as sleep } from "node:timers/promises";

import { Signalbox } from "@signalbox/sdk";
import { Worker } from "@signalbox/sdk/worker";

import { wallMs } from "../stage/operations.ts";

export type HandsSettings = {
  url: string;
  key: string;
  name: string;
  queue: string;
  concurrency: number;
  leaseMs: number;
  heartbeatMs: number;
  /** `hold`: never ends a run by itself. */
  habit: "finish" | "hold";
};

type Input = { take_ms?: number; dies?: "at once" | "later" } | null;

const settings = JSON.parse(process.argv[2] ?? "{}") as HandsSettings;

function tell(what: string, run: string, token: number): void {
  process.stdout.write(`${JSON.stringify({ what, run, token, at: wallMs() })}\n`);
}

const worker = new Worker(new Signalbox({ url: settings.url, key: settings.key }), {
  runtime: settings.name,
  queues: [settings.queue],
  concurrency: settings.concurrency,
  leaseMs: settings.leaseMs,
  heartbeatMs: settings.heartbeatMs,
  onError: (error) => process.stderr.write(`${String(error)}\n`),
});
worker.handle<Input>(async (attempt) => {
  const { run, number, input, signal } = attempt;
  tell("begin", run.id, number);
  if (input?.dies === "later") await attempt.log("about to die");
  if (input?.dies !== undefined) process.kill(process.pid, "SIGKILL");
  await sleep(settings.habit === "hold" ? 2 ** 31 - 1 : (input?.take_ms ?? 0), null, { signal });
  tell("end", run.id, number);
  return { by: settings.name };
});
await worker.start();
tell("ready", "", 0);
