// An engine in a process of its own under mixed load, beside another one on the same database.
// `node engine-load.js <settings as JSON>`; says `ready`, and at last what has happened, as JSON.
// Submits (batches with chains and concurrency keys), claims, starts, events, ends of every kind,
// cancels, kills and heartbeats; stops and reports are about runs of either engine.
// Promises: a refusal that the law gives (ended already, stale token, cancelled) is an answer; one
// that says the database did not do it is a fault, told by its code; so is whatever is thrown.
// Leaves to others: counting deadlocks, the register (benches/two-servers-load.ts).

import { setTimeout as sleep } from "node:timers/promises";

import { claimInput, heldOf, idOf, never, newRun, origin } from "../stage/embedding.ts";
import type { Held } from "../stage/embedding.ts";
import { isRefusal, startEngine } from "../stage/product.ts";
import type { NewRun, Refusal } from "../stage/product.ts";
import { Random } from "../stage/random.ts";

export type EngineLoadSettings = {
  databaseUrl: string;
  project: string;
  runtime: string;
  seed: number;
  seconds: number;
};

/** How often each operation was answered well, and what went wrong, by its words. */
export type EngineLoadMeasured = {
  done: Record<string, number>;
  refused: Record<string, number>;
  faults: Record<string, number>;
};

const FAULTS = ["internal", "unavailable", "overloaded"];
const SUBMITTERS = 4;
const WORKERS = 12;
const STOPPERS = 2;
const REMEMBERED = 400;
const LEASE_MS = 20_000;

const settings = JSON.parse(process.argv[2] ?? "{}") as EngineLoadSettings;
const { project, runtime } = settings;
const random = new Random(settings.seed);
const measured: EngineLoadMeasured = { done: {}, refused: {}, faults: {} };
const recent: string[] = [];
const live = new Set<Held>();
const phase = { submitting: true, working: true };

const engine = await startEngine({
  connection: { connectionString: settings.databaseUrl },
  version: "bench",
});

function count(where: keyof EngineLoadMeasured, what: string): void {
  measured[where][what] = (measured[where][what] ?? 0) + 1;
}

/** Counts an answer; null when it is a refusal. */
function heard<T>(what: string, answer: T | Refusal | undefined): T | null {
  if (answer === undefined) count("faults", `${what}: no answer`);
  else if (isRefusal(answer)) {
    count(FAULTS.includes(answer.code) ? "faults" : "refused", `${what}: ${answer.code}`);
  } else {
    count("done", what);
    return answer;
  }
  return null;
}

/** Repeats until the phase is over; what is thrown is a fault, and the actor goes on. */
async function act(isOn: () => boolean, thinkMs: number, once: () => Promise<void>): Promise<void> {
  while (isOn()) {
    try {
      await once();
    } catch (error) {
      count("faults", String(error));
    }
    await sleep(random.between(0, 2 * thinkMs));
  }
}

function remember(run: string): void {
  recent.push(run);
  if (recent.length > REMEMBERED) recent.shift();
}

function specs(): NewRun[] {
  return Array.from({ length: random.between(1, 5) }, (_, n) => {
    const isChained = n > 0 && random.next() < 0.3;
    return newRun({
      ref: `r${n}`,
      queue: "mixed",
      backoff: { base_ms: 20, cap_ms: 200 },
      priority: random.pick(["low", "medium", "high", "critical"]),
      ...(isChained && { depends_on: [`#r${n - 1}`], on_dependency_failure: "fail" }),
      ...(random.next() < 0.2 && { concurrency_key: `key-${random.between(1, 20)}` }),
    });
  });
}

async function submit(): Promise<void> {
  for (const result of await engine.submit(project, specs(), origin)) {
    const submitted = heard("submit", result);
    if (submitted !== null) remember(idOf("run", submitted.run.id));
  }
}

async function work(): Promise<void> {
  const asked = { runtime, queues: ["mixed"], leaseMs: LEASE_MS, waitMs: 200 };
  const input = { ...claimInput, ...asked, free: random.between(1, 6) };
  const answer = heard("claim", await engine.claim(project, input, origin, never));
  await Promise.all((answer?.claims ?? []).map((claim) => attempt(heldOf(claim))));
}

async function attempt(held: Held): Promise<void> {
  live.add(held);
  remember(held.runId);
  try {
    const start = [{ ...held, command: { kind: "start" } as const }];
    if (heard("start", (await engine.report(project, start, origin))[0]) === null) return;
    for (let seq = 1; seq <= random.between(0, 4); seq += 1) {
      const events = [{ type: "message.delta", producer_seq: seq, data: { seq } }];
      heard("event", (await engine.append(project, [{ ...held, events }], origin))[0]);
    }
    await sleep(random.between(0, 20));
    const error = { code: "bench", message: "It broke." };
    const command = random.pick([
      { kind: "complete", output: { n: 1 } } as const,
      { kind: "complete", output: null } as const,
      { kind: "complete", output: null } as const,
      { kind: "fail", error, retryable: true } as const,
      { kind: "release", cause: "declined" } as const,
    ]);
    heard(command.kind, (await engine.report(project, [{ ...held, command }], origin))[0]);
  } finally {
    live.delete(held);
  }
}

async function stop(): Promise<void> {
  if (recent.length === 0) return;
  const run = random.pick(recent);
  if (random.next() < 0.5) heard("kill", await engine.kill(project, run, "bench", origin));
  else {
    const input = { reason: "bench", cascade: random.next() < 0.2 };
    heard("cancel", await engine.cancel(project, run, input, origin));
  }
}

async function heartbeat(): Promise<void> {
  const input = { runtime, agents: [], leases: [...live] };
  const answer = heard("heartbeat", await engine.heartbeat(project, input, origin));
  for (const lease of answer?.leases ?? []) {
    if (lease.ok) count("done", "renewal");
    else count("refused", `renewal: ${lease.code}`);
  }
}

const each = (size: number, one: () => Promise<void>): Promise<void>[] =>
  Array.from({ length: size }, one);
const isSubmitting = (): boolean => phase.submitting;
const isWorking = (): boolean => phase.working;

process.stdout.write("ready\n");
const submitters = [
  ...each(SUBMITTERS, () => act(isSubmitting, 45, submit)),
  ...each(STOPPERS, () => act(isSubmitting, 20, stop)),
];
const workers = [
  ...each(WORKERS, () => act(isWorking, 1, work)),
  ...each(2, () => act(isWorking, 50, heartbeat)),
];
await sleep(settings.seconds * 1_000);
phase.submitting = false;
await Promise.all(submitters);
// What is still open is worked off, retries with their backoff too.
await sleep(Math.min(3_000, settings.seconds * 300));
phase.working = false;
await Promise.all(workers);
await engine.stop();
process.stdout.write(`${JSON.stringify(measured)}\n`);
