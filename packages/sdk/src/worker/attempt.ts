// The attempt, as a handler sees it.
// Promises: everything a handler needs to know and may do about its run, and nothing that could
// forge it; promises returned here may be left unawaited without crashing the process.
// Leaves to others: sending (`live-attempt.ts` gives it a port), the outcome (what the handler
// returns or throws).

import type {
  Claim,
  EventSubmission,
  Json,
  JsonObject,
  ProcessFacts,
  Run,
  Usage,
} from "../wire.ts";
import type { ApprovalDecision, ApprovalQuestion } from "./approval.ts";
import { checkedUsage } from "./checked-usage.ts";
import { fitEventData } from "./event-data.ts";
import { exhaustedBy } from "./exhausted.ts";
import type { Exhausted } from "./exhausted.ts";
import type { LimitNotice } from "./limit-report.ts";

/** Types a handler may emit: the seven known ones, and any `x.…` of its own. */
export type RunnerEventType =
  | "message.delta"
  | "message.completed"
  | "tool.call.started"
  | "tool.call.completed"
  | "state.updated"
  | "action.requested"
  | "log.line"
  | `x.${string}`;

const KNOWN_TYPES: ReadonlySet<string> = new Set([
  "message.delta",
  "message.completed",
  "tool.call.started",
  "tool.call.completed",
  "state.updated",
  "action.requested",
  "log.line",
]);
const OWN_TYPE = /^x(?:\.[a-z0-9_-]{1,60}){1,6}$/;
const CHECKPOINT_BYTES = 256 * 1024;

/** What an event may carry besides its data. */
export type EventExtras = Pick<EventSubmission, "metadata" | "artifact_refs">;

/** What an attempt can do, given by the worker. */
export type AttemptPort = {
  append(event: EventSubmission): Promise<void>;
  addFacts(facts: ProcessFacts): void;
  saveCheckpoint(checkpoint: Json): Promise<void>;
  awaitTool(tool: string | undefined): Promise<void>;
  resume(): Promise<void>;
  ask(question: ApprovalQuestion): Promise<ApprovalDecision>;
  isPaused(): boolean;
  onPause(listener: PauseListener): () => void;
};

/** Called when the worker loses touch with the server (`paused`) and finds it again. */
export type PauseListener = (state: "paused" | "continued") => void;

/** One attempt at a run. Made by the worker for each claim, given to the handler. */
export class Attempt<Input = Json> {
  /** The run, as it was when claimed. */
  readonly run: Run;
  readonly input: Input;
  /** 1 for the first claim; also the fencing token. */
  readonly number: number;
  readonly id: string;
  /** The agent this attempt works as. */
  readonly agent: string | null;
  /** The provider account to draw on; null when the agent has none of its own. */
  readonly account: string | null;
  /** Same for every attempt of this run: send it along with side effects, as idempotency key. */
  readonly sideEffectToken: string;
  /**
   * W3C trace context of this attempt: give it to your tracing library as the parent of what the
   * handler does. Null when the run came without one and the server keeps no traces.
   *
   * @example
   * const parent = propagation.extract(context.active(), { traceparent: attempt.traceparent });
   */
  readonly traceparent: string | null;
  /** For child processes: may only log, report usage, ask for approval, read its own input. */
  readonly childKey: string;
  /** Aborted with an `AttemptAborted`, whose `kind` says why. Stop working soon after. */
  readonly signal: AbortSignal;
  readonly #port: AttemptPort;
  readonly #endsAt: number;
  #checkpoint: Json;

  constructor(claim: Claim, { port, signal }: { port: AttemptPort; signal: AbortSignal }) {
    this.run = claim.run;
    this.input = claim.run.input as Input;
    this.number = claim.attempt_number;
    this.id = claim.attempt_id;
    this.agent = claim.agent;
    this.account = claim.account;
    this.sideEffectToken = claim.side_effect_token;
    this.traceparent = claim.traceparent ?? claim.run.traceparent;
    this.childKey = claim.child_key;
    this.signal = signal;
    this.#port = port;
    this.#endsAt = performance.now() + (claim.time_left_ms ?? Infinity);
    this.#checkpoint = claim.run.checkpoint;
  }

  /** What `saveCheckpoint` last got, in this attempt or an earlier one; null when nothing. */
  get checkpoint(): Json {
    return this.#checkpoint;
  }

