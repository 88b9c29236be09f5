// The leases a keeper keeps, and what time and the server's answers do to them.
// Promises: state is keyed by (run, token), so a run claimed again is another entry; a lease ends
// `leaseMs` after the *send* of its last acknowledged heartbeat (or after it was added); it freezes
// when a tenth of it is left, and thaws when a later answer says that the token is still current;
// each directive is told once per attempt and kind. No timers, no I/O: `now` is an argument.
// Leaves to others: sending and timing (`keeper.ts`), acting on what is told (the callbacks).

import type { Directive, Fence, HeartbeatRequest, Json, LeaseAnswer } from "../wire.ts";

/** A lease to keep. `timeLeftMs`: of the run's time limit, null when it has none. */
export type KeptLease = { fence: Fence; leaseMs: number; timeLeftMs: number | null };

export type KeeperCallbacks = {
  /** cancel, kill, budget, stop, deadline: once per attempt and kind; wake: each time. */
  onDirective(directive: Directive): void;
  /** No acknowledged heartbeat until 10 % before lease end: stop working until `onThaw`. */
  onFreeze(fence: Fence): void;
  /** A later heartbeat says that the token is still current: go on. */
  onThaw(fence: Fence): void;
  /** The server says that the run is not ours any more. The lease is forgotten. */
  onLost(fence: Fence, code: string): void;
  /** The checkpoint last set is stored, or (`stored` false) was refused. */
  onCheckpoint?(fence: Fence, stored: boolean): void;
  onError?(error: unknown): void;
};

/** One lease as sent: which entry, with which checkpoint. */
export type Renewal = {
  entry: Entry;
  checkpoint: Checkpoint | null;
  body: HeartbeatRequest["leases"][number];
};

type Checkpoint = { value: Json; bytes: number };
type Entry = KeptLease & {
  endsAt: number;
  deadlineAt: number;
  frozen: boolean;
  told: Set<string>;
  checkpoint: Checkpoint | null;
};

const FREEZE_SHARE = 0.1;
/** Checkpoints of one heartbeat together; a larger one goes alone. */
const MAX_CHECKPOINT_BYTES = 1_048_576;

const keyOf = (fence: Fence): string => `${fence.run_id} ${fence.fencing_token}`;

/** The book of leases. */
export class KeptLeases {
  readonly #callbacks: KeeperCallbacks;
  readonly #entries = new Map<string, Entry>();

  constructor(callbacks: KeeperCallbacks) {
    this.#callbacks = callbacks;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The shortest lease in milliseconds; Infinity without leases. */
  shortestMs(): number {
    let shortest = Infinity;
    for (const { leaseMs } of this.#entries.values()) shortest = Math.min(shortest, leaseMs);
    return shortest;
  }

  add(lease: KeptLease, now: number): void {
    this.#entries.set(keyOf(lease.fence), {
      ...lease,
      endsAt: now + lease.leaseMs,
      deadlineAt: lease.timeLeftMs === null ? Infinity : now + lease.timeLeftMs,
      frozen: false,
      told: new Set(),
      checkpoint: null,
    });
  }

  remove(fence: Fence): void {
    this.#entries.delete(keyOf(fence));
  }

  /** To be sent with the next heartbeat. Returns false when the lease is not kept. */
  setCheckpoint(fence: Fence, value: Json): boolean {
    const entry = this.#entries.get(keyOf(fence));
    if (entry === undefined) return false;
    entry.checkpoint = { value, bytes: Buffer.byteLength(JSON.stringify(value)) };
    return true;
  }

