// The process handler: any command as the handler of a worker.
// Promises: per attempt one child in a private folder, its lines as events, its exit as outcome;
// nothing it prints, leaves behind or fails at harms the worker; whatever it started has ended, or
// is reported by the supervisor, when the attempt ends.
// Leaves to others: claims, leases and reports (the worker), freeze and kill (the supervisor).

import { hostname } from "node:os";
import type { EventSubmission, Json } from "../../wire.ts";
import type { Attempt, RunnerEventType } from "../attempt.ts";
import { AttemptAborted, PermanentError } from "../errors.ts";
import { Exhausted } from "../exhausted.ts";
import { startChild, type Child } from "./child.ts";
import { ChildOutput, type OutputOptions } from "./child-output.ts";
import {
  childEnvironment,
  redactor,
  toldVariables,
  type EnvironmentOptions,
} from "./environment.ts";
import { exitFailure, spawnFailure, type ChildExit, type ChildFailure } from "./exit-policy.ts";
import { readLimitFile } from "./limit-notice.ts";
import { fillPlaceholders, MissingInput } from "./placeholders.ts";
import { createScratch, createWorkFolder, removeScratch, type Scratch } from "./scratch.ts";
import { SpawnBackoff, type SpawnBackoffOptions } from "./spawn-backoff.ts";
import type { TreeSupervisor } from "./supervisor.ts";
import { killTree } from "./tree.ts";

/** What the handler needs of an attempt. */
export type ProcessAttempt = Pick<
  Attempt,
  "id" | "run" | "number" | "signal" | "paused" | "childKey" | "sideEffectToken" | "traceparent"
> &
  Pick<Attempt, "emit" | "usage" | "process">;

export type ProcessOptions = EnvironmentOptions &
  SpawnBackoffOptions &
  OutputOptions & {
    /** The supervisor that is this worker's keeper. */
    supervisor: TreeSupervisor;
    /** Program to run, found in PATH. There is no shell. */
    command: string;
    /** Arguments; `{input.path.to.value}` is replaced from the run's input. */
    args?: readonly string[];
    /** Working folder: the worker's, an empty one per attempt, or this path. Default inherit. */
    cwd?: "inherit" | "fresh" | (string & {});
    /** What stdin holds: nothing, or the input as one line of JSON. Default none. */
    stdin?: "none" | "json";
    /** How the child ended, before the attempt's outcome is reported. */
    onExit?: (exit: ChildExit, attemptId: string) => void;
    /** Time for the streams to end after the exit. Default 2,000 ms. */
    drainMs?: number;
    /** SIGTERM to SIGKILL for what the child leaves running. Default 2,000 ms. */
    leftoverGraceMs?: number;
    /**
     * SIGTERM to SIGKILL when the worker gives the run back. Default 1,500 ms: less than the 2 s
     * after which another worker may begin it.
     */
    shutdownGraceMs?: number;
    /** Where the private folders are made. Default: the system's temporary folder. */
    tempFolder?: string;
  };

/** A child that failed and may be tried again. `code` and `detail` become the run's error. */
export class ChildFailed extends Error {
  override readonly name = "ChildFailed";
  readonly code: string;
  readonly detail: Json;

  constructor({ error }: ChildFailure) {
    super(error.message);
    this.code = error.code;
    this.detail = error.detail ?? null;
  }
}

/**
 * Lease and heartbeat for a worker with this handler: longer than for handlers in process, since
 * a frozen child loses nothing by waiting for a server that was away.
 */
export const PROCESS_LEASE: { readonly leaseMs: number; readonly heartbeatMs: number } = {
  leaseMs: 60_000,
  heartbeatMs: 15_000,
};

// The supervisor ends the tree; if it does not within this, the worker does.
const BACKSTOP_MS = 3_000;

/**
 * Makes a handler that runs a command for each attempt.
 *
 * Exit 0 completes the run; the output is what the child wrote to `$SIGNALBOX_OUTPUT`, else its
 * last line of stdout that is a JSON object or array, else null. Other exits fail it, with code
 * `exit_<n>`, `signal_<NAME>` or `spawn_error`; see `isRetryableExit` for which are tried again.
 * But when the child wrote a `LimitReport` as JSON to `$SIGNALBOX_LIMIT` before such an exit, or
 * `readLimit` finds a limit in what it printed, the attempt is exhausted: it costs nothing, and the
 * account rests.
 */
