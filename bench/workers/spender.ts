// An engine in a process of its own that works as one agent and consumes, to be killed at any time.
// `node spender.js <settings as JSON>`; says `ready`, then works until it is killed or told to
// stop.
// Ends its attempts in every way: completed, failed, given back, or simply forgotten; reports what
// it consumed with events, with the end, and now and then after the end.
// Promises: an answer of the law (stale, ended already) is no fault; anything else is said as a
// line
// `fault …` and goes on.
// Leaves to others: the books (campaigns/killed-workers.ts).

import { setTimeout as sleep } from "node:timers/promises";

import { claimInput, heldOf, never, origin } from "../stage/embedding.ts";
import type { Held } from "../stage/embedding.ts";
import { isRefusal, startEngine } from "../stage/product.ts";
import type { Command } from "../stage/product.ts";
import { Random } from "../stage/random.ts";

export type SpenderSettings = {
  databaseUrl: string;
  project: string;
  runtime: string;
  agent: string;
  seed: number;
  leaseMs: number;
};

const settings = JSON.parse(process.argv[2] ?? "{}") as SpenderSettings;
const { project, runtime, agent, leaseMs } = settings;
const random = new Random(settings.seed);
const AT_ONCE = 60;
const LAWFUL = ["stale_fencing_token", "already_terminal", "invalid_transition", "run_cancelled"];

const engine = await startEngine({
  connection: { connectionString: settings.databaseUrl },
  version: "bench",
});
const phase = { isWorking: true };
process.once("SIGTERM", () => (phase.isWorking = false));

function fault(words: string): void {
  process.stdout.write(`fault ${words}\n`);
}

/** Whether an operation was done; one that the law refuses was not, and that is no fault. */
function heard(what: string, answer: object | undefined): boolean {
  if (answer === undefined) fault(`${what}: no answer`);
  else if (!isRefusal(answer)) return true;
  else if (!LAWFUL.includes(answer.code)) fault(`${what}: ${answer.code}`);
  return false;
}

const tokens = (): { inputTokens: number; outputTokens: number } => ({
  inputTokens: random.between(0, 9),
  outputTokens: random.between(0, 9),
});

async function report({ runId, fence }: Held, command: Command): Promise<boolean> {
  const [answer] = await engine.report(project, [{ runId, fence, command }], origin);
  return heard(command.kind, answer);
}

async function spend({ runId, fence }: Held, seq: number): Promise<boolean> {
  const usage = { input_tokens: random.between(0, 9), output_tokens: random.between(0, 9) };
  const events = [{ type: "usage.recorded", producer_seq: seq, data: {}, usage }];
  const [answer] = await engine.append(project, [{ runId, fence, events }], origin);
  return heard("usage", answer);
}

const error = { code: "bench", message: "It broke." };

/** One attempt. Whatever is refused ends the work on it. */
async function attempt(held: Held): Promise<void> {
  const { runId, fence } = held;
  if (!(await report(held, { kind: "start" }))) return;
  const reports = random.between(0, 2);
  for (let seq = 1; seq <= reports; seq += 1) if (!(await spend({ runId, fence }, seq))) return;
  const draw = random.next();
  if (draw < 0.05) return;
  if (draw < 0.15) {
    const isGivenBack = await report(held, { kind: "release", cause: "declined" });
    // What it had consumed until then, said too late.
    if (isGivenBack && random.next() < 0.5) await spend(held, reports + 1);
  } else if (draw < 0.3) {
    const retryable = random.next() < 0.8;
    await report(held, { kind: "fail", error, retryable, usage: tokens() });
  } else {
    await report(held, { kind: "complete", output: null, usage: tokens() });
  }
}

async function round(): Promise<void> {
  const free = random.between(1, AT_ONCE);
  const asked = { runtime, agents: [{ name: agent, free }], leaseMs, waitMs: 200 };
  const answer = await engine.claim(project, { ...claimInput, free, ...asked }, origin, never);
  if (!heard("claim", answer) || isRefusal(answer)) return;
  await Promise.all(answer.claims.map((claim) => attempt(heldOf(claim))));
}

process.stdout.write("ready\n");
while (phase.isWorking) {
  try {
    await round();
  } catch (thrown) {
    fault(String(thrown));
    await sleep(50);
  }
}
await engine.stop();