  hasCheckpoints(): boolean {
    for (const { checkpoint } of this.#entries.values()) if (checkpoint !== null) return true;
    return false;
  }

  /** What the next heartbeat renews: every lease, and as many checkpoints as fit. */
  renewals(): Renewal[] {
    let bytes = 0;
    const renewals: Renewal[] = [];
    for (const entry of this.#entries.values()) {
      let checkpoint = entry.checkpoint;
      if (checkpoint !== null && bytes > 0 && bytes + checkpoint.bytes > MAX_CHECKPOINT_BYTES) {
        checkpoint = null;
      }
      bytes += checkpoint?.bytes ?? 0;
      const body: Renewal["body"] = { ...entry.fence, lease_ms: entry.leaseMs };
      if (checkpoint !== null) body.checkpoint = checkpoint.value;
      renewals.push({ entry, checkpoint, body });
    }
    return renewals;
  }

  /** The server answered a heartbeat that was sent at `sentAt`. */
  acknowledge(renewals: Renewal[], answers: LeaseAnswer[], sentAt: number): void {
    const byAttempt = new Map(answers.map((answer) => [answer.attempt_id, answer]));
    for (const { entry, checkpoint } of renewals) {
      const answer = byAttempt.get(entry.fence.attempt_id);
      if (answer === undefined || !this.#isKept(entry)) continue;
      if (!answer.ok) {
        this.#lose(entry, answer.code ?? "stale_fencing_token");
        continue;
      }
      entry.endsAt = sentAt + (answer.lease_ms ?? entry.leaseMs);
      if (typeof answer.time_left_ms === "number") entry.deadlineAt = sentAt + answer.time_left_ms;
      if (answer.time_left_ms === null) entry.deadlineAt = Infinity;
      if (checkpoint !== null) this.#checkpointDone(entry, checkpoint, true);
      if (entry.frozen) {
        entry.frozen = false;
        this.#callbacks.onThaw(entry.fence);
      }
    }
  }

  /** The heartbeat was refused as a whole: its checkpoints may be why, so they are given up. */
  refuseCheckpoints(renewals: Renewal[]): void {
    for (const { entry, checkpoint } of renewals) {
      if (checkpoint !== null && this.#isKept(entry)) {
        this.#checkpointDone(entry, checkpoint, false);
      }
    }
  }

  /** A directive arrived, by stream or with a heartbeat. */
  direct(directive: Directive): void {
    if (directive.kind === "wake") return this.#callbacks.onDirective(directive);
    for (const entry of this.#entries.values()) {
      const { attempt_id: attemptId, run_id: runId } = entry.fence;
      if (attemptId !== directive.attempt_id || runId !== directive.run_id) continue;
      if (directive.kind === "fenced") return this.#lose(entry, "stale_fencing_token");
      if (entry.told.has(directive.kind)) return;
      entry.told.add(directive.kind);
      return this.#callbacks.onDirective(directive);
    }
  }

  /** Freezes and ends what is due. */
  tick(now: number): void {
    for (const entry of this.#entries.values()) {
      if (!entry.frozen && now >= freezeAt(entry)) {
        entry.frozen = true;
        this.#callbacks.onFreeze(entry.fence);
      }
      if (now >= entry.deadlineAt && this.#isKept(entry)) {
        entry.deadlineAt = Infinity;
        const { attempt_id, run_id } = entry.fence;
        this.direct({ kind: "deadline", run_id, attempt_id, reason: "the time limit is over" });
      }
    }
  }

  /** When `tick` has something to do next. */
  nextDue(): number {
    let due = Infinity;
    for (const entry of this.#entries.values()) {
      due = Math.min(due, entry.deadlineAt, entry.frozen ? Infinity : freezeAt(entry));
    }
    return due;
  }

  #isKept(entry: Entry): boolean {
    return this.#entries.get(keyOf(entry.fence)) === entry;
  }

  #lose(entry: Entry, code: string): void {
    this.#entries.delete(keyOf(entry.fence));
    this.#callbacks.onLost(entry.fence, code);
  }

  #checkpointDone(entry: Entry, sent: Checkpoint, stored: boolean): void {
    if (entry.checkpoint !== sent) return; // a newer one is waiting
    entry.checkpoint = null;
    this.#callbacks.onCheckpoint?.(entry.fence, stored);
  }
}

function freezeAt(entry: Entry): number {
  return entry.endsAt - entry.leaseMs * FREEZE_SHARE;
}
