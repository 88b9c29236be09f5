// The worker of the SDK against the real server: what it consumed is booked at once and once,
// limits and budgets end an attempt as they should.
// Promises: real sockets, real directives; the register is asked, not the worker.
// Leaves to others: the worker's own rules (packages/sdk/test/worker).

import { Signalbox } from "@signalbox/sdk";
import type { AllowanceInput, Attempt as AttemptRecord, Run } from "@signalbox/sdk";
import { Worker } from "@signalbox/sdk/worker";
import type { Attempt, Handler, KeeperFactory, WorkerOptions } from "@signalbox/sdk/worker";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { openScene } from "./scene.ts";
import type { Scene } from "./scene.ts";

let scene: Scene;
let client: Signalbox;
let workers: Worker[] = [];
let count = 0;

beforeAll(async () => {
  scene = await openScene();
  const url = await scene.app.listen({ host: "127.0.0.1", port: 0 });
  client = new Signalbox({ url, key: scene.keys.admin });
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop({ drainMs: 0 })));
});
afterAll(async () => {
  await scene?.close();
});

const name = (what: string): string => `${what}-${(count += 1)}`;

async function work(handler: Handler<never>, options: WorkerOptions): Promise<Worker> {
  const worker = new Worker(client, { signals: false, onError: () => {}, ...options });
  workers.push(worker);
  await worker.handle(handler).start();
  return worker;
}

/** What is asked for, once it is as wanted. */
async function poll<T>(ask: () => Promise<T>, isWanted: (answer: T) => boolean): Promise<T> {
  const end = performance.now() + 45_000;
  for (;;) {
    const answer = await ask();
    if (isWanted(answer)) return answer;
    if (performance.now() > end) throw new Error(`still ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const runWhen = (id: string, isWanted: (run: Run) => boolean): Promise<Run> =>
  poll(() => client.runs.get(id), isWanted);
const attemptsOf = (id: string): Promise<AttemptRecord[]> => client.runs.attempts(id);
const untilAborted = (attempt: Attempt<never>): Promise<unknown> =>
  new Promise((resolve) => attempt.signal.addEventListener("abort", resolve, { once: true }));

test("consumption is booked while the run is going on, and once", async () => {
  const agent = name("counter");
  let finish = (): void => {};
  await work(
    async (attempt) => {
      void attempt.usage({ model: "m-1", input_tokens: 10, cost_micros: 3 });
      void attempt.usage({ input_tokens: 5, output_tokens: 1 });
      await new Promise<void>((resolve) => (finish = resolve));
    },
    { agents: [agent] },
  );
  const { id } = await client.runs.submit({ agent });
  const usage = { input_tokens: 15, output_tokens: 1, cost_micros: 3 };
  const during = await runWhen(id, ({ usage: sum }) => sum.output_tokens === 1);
  expect(during).toMatchObject({ state: "running", usage });
  finish();
  const done = await runWhen(id, ({ state }) => state === "completed");
  expect(done.usage).toEqual(during.usage);
  const rows = await client.usage.list({ agent });
  expect(rows).toHaveLength(2);
  expect(rows.map((row) => [row.model, row.usage])).toEqual(
    expect.arrayContaining([
      ["m-1", { input_tokens: 10, cost_micros: 3 }],
      [null, { input_tokens: 5, output_tokens: 1 }],
    ]),
  );
});

test("a limit that was met: the run goes on with another account, without cost", async () => {
  const [capability, first, second] = [name("can"), name("first"), name("second")];
  await client.agents.register(first, { accounts: ["acme/1"], capabilities: [capability] });
  await client.agents.register(second, { accounts: ["acme/2"], capabilities: [capability] });
  const limited: (string | null)[] = [];
  await work(
    (attempt) => {
      if (limited.length > 0) return { account: attempt.account };
      limited.push(attempt.account);
      const headers = { "retry-after": "3600" };
      throw attempt.exhausted(new Response(null, { status: 429, headers }));
    },
    { agents: [first, second], capabilities: [capability] },
  );
  const { id } = await client.runs.submit({ requires: [capability] });
  const run = await runWhen(id, ({ state }) => state === "completed");
  expect(["acme/1", "acme/2"]).toContain(limited[0]);
  const other = limited[0] === "acme/1" ? "acme/2" : "acme/1";
  expect(run).toMatchObject({ attempts_used: 1, output: { account: other } });
  expect(await attemptsOf(id)).toMatchObject([
    { state: "released", cause: "exhausted", counted: false, account: limited[0] },
    { state: "completed", counted: true, account: other },
  ]);
  const { exhaustions } = await client.accounts.get(limited[0] ?? "");
  expect(exhaustions).toMatchObject([{ state: "closed", reason: "rate_limit" }]);
});

test("what a lost attempt consumed is booked to it, after another has begun", async () => {
  const agent = name("slow");
  /** Keeps nothing, so the lease ends while the handler goes on. */
  const careless: KeeperFactory = () => ({
    add() {},
    remove() {},
    setCheckpoint() {},
    start() {},
    stop: () => Promise.resolve(),
  });
  let goOn = (): void => {};
  let hasBegun = (): void => {};
  const begun = new Promise<void>((resolve) => (hasBegun = resolve));
  const lost = await work(
    async (attempt) => {
      const gone = new Promise<void>((resolve) => (goOn = resolve));
      hasBegun();
      await gone;
      void attempt.log("nobody wants this");
      void attempt.usage({ input_tokens: 7 });
    },
    { agents: [agent], concurrency: 1, leaseMs: 1_000, heartbeatMs: 500, keeper: careless },
  );
  const { id } = await client.runs.submit({ agent, backoff: { base_ms: 1, jitter: 0 } });
  await begun;
  const stopped = lost.stop({ drainMs: 50_000 });
  let finish = (): void => {};
  await work(() => new Promise<void>((resolve) => (finish = resolve)), { agents: [agent] });
  await runWhen(id, (run) => run.state === "running" && run.fencing_token === 2);
  goOn();
  await stopped;
  const [before, now] = await attemptsOf(id);
  expect(before).toMatchObject({ state: "lost", usage: { input_tokens: 7 } });
  expect(now?.usage).toEqual({});
  finish();
  expect(await runWhen(id, ({ state }) => state === "completed")).toMatchObject({
    usage: { input_tokens: 7 },
  });
  const { items } = await client.runs.events(id, { type: "log.line" });
  expect(items).toEqual([]);
});

test("an allowance that is used up ends the attempt, and it says that it has ended", async () => {
  const agent = name("spender");
  const allowance: AllowanceInput = {
    scope: "agent",
    name: agent,
    metric: "tokens",
    limit: 10,
    window: "day",
    mode: "kill",
    default_reserve: 1,
  };
  await client.allowances.create(allowance);
  let why: unknown;
  await work(
    async (attempt) => {
      const told = untilAborted(attempt);
      void attempt.usage({ input_tokens: 20 });
      await told;
      why = attempt.signal.reason;
    },
    { agents: [agent] },
  );
  const { id } = await client.runs.submit({ agent });
  const run = await runWhen(id, ({ state }) => state === "cancelled");
  expect(run).toMatchObject({ end_cause: "budget", usage: { input_tokens: 20 } });
  const ended = await poll(
    () => attemptsOf(id),
    ([attempt]) => attempt?.terminated_at !== null,
  );
  expect(ended).toMatchObject([{ state: "killed", cause: "budget" }]);
  expect(why).toMatchObject({ name: "AttemptAborted", kind: "budget" });
});
