// What `worker` does: a worker with the process handler, from the first lease to the drain.
// Promises: the first SIGTERM or Ctrl-C drains, the second ends at once; one line per run is said.
// Leaves to others: flags and help (commands/worker.ts), processes (`@signalbox/sdk/worker`).

import type { Claim, Json } from "@signalbox/sdk";
import { isSignalboxError } from "@signalbox/sdk";
import type { Attempt } from "@signalbox/sdk/worker";
import {
  Exhausted,
  PROCESS_LEASE,
  processHandler,
  supervisorKeeper,
  sweepOrphans,
  Worker,
} from "@signalbox/sdk/worker";
import type { Call } from "./command.ts";
import type { Door } from "./door.ts";
import { exit } from "./exit-codes.ts";
import { failureOf, usage } from "./failure.ts";
import { exitOfSignal, onInterruption } from "./interruptions.ts";
import { limitSentence, readPrintedLimit } from "./printed-limit.ts";
import { safeLine } from "./safe-text.ts";

/** Serves runs with the command of the call until it is asked to stop. Returns the exit code. */
export async function serveRuns(call: Call, { client }: Door, drainS: number): Promise<number> {
  const { screen } = call;
  let died: (error: Error) => void = () => {};
  const death = new Promise<Error>((resolve) => (died = resolve));
  const supervisor = supervisorKeeper({ onDeath: (error) => died(error) });
  const onError = complaints(call);
  const worker = new Worker(client, {
    ...optionsOf(call),
    drainMs: drainS * 1_000,
    keeper: supervisor,
    onError,
  });
  const runners = call.texts("runner") ?? ["default"];
  const handler = processHandler({ ...handlerOptions(call), supervisor });
  for (const runner of runners) worker.handle(runner, (attempt) => said(call, attempt, handler));
  void sweepOrphans().catch(() => {}); // what an earlier worker left behind; nothing waits for it
  let asked: (signal: string) => void = () => {};
  const interrupted = new Promise<string>((resolve) => (asked = resolve));
  const unlisten = onInterruption((signal, before) => {
    if (before > 0) process.exit(exitOfSignal(signal));
    asked(signal);
  });
  // Started by another program of ours (the demo): it ended, so nobody would end us.
  process.once("disconnect", () => asked("its parent ended"));
  await worker.start();
  const agents = call.texts("agent") ?? [];
  screen.aside(`${worker.runtime} serves ${agents.map((one) => safeLine(one)).join(", ")}`);
  const why = await Promise.race([interrupted, death]);
  if (why instanceof Error) screen.aside(`stopping: ${why.message}`);
  else screen.aside(`draining (${why}): ${worker.live} runs may finish`);
  await worker.stop();
  unlisten();
  screen.aside("stopped");
  return why instanceof Error ? exit("temporary") : exit("ok");
}

function optionsOf(call: Call): ConstructorParameters<typeof Worker>[1] {
  const leaseS = call.number("lease", { least: 1, most: 3_600 });
  const leaseMs = leaseS === undefined ? PROCESS_LEASE.leaseMs : leaseS * 1_000;
  const queues = call.texts("queue");
  const runtime = call.text("runtime");
  return {
    agents: call.texts("agent") ?? [],
    concurrency: call.number("concurrency", { least: 1, most: 10_000 }) ?? 1,
    capabilities: call.texts("capability") ?? [],
    labels: call.pairs("label") ?? {},
    leaseMs,
    heartbeatMs: Math.min(PROCESS_LEASE.heartbeatMs, Math.floor(leaseMs / 4)),
    signals: false,
    ...(queues && { queues }),
    ...(runtime && { runtime }),
  };
}

function handlerOptions(call: Call): Omit<Parameters<typeof processHandler>[0], "supervisor"> {
  const [command = "", ...args] = call.rest(0);
  const stdin = call.text("stdin") ?? "none";
  if (stdin !== "none" && stdin !== "json") throw usage("--stdin must be none or json.");
  return {
    command,
    args,
    stdin,
    cwd: call.text("cwd") ?? "inherit",
    cleanEnv: call.on("cleanEnv"),
    readLimit: (notice) => readPrintedLimit(notice),
    ...(call.on("showOutput") && {
      onOutput: (_stream: string, chunk: Buffer) => void process.stderr.write(chunk),
    }),
  };
}

/** Does a run and says so: one line when it begins, one when it ends. */
async function said(
  call: Call,
  attempt: Attempt,
  handler: (attempt: Attempt) => Promise<Json>,
): Promise<Json> {
  const run: Pick<Claim["run"], "id"> = attempt.run;
  const say = (what: string, message?: string): void => {
    const fact = { run_id: run.id, attempt: attempt.number, what, ...(message && { message }) };
    const reason = message === undefined ? "" : `: ${safeLine(message, 200)}`;
    if (call.screen.json) call.screen.data(fact, "line");
    else call.screen.line(`${run.id} #${attempt.number} ${what}${reason}`);
  };
  say("started");
  try {
    const output = await handler(attempt);
    say("completed");
    return output;
  } catch (error) {
    if (error instanceof Exhausted) say("given back", limitSentence(error.report));
    else say("ended", error instanceof Error ? error.message : String(error));
    throw error;
  }
}

/**
 * Says what is being tried again, each sentence at most once in ten seconds, and ever more rarely
 * while it goes on: a night without a server is a page, not a book.
 */
function complaints(call: Call): (error: unknown) => void {
  const said = new Map<string, { at: number; pauseMs: number }>();
  return (error) => {
    const fault = error instanceof Error ? error.message : String(error);
    const message = isSignalboxError(error) ? failureOf(error).message : fault;
    const now = performance.now();
    const last = said.get(message);
    const quietMs = last === undefined ? Infinity : now - last.at;
    if (last !== undefined && quietMs < last.pauseMs) return;
    if (said.size > 100) said.clear();
    const isOld = last === undefined || quietMs > 2 * last.pauseMs;
    said.set(message, { at: now, pauseMs: isOld ? 10_000 : Math.min(600_000, 2 * last.pauseMs) });
    call.screen.aside(`trying again: ${safeLine(message)}`);
  };
}
