// A fleet for the screens: agents in many standings, runs, limits, allowances, usage.
// Promises: made through the SDK alone, so nothing is there that a user could not make; `end` lets
// go of what is held open.
// Leaves to others: the server (`stage.ts`).

import type { Run, Signalbox } from "@signalbox/sdk";
import { Worker } from "@signalbox/sdk/worker";
import type { Attempt } from "@signalbox/sdk/worker";
import { makePeople } from "./people.ts";

export type Fleet = {
  /** A run that is under way, with a log. */
  readonly live: string;
  readonly failed: string;
  readonly completed: string;
  readonly pending: string;
  /** A run that waits for an approval. */
  readonly asking: string;
  /** A group of dead letters. */
  readonly group: string;
  /** Says one more line in the live run. */
  readonly say: (text: string) => Promise<void>;
  readonly end: () => Promise<void>;
};

export async function makeFleet(client: Signalbox): Promise<Fleet> {
  await limits(client);
  let letGo = (): void => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  let liveAttempt: Attempt | null = null;
  const workers = [
    worker(client, "reviewer", 3, async (attempt) => {
      liveAttempt ??= attempt;
      await talk(attempt);
      await held;
      return { verdict: "approve" };
    }),
    worker(client, "fixer", 2, async (attempt) => {
      await talk(attempt);
      const { run } = attempt;
      if ((run.input as { fails?: boolean } | null)?.fails === true) {
        throw new Error("the branch has conflicts in 3 files: src/api.ts, src/live.ts, README.md");
      }
      return { fixed: true, files: 3 };
    }),
    worker(client, "night-watch", 1, async () => null),
  ];
  await Promise.all(workers.map((one) => one.start()));
  const submit = async (agent: string, title: string, more: object = {}): Promise<string> =>
    (await client.runs.submit({ agent, metadata: { title }, tags: ["demo"], ...more })).id;
  const live = await submit("reviewer", "Review pull request 1042", { input: { pr: 1042 } });
  await client.agents.pause("night-watch", { reason: "its prompt is being rewritten" });
  const completed = await submit("fixer", "Fix the flaky upload test", { input: { issue: 77 } });
  const failed = await submit("fixer", "Rebase release branch", {
    input: { fails: true },
    max_attempts: 2,
    backoff: { base_ms: 100, jitter: 0 },
  });
  const pending = await submit("translator", "Translate the handbook", { priority: "high" });
  await submit("night-watch", "Sweep stale branches", { queue: "nightly", priority: "low" });
  for (let n = 1; n <= 40; n += 1) {
    await submit("archivist", `Archive thread ${n}`, { queue: "archive", priority: n % 90 });
  }
  const people = await makePeople(client);
  await client.queues.pause("archive", { reason: "storage is being moved" });
  await Promise.all([failed, completed].map((id) => client.runs.wait(id, { timeoutMs: 30_000 })));
  await until(client, live, (run) => Number(run.last_seq) > 20);
  const [waiting] = (await client.approvals.list({ status: "pending", limit: 1 })).items;
  const [letters] = (await client.deadLetters.list({ queue: "deploy" })).items;
  return {
    asking: waiting?.run_id ?? "",
    group: letters?.fingerprint ?? "",
    live,
    failed,
    completed,
    pending,
    say: async (text) => {
      await liveAttempt?.log(text);
    },
    end: async () => {
      letGo();
      await people.end();
      await Promise.all(workers.map((one) => one.stop({ drainMs: 0 })));
    },
  };
}

function worker(
  client: Signalbox,
  agent: string,
  concurrency: number,
  handle: (attempt: Attempt) => Promise<unknown>,
): Worker {
  const options = { agents: [agent], runtime: `${agent}@host-1`, concurrency };
  const one = new Worker(client, { ...options, signals: false, onError: () => {} });
  one.handle(handle as never);
  return one;
}

/** What an agent says while it works: messages in pieces, tools, lines, usage. */
async function talk(attempt: Attempt): Promise<void> {
  for (const text of ["Reading ", "the diff: ", "14 files changed."]) {
    await attempt.emit("message.delta", { text });
  }
  for (let n = 1; n <= 8; n += 1) {
    const id = `call-${n}`;
    const name = n % 2 === 0 ? "read_file" : "run_tests";
    await attempt.emit("tool.call.started", { id, name, arguments: { path: `src/part-${n}.ts` } });
    await attempt.emit("log.line", {
      stream: n % 5 === 0 ? "stderr" : "stdout",
      text: `line ${n}`,
    });
    await attempt.emit("tool.call.completed", { id, name, result: { ok: true, ms: 12 * n } });
  }
  await attempt.usage({
    model: "opus-5",
    input_tokens: 48_210,
    output_tokens: 3_904,
    cost_micros: 412_300,
    steps: 8,
  });
  await attempt.usage({
    model: "haiku-5",
    input_tokens: 9_120,
    output_tokens: 410,
    cost_micros: 4_100,
  });
}

async function limits(client: Signalbox): Promise<void> {
  await client.agents.register("translator", { accounts: ["anthropic/max-1"] });
  await client.agents.register("reviewer", { max_concurrent: 4, accounts: ["openai/team"] });
  await client.accounts.register("anthropic/max-1", { provider: "anthropic" });
  await client.accounts.exhausted("anthropic/max-1", {
    message: "You've hit your usage limit. Your limit resets in 4 hours.",
    reason: "quota",
    recovery_in_ms: 4 * 3_600_000,
  });
  const day = { window: "day", mode: "hard" } as const;
  await client.allowances.create({
    scope: "project",
    metric: "cost_micros",
    limit: 5_000_000,
    ...day,
  });
  await client.allowances.create({
    scope: "agent",
    name: "reviewer",
    metric: "tokens",
    limit: 75_000,
    default_reserve: 10_000,
    ...day,
  });
}

/** Waits until a run is as wanted, at most 20 s. */
export async function until(
  client: Signalbox,
  id: string,
  isWanted: (run: Run) => boolean,
): Promise<void> {
  const end = performance.now() + 20_000;
  for (;;) {
    const run = await client.runs.get(id);
    if (isWanted(run)) return;
    if (performance.now() > end) throw new Error(`still ${run.state}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