export function processHandler(
  options: ProcessOptions,
): (attempt: ProcessAttempt) => Promise<Json> {
  const backoff = new SpawnBackoff(options);
  return async (attempt) => {
    options.supervisor.url(); // throws where the worker was made without this supervisor
    refuseWithoutSupervisor(options.supervisor);
    attempt.signal.throwIfAborted();
    const scratch = await prepare(attempt, options, backoff);
    try {
      return await runChild(attempt, { options, scratch, backoff });
    } finally {
      await removeScratch(scratch.directory);
    }
  };
}

type Place = { options: ProcessOptions; scratch: Scratch; backoff: SpawnBackoff };

async function runChild(attempt: ProcessAttempt, place: Place): Promise<Json> {
  const { options, scratch } = place;
  const redact = redactor([attempt.childKey]);
  const emit = (event: EventSubmission): Promise<void> => emitOn(attempt, event);
  const output = new ChildOutput(options, { emit, redact });
  attempt.signal.throwIfAborted();
  const child = await start(attempt, place, output);
  attempt.process({ pid: child.tree.pid, host: hostname() });
  options.supervisor.track(attempt.id, child.tree, scratch.directory);
  const { exit, interrupted } = await watch(attempt, child, options);
  const leftover = { graceMs: options.leftoverGraceMs ?? 2_000, wake: !attempt.paused };
  await Promise.all([output.close(), killTree(child.tree, leftover)]);
  options.supervisor.untrack(attempt.id);
  const { pid } = child.tree;
  attempt.process({ pid, host: hostname(), exit_code: exit.code, signal: exit.signal });
  options.onExit?.(exit, attempt.id);
  refuseWithoutSupervisor(options.supervisor);
  if (exit.code === 0 && interrupted) throw attempt.signal.reason;
  if (exit.code !== 0) throw await failed(attempt, exit, { output, scratch, redact });
  const { value, altered } = await output.result(scratch.outputPath);
  if (altered.length > 0) void attempt.emit("x.output.altered", { altered });
  return value;
}

type Said = { output: ChildOutput; scratch: Scratch; redact: (text: string) => string };

/** Why it did not complete: a limit that it tells of, else its exit. */
async function failed(attempt: ProcessAttempt, exit: ChildExit, said: Said): Promise<Error> {
  const { output, scratch, redact } = said;
  // Whoever was told to end says nothing about its provider by failing.
  if (!attempt.signal.aborted) {
    const { report, problem } = await readLimitFile(scratch.limitPath, redact);
    if (problem !== null) {
      const text = `warning: $SIGNALBOX_LIMIT ${problem}, so it is ignored`;
      void attempt.emit("log.line", { level: "warning", text });
    }
    const limit = report ?? output.limit();
    if (limit !== null) return new Exhausted(limit);
  }
  return thrown(exitFailure(exit, redact(output.stderrTail())));
}

// Without heartbeats the lease ends soon, so nothing is begun or concluded: the run is given back.
function refuseWithoutSupervisor({ death }: TreeSupervisor): void {
  if (death.aborted) throw new AttemptAborted("shutdown", (death.reason as Error).message);
}

async function prepare(
  attempt: ProcessAttempt,
  options: ProcessOptions,
  backoff: SpawnBackoff,
): Promise<Scratch> {
  try {
    return await createScratch(attempt.run.input, options.tempFolder);
  } catch (cause) {
    throw await startFailed(cause, attempt, { command: options.command, backoff });
  }
}

