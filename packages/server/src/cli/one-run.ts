// What `run` does: one command as a run, served by a worker of this process alone.
// Promises: see commands/run.ts: output byte by byte, the command's own exit code, cancel and kill.
// Leaves to others: flags and help (commands/run.ts), the process (`@signalbox/sdk/worker`).

import { hostname, userInfo } from "node:os";
import type { Run, RunHandle, RunSubmission, Signalbox } from "@signalbox/sdk";
import { isTerminal } from "@signalbox/sdk";
import type { ChildExit } from "@signalbox/sdk/worker";
import {
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
import { safeLine } from "./safe-text.ts";
import { duration, paintState, workedMs } from "./show-run.ts";

const COMMAND_TEXT = 200;
/** Longer command lines are cut in the register; the command itself gets all of it. */
const COMMAND_BYTES = 64 * 1024;
const KILLED_WAIT_MS = 15_000;

/** `me@laptop`: the agent that runs what a person starts by hand. */
function agentName(): string {
  let user = "user";
  try {
    user = userInfo().username;
  } catch {
    // An account without a name, as in some containers.
  }
  return safeLine(`${user}@${hostname()}`, 200);
}

/** One command as a run. */
export class OneRun {
  readonly #call: Call;
  readonly #client: Signalbox;
  readonly #command: readonly string[];
  #handle: RunHandle | null = null;
  #exit: ChildExit | null = null;
  /** Exit code for the signal that interrupted us. */
  #interrupted: number | null = null;
  /** Resolves when the run was killed from here: its tree dies with this process. */
  readonly #killed: Promise<void>;
  #onKilled: () => void = () => {};
  #unread = false;

  constructor(call: Call, client: Signalbox, command: readonly string[]) {
    this.#call = call;
    this.#client = client;
    this.#command = command;
    this.#killed = new Promise((resolve) => (this.#onKilled = resolve));
  }

  async perform(): Promise<number> {
    const worker = await this.#worker();
    const unlisten = onInterruption((signal, before) => {
      this.#interrupted ??= exitOfSignal(signal);
      this.#interrupt(signal, before > 0);
    });
    const reading = whenUnread(() => {
      this.#unread = true;
      this.#interrupted ??= exitOfSignal("SIGPIPE");
      this.#interrupt("nobody reads the output", false);
    });
    try {
      await worker.start();
      const submission = submissionOf(this.#call, this.#command, worker.runtime);
      this.#handle = await this.#client.runs.submit(submission);
      if (this.#interrupted !== null) this.#interrupt("interrupted", false);
      const ended = this.#client.runs.wait(this.#handle.id).then(() => {
        return worker.stop({ drainMs: KILLED_WAIT_MS });
      });
      await Promise.race([ended, this.#killed]);
      const run = await this.#handle.refresh();
      this.#conclude(run);
      return this.#exitCode(run);
    } catch (error) {
      await worker.stop({ drainMs: 0 });
      throw error;
    } finally {
      unlisten();
      reading();
    }
  }

  async #worker(): Promise<Worker> {
    const supervisor = supervisorKeeper();
    const [command = "", ...args] = this.#command;
    const stdin = this.#call.text("stdin") ?? "none";
    if (stdin !== "none" && stdin !== "json") throw usage("--stdin must be none or json.");
    const { config, screen } = this.#call;
    const worker = new Worker(this.#client, {
      agents: [agentName()],
      concurrency: 1,
      ...PROCESS_LEASE,
      keeper: supervisor,
      signals: false,
      // Whatever goes wrong in between is tried again; the end tells whether it was in vain.
      onError: () => {},
    });
    const serverUrl = await databaseOf(config, chooseDataFolder(config));
    worker.handle(
      processHandler({
        command,
        args,
        supervisor,
        stdin,
        // Nothing is tried again here, so nobody is to be spared by waiting.
        baseMs: 0,
        cleanEnv: this.#call.on("cleanEnv"),
        stripEnv: serverUrl === null ? [] : ["DATABASE_URL"],
        onOutput: (stream, chunk) => {
          if (this.#unread) return;
          // With --json stdout belongs to the record.
          const target = stream === "stdout" && !screen.json ? process.stdout : process.stderr;
          target.write(chunk);
        },
        onExit: (how) => (this.#exit = how),
      }),
    );
    void sweepOrphans().catch(() => {}); // what an earlier worker left behind; nothing waits for it
    return worker;
  }

  /** Asks for the end of the run; when pressed again, does not ask. */
  #interrupt(why: string, insist: boolean): void {
    const run = this.#handle;
    if (run === null) {
      if (insist) process.exit(this.#interrupted ?? exit("interrupted"));
      return;
    }
    const reason = `${why} at the terminal`;
    const asked = insist ? run.kill({ reason }).finally(this.#onKilled) : run.cancel({ reason });
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

function submissionOf(call: Call, command: readonly string[], runtime: string): RunSubmission {
  const maxDuration = call.number("maxDuration", { least: 1, most: 2_678_400 });
  const tags = call.texts("tag");
  const text = command.map(quoted).join(" ");
  return {
    agent: agentName(),
    // No other worker of this agent may take it: its output belongs to this terminal.
    runtime,
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
