// Denied attempts at what administers: one event per key and operation in ten minutes, with how
// many there were since the last.
// Promises: a request never waits for it; whoever knocks all day leaves a bounded trail.
// Leaves to others: refusing (http), reading the trail (`queries/audit.ts`).

import type { Clock } from "../../std/clock.ts";
import type { Logger } from "../../std/logger.ts";
import type { Reader } from "../../store/db.ts";
import { appendEvents } from "../../store/events.ts";
import { readNow } from "../../store/flushes.ts";
import { nextProjectSeq } from "../../store/projects.ts";
import type { Origin } from "../contract.ts";
import { Later } from "./later.ts";

export type DenialOptions = {
  readonly writer: Reader;
  readonly clock: Clock;
  readonly logger: Logger;
};

const QUIET_MS = 600_000;
const MOST = 1000;

type Attempt = { readonly operation: string; readonly permission: string };
type Told = { at: number; since: number };
type Denial = Attempt & { projectId: string; origin: Origin; count: number };

export class Denials {
  readonly #options: DenialOptions;
  readonly #later: Later;
  readonly #told = new Map<string, Told>();
  #waiting: Denial[] = [];

  constructor(options: DenialOptions) {
    this.#options = options;
    const { clock, logger } = options;
    const what = "denied attempts";
    this.#later = new Later({ clock, logger, what, write: () => this.#write() });
  }

  /** Notes one attempt by a key of this project. The owner is denied nothing. */
  note(projectId: string, attempt: Attempt, origin: Origin): void {
    const now = this.#options.clock.mono();
    const name = `${projectId} ${origin.actor} ${attempt.operation}`;
    const told = this.#told.get(name);
    if (told !== undefined && now - told.at < QUIET_MS) {
      told.since += 1;
      return;
    }
    if (told === undefined && this.#told.size >= MOST) this.#forget(now);
    if (this.#told.size >= MOST) return;
    this.#told.set(name, { at: now, since: 0 });
    this.#waiting.push({ ...attempt, projectId, origin, count: (told?.since ?? 0) + 1 });
    this.#later.arm();
  }

  /** Writes what was noted so far: for tests. */
  settled(): Promise<void> {
    return this.#later.settled();
  }

  stop(): Promise<void> {
    return this.#later.stop();
  }

  #forget(now: number): void {
    for (const [name, { at }] of this.#told) {
      if (now - at >= QUIET_MS) this.#told.delete(name);
    }
  }

  async #write(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const denial of waiting) await this.#writeOne(denial);
  }

  async #writeOne({ projectId, origin, ...data }: Denial): Promise<void> {
    const { writer } = this.#options;
    const { actor, requestId, traceparent } = origin;
    const type = "access.denied";
    await writer.within([projectId], async (runner) => {
      const seq = await nextProjectSeq(runner, projectId);
      const at = await readNow(runner, 0);
      const fact = { type, source: "operator", data, at } as const;
      const where = { stream: "project", streamId: projectId, seq, projectId } as const;
      await appendEvents(runner, [{ ...where, fact, actor, requestId, traceparent }]);
    });
  }
}
