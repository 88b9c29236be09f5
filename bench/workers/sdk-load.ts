// A client and a worker of the SDK in one process, for a server that is measured from outside.
// `node sdk-load.js <settings as JSON>`; the last line it says is what it has measured, as JSON.
// Promises: a lifecycle is over when the server has answered `complete` (seen in the answer to the
// worker's report), and only then does its place submit the next; everything goes through the
// client's `runs.submit` and the worker's handler API.
// Leaves to others: the server, the verdict (benches/http.ts, benches/latency.ts).

import { setTimeout as sleep } from "node:timers/promises";

import { Signalbox } from "@signalbox/sdk";
import { Worker } from "@signalbox/sdk/worker";

import { EVENTS } from "../stage/lifecycles.ts";
import { Random } from "../stage/random.ts";

export type SdkLoadSettings = {
  url: string;
  key: string;
  queue: string;
  seed: number;
  inFlight: number;
} & (
  | { what: "lifecycles"; warmUpMs: number; measureMs: number }
  | { what: "latency"; samples: number }
);

/** Of lifecycles: how many ended per second. Of latency: every submit → handler start, in ms. */
export type SdkLoadMeasured = { perSecond: number; latencies: number[]; errors: string[] };

type Results = { results: ({ ok: true } | { ok: false; problem: { code: string } })[] };

const settings = JSON.parse(process.argv[2] ?? "{}") as SdkLoadSettings;
const { url, key, queue, inFlight } = settings;
const errors: string[] = [];

/** What waits for a run: its handler's start, and the server's answer to its end. */
type Place = { started: (at: number) => void; ended: () => void };
const places = new Map<number, Place>();
let next = 0;

/** The worker's own connection, whose answered reports tell which runs have ended. */
const own = new Signalbox({ url, key });
const send = own.http.post.bind(own.http);
own.http.post = async <T>(path: string, options?: Parameters<typeof send>[1]): Promise<T> => {
  const answer = await send<T>(path, options);
  if (path === "/v1/reports") settle(options?.json ?? "", answer as Results);
  return answer;
};

function settle(json: string, { results }: Results): void {
  const { items } = JSON.parse(json) as { items: { kind: string; output?: { n: number } }[] };
  for (const [at, { kind, output }] of items.entries()) {
    const result = results[at];
    if (result?.ok === false) errors.push(`${kind}: ${result.problem.code}`);
    if (kind === "complete" && result?.ok === true) places.get(output?.n ?? -1)?.ended();
  }
}

const worker = new Worker(own, {
  runtime: "sdk-load",
  queues: [queue],
  concurrency: inFlight,
  leaseMs: 60_000,
  onError: (error) => errors.push(String(error)),
});
worker.handle<{ n: number }>(async (attempt) => {
  const { n } = attempt.input;
  places.get(n)?.started(performance.now());
  for (let seq = 1; seq <= EVENTS; seq += 1) {
    await attempt.emit("message.delta", { text: "a few words of an answer" });
  }
  return { n };
});
await worker.start();

const client = new Signalbox({ url, key });

/** One lifecycle; the milliseconds from before the submit to the start of its handler. */
async function lifecycle(): Promise<number> {
  const n = next++;
  const began = performance.now();
  let startedAt = NaN;
  const ended = new Promise<void>((resolve) => {
    places.set(n, { started: (at) => (startedAt = at), ended: resolve });
  });
  await client.runs.submit({ queue, input: { n } });
  await ended;
  places.delete(n);
  return startedAt - began;
}

async function throughput(warmUpMs: number, measureMs: number): Promise<SdkLoadMeasured> {
  const load = { isOver: false, latencies: [] as number[] };
  const loops = Array.from({ length: inFlight }, async () => {
    while (!load.isOver) {
      const latency = await lifecycle();
      load.latencies.push(latency);
    }
  });
  await sleep(warmUpMs);
  load.latencies = [];
  const began = performance.now();
  await sleep(measureMs);
  const { latencies } = load;
  const perSecond = (latencies.length / (performance.now() - began)) * 1_000;
  load.latencies = [];
  load.isOver = true;
  await Promise.all(loops);
  return { perSecond, latencies, errors };
}

/** One after the other, each once the worker is idle again and its claim waits at the server. */
async function oneByOne(samples: number): Promise<SdkLoadMeasured> {
  const random = new Random(settings.seed);
  const latencies: number[] = [];
  const began = performance.now();
  for (let n = 0; n < samples; n += 1) {
    latencies.push(await lifecycle());
    await sleep(random.between(4, 12));
  }
  return { perSecond: (samples / (performance.now() - began)) * 1_000, latencies, errors };
}

const measured =
  settings.what === "lifecycles"
    ? await throughput(settings.warmUpMs, settings.measureMs)
    : await oneByOne(settings.samples);
await worker.stop();
process.stdout.write(`${JSON.stringify(measured)}\n`);
