// An engine in a process of its own that claims when it is told to, beside others on one database.
// `node claimer.js <settings as JSON>`; says `ready`, then answers each line of JSON it is told
// (an `Order`) with one line of JSON: what it was granted, and what it was refused, by code.
// Promises: all claims of an order are asked for at once, each for one run; claimers at work go on
// until they are told to stop; an unexpected end of an attempt is a fault, told by its words.
// Leaves to others: what may be granted (campaigns/limit-100.ts, campaigns/max-concurrent.ts).

import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { claimInput, heldOf, never, origin } from "../stage/embedding.ts";
import type { Held } from "../stage/embedding.ts";
import { isRefusal, startEngine } from "../stage/product.ts";
import { Random } from "../stage/random.ts";

export type ClaimerSettings = { databaseUrl: string; runtime: string; seed: number };

type Place = { project: string; agents: readonly string[] };
/** What it is told to do. */
export type Order =
  /** So many claims at once; what is granted is held, or finished at once with this usage. */
  | ({ kind: "claim"; calls: number; finish: { inputTokens: number } | null } & Place)
  /** So many claimers that work until `stop`, each for up to `free` runs of up to `takeMs`. */
  | ({ kind: "work"; claimers: number; free: number; takeMs: number } & Place)
  | { kind: "stop" }
  /** Ends all that the claims of `claim` orders still hold. */
  | { kind: "finish"; project: string };
/** What came of it. */
export type Told = { granted: Held[]; done: number; refused: Record<string, number> };

const settings = JSON.parse(process.argv[2] ?? "{}") as ClaimerSettings;
const { runtime } = settings;
const random = new Random(settings.seed);
const WAIT_MS = 500;

const engine = await startEngine({
  connection: { connectionString: settings.databaseUrl },
  version: "bench",
});

let told: Told = { granted: [], done: 0, refused: {} };
const phase = { isWorking: false };
let working: Promise<unknown> = Promise.resolve();
let kept: Held[] = [];

function refuse(what: string): void {
  told.refused[what] = (told.refused[what] ?? 0) + 1;
}

async function claim({ project, agents }: Place, free: number, waitMs: number): Promise<Held[]> {
  const named = agents.map((name) => ({ name, free }));
  const input = { ...claimInput, runtime, agents: named, free, waitMs };
  const answer = await engine.claim(project, input, origin, never);
  if (!isRefusal(answer)) return answer.claims.map(heldOf);
  refuse(answer.code);
  return [];
}

async function finish(project: string, held: Held, usage: { inputTokens: number }): Promise<void> {
  const items = [
    { ...held, command: { kind: "start" } as const },
    { ...held, command: { kind: "complete", output: null, usage } as const },
  ];
  const [, end] = await engine.report(project, items, origin);
  if (end === undefined || isRefusal(end)) refuse(`complete: ${end?.code ?? "no answer"}`);
  else told.done += 1;
}

async function claimOnce(order: Extract<Order, { kind: "claim" }>): Promise<void> {
  const granted = await claim(order, 1, 0);
  told.granted.push(...granted);
  if (order.finish === null) {
    kept.push(...granted);
    return;
  }
  for (const held of granted) await finish(order.project, held, order.finish);
}

async function work(order: Extract<Order, { kind: "work" }>): Promise<void> {
  while (phase.isWorking) {
    const held = await claim(order, random.between(1, order.free), WAIT_MS);
    await Promise.all(
      held.map(async (one) => {
        await sleep(random.between(0, order.takeMs));
        await finish(order.project, one, { inputTokens: 1 });
      }),
    );
  }
}

async function obey(order: Order): Promise<void> {
  if (order.kind === "claim") {
    told = { granted: [], done: 0, refused: {} };
    await Promise.all(Array.from({ length: order.calls }, () => claimOnce(order)));
  } else if (order.kind === "work") {
    told = { granted: [], done: 0, refused: {} };
    phase.isWorking = true;
    working = Promise.all(Array.from({ length: order.claimers }, () => work(order)));
  } else if (order.kind === "finish") {
    const ending = kept;
    kept = [];
    told = { granted: [], done: 0, refused: {} };
    await Promise.all(ending.map((held) => finish(order.project, held, { inputTokens: 1 })));
  } else {
    phase.isWorking = false;
    await working;
  }
}

process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  await obey(JSON.parse(line) as Order);
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
await engine.stop();
