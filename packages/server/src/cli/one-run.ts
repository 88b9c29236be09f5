// What `run` does: one command as a run, served by a worker of this process alone.
// Promises: see commands/run.ts: output byte by byte, the command's own exit code, cancel and kill.
// A limit of a provider rests the account, and the run goes back without cost: with `--wait` it is
// begun again when the limit is over, else it is cancelled, since nobody else may do it. Each
// program has an agent of its own, so that the limit of one does not hold back all others.
// Leaves to others: flags and help (commands/run.ts), the process (`@signalbox/sdk/worker`).

import { hostname, userInfo } from "node:os";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Json, Run, RunHandle, RunSubmission, Signalbox } from "@signalbox/sdk";
import { isSignalboxError, isTerminal } from "@signalbox/sdk";
import type { Attempt, ChildExit } from "@signalbox/sdk/worker";
import {
  Exhausted,
  PROCESS_LEASE,
  processHandler,
  supervisorKeeper,
  sweepOrphans,
  Worker,
} from "@signalbox/sdk/worker";
import { databaseOf } from "./brief-server.ts";
import type { Call } from "./command.ts";
import { chooseDataFolder } from "./discovery.ts";
import { exit } from "./exit-codes.ts";
import { failureOf, usage } from "./failure.ts";
import { exitOfSignal, onInterruption, whenUnread } from "./interruptions.ts";
import type { Rest } from "./printed-limit.ts";
import { limitSentence, readPrintedLimit, restFrom, restOf, whatNow } from "./printed-limit.ts";
import { safeLine } from "./safe-text.ts";
import { duration, paintState, workedMs } from "./show-run.ts";

const COMMAND_TEXT = 200;
/** Longer command lines are cut in the register; the command itself gets all of it. */
const COMMAND_BYTES = 64 * 1024;
const KILLED_WAIT_MS = 15_000;
/** A run that nothing holds back begins sooner. */
const PATIENCE_MS = 3_000;
/** A limit that ends within this time is waited for by what has not begun. */
const SHORT_REST_MS = 120_000;
/** How long it may take until the server has noted a limit, before nothing more is said of it. */
const NOTED_MS = 10_000;
const LOOK_EVERY_MS = 100;

/** `me@laptop/claude`: the agent that runs what a person starts by hand. */
function agentName(call: Call, [command = ""]: readonly string[]): string {
  const named = call.text("agent");
  if (named !== undefined) return named;
  let user = "user";
  try {
    user = userInfo().username;
  } catch {
    // An account without a name, as in some containers.
  }
  return safeLine(`${user}@${hostname()}/${basename(command)}`, 200).trim();
}

/** One command as a run. */
export class OneRun {
  readonly #call: Call;
  readonly #client: Signalbox;
  readonly #command: readonly string[];
  #handle: RunHandle | null = null;
  #exit: ChildExit | null = null;
  #worker: Worker | null = null;
  #hasBegun = false;
  /** A limit of a provider was told, and why the run ended. */
  #isRested = false;
  /** Exit code for the signal that interrupted us. */
  #interrupted: number | null = null;
  /** Resolves when the run was killed from here (its tree dies with this process), or given up. */
  readonly #left: Promise<void>;
  #leave: () => void = () => {};
  #unread = false;

  constructor(call: Call, client: Signalbox, command: readonly string[]) {
    this.#call = call;
    this.#client = client;
    this.#command = command;
    this.#left = new Promise((resolve) => (this.#leave = resolve));
  }