async function start(attempt: ProcessAttempt, place: Place, output: ChildOutput): Promise<Child> {
  const { options, scratch, backoff } = place;
  const { command, cwd = "inherit", stdin = "none" } = options;
  const { input } = attempt.run;
  try {
    const args = fillPlaceholders(options.args ?? [], input);
    const told = toldVariables({
      runId: attempt.run.id,
      attemptId: attempt.id,
      attempt: attempt.number,
      childKey: attempt.childKey,
      sideEffectToken: attempt.sideEffectToken,
      url: options.supervisor.url(),
      inputPath: scratch.inputPath,
      outputPath: scratch.outputPath,
      limitPath: scratch.limitPath,
      traceparent: attempt.traceparent,
    });
    const fresh = cwd === "fresh" ? await createWorkFolder(scratch) : null;
    const child = await startChild({
      command,
      args,
      cwd: fresh ?? (cwd === "inherit" ? process.cwd() : cwd),
      env: childEnvironment(process.env, options, told),
      attemptId: attempt.id,
      stdin: stdin === "json" ? `${JSON.stringify(input)}\n` : null,
      drainMs: options.drainMs ?? 2_000,
      onChunk: (stream, chunk) => output.push(stream, chunk),
    });
    backoff.succeeded();
    return child;
  } catch (cause) {
    if (cause instanceof MissingInput) {
      throw new PermanentError(cause.message, { code: "invalid_input", cause });
    }
    throw await startFailed(cause, attempt, { command, backoff });
  }
}

async function startFailed(
  cause: unknown,
  attempt: ProcessAttempt,
  { command, backoff }: { command: string; backoff: SpawnBackoff },
): Promise<Error> {
  const failure = spawnFailure(cause, command);
  await backoff.failed(failure.error.message, attempt.signal);
  return thrown(failure);
}

type Watched = {
  exit: ChildExit;
  /** It was told to end before it did: an exit with 0 then does not mean that its work is done. */
  interrupted: boolean;
};

/** Waits for the end of the child, and sees to it that it comes. */
async function watch(
  attempt: ProcessAttempt,
  child: Child,
  { supervisor, shutdownGraceMs = 1_500 }: ProcessOptions,
): Promise<Watched> {
  const { killGraceMs, death } = supervisor;
  let backstop: NodeJS.Timeout | undefined;
  let interrupted = false;
  const onAbort = (): void => {
    const { reason } = attempt.signal;
    const kind = reason instanceof AttemptAborted ? reason.kind : null;
    // The output of a cancelled run is kept; the server ends it as cancelled in any case.
    interrupted = kind !== "cancel";
    const graceMs = kind === "shutdown" ? Math.min(shutdownGraceMs, killGraceMs) : killGraceMs;
    supervisor.end(attempt.id, graceMs);
    const limitMs = graceMs + BACKSTOP_MS;
    backstop = setTimeout(() => void killTree(child.tree, { graceMs: 0 }), limitMs);
  };
  // Frozen trees stay asleep: whether the lease still stands cannot be known any more.
  const onDeath = (): void => {
    void killTree(child.tree, { graceMs: killGraceMs, wake: !attempt.paused });
  };
  attempt.signal.addEventListener("abort", onAbort, { once: true });
  death.addEventListener("abort", onDeath, { once: true });
  if (attempt.signal.aborted) onAbort();
  if (death.aborted) onDeath();
  try {
    await child.exited;
  } finally {
    clearTimeout(backstop);
    attempt.signal.removeEventListener("abort", onAbort);
    death.removeEventListener("abort", onDeath);
  }
  return { exit: await child.ended, interrupted };
}

function emitOn(attempt: ProcessAttempt, event: EventSubmission): Promise<void> {
  const { type, data, usage, metadata, artifact_refs } = event;
  if (usage !== undefined) void reportUsage(attempt, usage);
  if (type === "usage.recorded") return Promise.resolve();
  const extras = { ...(metadata && { metadata }), ...(artifact_refs && { artifact_refs }) };
  return attempt.emit(type as RunnerEventType, data ?? {}, extras);
}

// What an adapter read as consumption and is none must not cost the event it came with.
function reportUsage(
  attempt: ProcessAttempt,
  usage: NonNullable<EventSubmission["usage"]>,
): Promise<void> {
  try {
    return attempt.usage(usage);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return attempt.emit("x.usage.refused", { reason });
  }
}

function thrown(failure: ChildFailure): Error {
  if (failure.retryable) return new ChildFailed(failure);
  const { code, message, detail = null } = failure.error;
  return new PermanentError(message, { code, detail });
}