  /** Time left of the run's limit, in milliseconds, never negative; null without a limit. */
  get timeLeftMs(): number | null {
    if (this.#endsAt === Infinity) return null;
    return Math.max(0, Math.round(this.#endsAt - performance.now()));
  }

  /** Whether the server has been silent until shortly before the lease end: do nothing costly. */
  get paused(): boolean {
    return this.#port.isPaused();
  }

  /**
   * Appends an event. Resolves at once, or once the queue is short again when more than 2,000
   * events or 4 MiB wait. Data over 60 KiB is cut by field. Throws a TypeError for a type that is
   * not a runner's or data that is not JSON.
   *
   * @example
   * await attempt.emit("message.delta", { text: "Reading the diff …" });
   */
  emit(type: RunnerEventType, data: JsonObject = {}, extras: EventExtras = {}): Promise<void> {
    if (!KNOWN_TYPES.has(type) && !OWN_TYPE.test(type)) {
      throw new TypeError(`"${type}" is not an event type of runners; own types begin with "x."`);
    }
    return this.#port.append({ type, data: fitEventData(data), ...extras });
  }

  /**
   * Appends a `log.line` event.
   *
   * @example
   * await attempt.log("cloning");
   */
  log(text: string): Promise<void> {
    return this.emit("log.line", { text });
  }

  /**
   * Reports consumption since the last report, as the event `usage.recorded`: booked at once, and
   * once. What cannot be sent before the lease ends is sent afterwards: it was spent. Money is
   * `cost_micros`, millionths of a US dollar. Resolves like `emit`. Throws a RangeError for a value
   * that is not a whole number ≥ 0.
   *
   * @example
   * void attempt.usage({ model: "m-1", input_tokens: 1200, output_tokens: 80, cost_micros: 5400 });
   */
  usage(usage: Usage & { model?: string }): Promise<void> {
    const measured = checkedUsage(usage);
    if (measured === null) return Promise.resolve();
    return this.#port.append({ type: "usage.recorded", usage: measured });
  }

  /**
   * The error to throw when a limit of the provider was met: the run goes back without costing an
   * attempt, and the account rests until the limit is over. Give it what the provider answered (a
   * fetch `Response`, whose body is not read), what its SDK threw, or what you know; the server
   * finds out why and until when. A `message` over 64 KiB is cut in its middle. Never throws.
   *
   * @example
   * const response = await fetch(url, { signal: attempt.signal });
   * if (response.status === 429) throw attempt.exhausted(response);
   *
   * @example
   * // With its body, which says more than the headers.
   * const { status, headers } = response;
   * throw attempt.exhausted({ status, headers, message: await response.text() });
   *
   * @example
   * // What you know goes before what the server reads.
   * throw attempt.exhausted({ reason: "quota", recoveryInMs: 3_600_000, provider: "anthropic" });
   */
  exhausted(what: LimitNotice): Exhausted;
  exhausted(what: unknown): Exhausted;
  exhausted(what: unknown): Exhausted {
    return exhaustedBy(what);
  }

  /**
   * Facts about a process that does the work, for the record of the attempt; they go along with its
   * outcome. Later facts are added to earlier ones.
   *
   * @example
   * attempt.process({ pid: child.pid, exit_code: 1 });
   */
  process(facts: ProcessFacts): void {
    this.#port.addFacts(facts);
  }

  /**
   * Stores JSON of at most 256 KiB that the next attempt finds in `checkpoint`. Resolves when the
   * server has it; rejects when it is refused or the attempt is over. Throws a TypeError for
   * anything else than JSON, a RangeError when it is larger.
   *
   * @example
   * await attempt.saveCheckpoint({ page: 7 });
   */
  saveCheckpoint(checkpoint: Json): Promise<void> {
    const json: string | undefined = JSON.stringify(checkpoint);
    if (json === undefined) throw new TypeError("a checkpoint must be JSON");
    if (Buffer.byteLength(json) > CHECKPOINT_BYTES) {
      throw new RangeError(`a checkpoint is at most ${CHECKPOINT_BYTES} bytes of JSON`);
    }
    this.#checkpoint = JSON.parse(json) as Json;
    return this.#port.saveCheckpoint(this.#checkpoint);
  }

  /**
   * Says that the run waits for a tool: state `waiting_tool`, the lease stays. Rejects when the
   * attempt is over.
   *
   * @example
   * await attempt.awaitTool("browser");
   * const page = await browse();
   * await attempt.resume();
   */
  awaitTool(tool?: string): Promise<void> {
    return this.#port.awaitTool(tool);
  }

  /** Says that the tool has answered: state `running` again. See `awaitTool`. */
  resume(): Promise<void> {
    return this.#port.resume();
  }

  /**
   * Asks a person and waits for the answer. While it is held (default) the lease is kept; after
   * `hold_s`, or at once with `mode: "suspend"`, the attempt ends without cost: this call rejects
   * with the signal's reason (kind `suspended`; let it pass), and when there is an answer the next
   * attempt gets it from the same call at once. The same question is the one with the same `key`,
   * or without one, with the same action and arguments. Rejects with `approval_mismatch` when the
   * key stands for another action of this run.
   *
   * @example
   * const question = { title: "Merge?", action: "merge", arguments: { pr: 42 } };
   * const answer = await attempt.approval(question);
   * if (!answer.approved) return { merged: false };
   * await answer.execute(({ pr }) => merge(pr)); // refused unless it is what was decided
   */
  approval<Arguments extends JsonObject>(
    question: ApprovalQuestion<Arguments>,
  ): Promise<ApprovalDecision<Arguments>> {
    return this.#port.ask(question) as Promise<ApprovalDecision<Arguments>>;
  }

  /**
   * Calls back when the attempt is paused and continued. Returns how to stop listening.
   *
   * @example
   * attempt.onPause((state) => child.kill(state === "paused" ? "SIGSTOP" : "SIGCONT"));
   */
  onPause(listener: PauseListener): () => void {
    return this.#port.onPause(listener);
  }
}