  async perform(): Promise<number> {
    const worker = await this.#makeWorker();
    this.#worker = worker;
    const unlisten = onInterruption((signal, before) => {
      this.#interrupted ??= exitOfSignal(signal);
      this.#interrupt(signal, before > 0);
    });
    const reading = whenUnread(() => {
      this.#unread = true;
      this.#interrupted ??= exitOfSignal("SIGPIPE");
      this.#interrupt("nobody reads the output", false);
    });
    let patience: NodeJS.Timeout | undefined;
    try {
      await worker.start();
      const agent = agentName(this.#call, this.#command);
      const submission = submissionOf(this.#call, this.#command, {
        agent,
        runtime: worker.runtime,
      });
      this.#handle = await this.#client.runs.submit(submission);
      if (this.#interrupted !== null) this.#interrupt("interrupted", false);
      patience = setTimeout(() => void this.#notBegun(), PATIENCE_MS);
      const ended = this.#client.runs.wait(this.#handle.id).then(() => {
        return worker.stop({ drainMs: KILLED_WAIT_MS });
      });
      await Promise.race([ended, this.#left]);
      const run = await this.#handle.refresh();
      this.#conclude(run);
      return this.#exitCode(run);
    } catch (error) {
      await worker.stop({ drainMs: 0 });
      throw error;
    } finally {
      clearTimeout(patience);
      unlisten();
      reading();
    }
  }

  async #makeWorker(): Promise<Worker> {
    const supervisor = supervisorKeeper();
    const [command = "", ...args] = this.#command;
    const stdin = this.#call.text("stdin") ?? "none";
    if (stdin !== "none" && stdin !== "json") throw usage("--stdin must be none or json.");
    const { config, screen } = this.#call;
    const worker = new Worker(this.#client, {
      agents: [agentName(this.#call, this.#command)],
      concurrency: 1,
      ...PROCESS_LEASE,
      keeper: supervisor,
      signals: false,
      // Whatever goes wrong in between is tried again; the end tells whether it was in vain.
      onError: () => {},
    });
    const serverUrl = await databaseOf(config, chooseDataFolder(config));
    const handler = processHandler({
      command,
      args,
      supervisor,
      stdin,
      // Nothing is tried again here, so nobody is to be spared by waiting.
      baseMs: 0,
      cleanEnv: this.#call.on("cleanEnv"),
      stripEnv: serverUrl === null ? [] : ["DATABASE_URL"],
      readLimit: (notice) => readPrintedLimit(notice),
      onOutput: (stream, chunk) => {
        if (this.#unread) return;
        // With --json stdout belongs to the record.
        const target = stream === "stdout" && !screen.json ? process.stdout : process.stderr;
        target.write(chunk);
      },
      onExit: (how) => (this.#exit = how),
    });
    worker.handle((attempt) => this.#attempt(attempt, handler));
    void sweepOrphans().catch(() => {}); // what an earlier worker left behind; nothing waits for it
    return worker;
  }

  /** Does the run; what follows a limit that was met goes on while the run is given back. */
  async #attempt(attempt: Attempt, handler: (attempt: Attempt) => Promise<Json>): Promise<Json> {
    this.#hasBegun = true;
    this.#exit = null;
    try {
      return await handler(attempt);
    } catch (error) {
      const account = attempt.account ?? agentName(this.#call, this.#command);
      if (error instanceof Exhausted) void this.#rest(account, limitSentence(error.report));
      throw error;
    }
  }

  /** After a limit: waits, or ends the run, whose attempt cost nothing. */
  async #rest(account: string, met: string): Promise<void> {
    const run = this.#handle;
    if (run === null || this.#interrupted !== null) return;
    this.#tell(`signalbox: ${met}`);
    const isWaiting = this.#call.on("wait");
    this.#hasBegun = false;
    try {
      // Else nobody claims it again from here on; what is known of the attempt is sent before.
      if (!isWaiting) await this.#worker?.stop({ drainMs: KILLED_WAIT_MS });
      const rest = await this.#restOf(account, isWaiting ? NOTED_MS : 0);
      if (!isWaiting)
        await this.#giveUp(run, rest ?? { account: null, until: null, message: `${met}.` });
      else if (rest !== null) this.#tell(`signalbox: ${whatNow(rest, "The run waits")}`);
    } catch (error) {
      this.#tell(failureOf(error).message);
      if (!isWaiting) this.#leave();
    }
  }

  /** Until when an account rests; null where it does not, or not within the time. */
  async #restOf(account: string, withinMs: number): Promise<Rest | null> {
    for (const end = performance.now() + withinMs; ;) {
      const known = await this.#client.accounts.get(account).catch(unlessAbsent);
      const rest = known === null ? null : restOf(known);
      const isOver = this.#hasBegun || this.#interrupted !== null || performance.now() >= end;
      if (rest !== null || isOver) return rest;
      await sleep(LOOK_EVERY_MS);
    }
  }

  /** A run that has not begun because of a limit says so; one that lasts is waited for if asked. */
  async #notBegun(): Promise<void> {
    const run = this.#handle;
    if (run === null || this.#hasBegun || this.#interrupted !== null) return;
    try {
      const { reasons } = await this.#client.runs.explain(run.id);
      const limit = reasons.find(({ code }) => code === "exhausted");
      if (limit === undefined || this.#hasBegun) return;
      const rest = restFrom(limit);
      const until = rest.until === null ? Infinity : Date.parse(rest.until);
      const isWaiting = this.#call.on("wait") || until <= Date.now() + SHORT_REST_MS;
      if (isWaiting) return this.#tell(`signalbox: ${whatNow(rest, "The run waits")}`);
      await this.#giveUp(run, rest);
    } catch (error) {
      this.#tell(failureOf(error).message);
    }
  }

  /** Nobody waits: the run, which nobody else may do, ends with the reason. */
  async #giveUp(run: RunHandle, rest: Rest): Promise<void> {
    if (this.#interrupted !== null) return;
    const then = "The run is cancelled; with --wait it would go on then";
    this.#tell(`signalbox: ${whatNow(rest, then)}`);
    this.#isRested = true;
    this.#interrupted = exit("temporary");
    await run.cancel({ reason: safeLine(rest.message) });
  }

  /** Asks for the end of the run; when pressed again, does not ask. */
  #interrupt(why: string, insist: boolean): void {
    const run = this.#handle;
    if (run === null) {
      if (insist) process.exit(this.#interrupted ?? exit("interrupted"));
      return;
    }
    const reason = `${why} at the terminal`;
    const asked = insist ? run.kill({ reason }).finally(this.#leave) : run.cancel({ reason });
    // A run that has ended meanwhile says so; we are waiting for just that.
    asked.catch((error: unknown) => this.#tell(failureOf(error).message));
  }

  #tell(text: string): void {
    if (this.#handle !== null && !isTerminal(this.#handle.state)) this.#call.screen.aside(text);
  }

  #conclude(run: Run): void {
    const { screen } = this.#call;
    if (screen.json) return screen.data(run);
    const c = screen.asideColours;
    if (this.#isRested) return;
    const neverRan = this.#exit === null && run.state !== "completed";
    const stoppedByOthers = run.state !== "completed" && run.state !== "failed";
    if (neverRan || (stoppedByOthers && this.#interrupted === null)) {
      const why = run.error?.message ?? run.status_reason ?? "";
      return screen.aside(`signalbox: the run is ${run.state}: ${safeLine(why)}`);
    }
    if (!process.stderr.isTTY) return;
    const took = workedMs(run);
    const time = took === null ? "" : ` in ${duration(took)}`;
    screen.aside(c.dim(`${run.id} ${paintState(run.state, c)}${time}`));
  }

  #exitCode(run: Run): number {
    if (run.state === "completed") return exit("ok");
    if (this.#interrupted !== null) return this.#interrupted;
    const { code = null, signal = null } = this.#exit ?? {};
    if (signal !== null) return exitOfSignal(signal);
    if (code !== null && code !== 0) return code;
    const detail = run.error?.detail;
    const told =
      typeof detail === "object" && detail !== null && "exit_code" in detail
        ? detail["exit_code"]
        : null;
    return typeof told === "number" ? told : exit("no");
  }
}

/** An account is unknown until its first limit is noted. */
function unlessAbsent(error: unknown): null {
  if (isSignalboxError(error) && error.status === 404) return null;
  throw error;
}

function submissionOf(
  call: Call,
  command: readonly string[],
  address: { agent: string; runtime: string },
): RunSubmission {
  const maxDuration = call.number("maxDuration", { least: 1, most: 2_678_400 });
  const tags = call.texts("tag");
  const text = command.map(quoted).join(" ");
  return {
    // No other worker of this agent may take it: its output belongs to this terminal.
    ...address,
    max_attempts: 1,
    priority: "high",
    input: call.json("input") ?? { command: cut(command), folder: process.cwd() },
    metadata: { command: safeLine(text, COMMAND_TEXT) },
    ...(tags && { tags }),
    ...(maxDuration && { max_duration_s: maxDuration }),
  };
}

/** As it could be typed in a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function cut(command: readonly string[]): string[] {
  let left = COMMAND_BYTES;
  return command.flatMap((word) => {
    const bytes = Buffer.byteLength(word);
    const fits = bytes <= left;
    left -= bytes;
    return fits ? [word] : left + bytes > 0 ? [`${word.slice(0, 100)}…`] : [];
  });
}
