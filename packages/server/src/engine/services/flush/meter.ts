// What a flush books: usage, reservations that are opened, charged and ended, refunds, and what all
// of it adds up to by allowance and period.
// Promises: the law (`domain/allowance`) decides every amount; a reservation ends once, with its
// attempt; usage is booked once, late or not.
// Leaves to others: reading and locking (read.ts), writing (write.ts).

import type { Grant } from "../../../domain/admission.ts";
import type { Allowance } from "../../../domain/allowance/allowance.ts";
import { periodOf } from "../../../domain/allowance/period.ts";
import type { AttemptOutcome, Booking } from "../../../domain/allowance/settle.ts";
import { charge, settle, weightOf } from "../../../domain/allowance/settle.ts";
import type { Usage, UsageRecord } from "../../../domain/command.ts";
import type {
  Draw,
  NewReservation,
  PlainCharge,
  RefundRow,
  ReservationWrite,
  ReservedTotal,
  SpentTotal,
  StoredReservation,
} from "../../../store/reservations.ts";
import type { ModelAllowance } from "../../../store/allowances.ts";
import type { UsageWrite } from "../../../store/usage.ts";

/** The attempt that consumed: of which run, under which token, for whom. */
export type Consumer = {
  readonly runId: string;
  readonly number: number;
  readonly projectId: string;
  readonly agent: string | null;
  readonly account: string | null;
  readonly model: string | null;
  /** When it was claimed: there refunds are booked. */
  readonly claimedAt: number;
};

type Held = {
  readonly allowance: Allowance;
  left: number;
  charged: number;
  closedAt: number | null;
  changed: boolean;
  /**
   * In this flush, so it is inserted: by a claim that sets something aside, or `plainly` by usage
   * of a model for which nothing was set aside.
   */
  readonly opened: "before" | "by claim" | "plainly";
};

/** What was used of which model. */
type UsedOf = { readonly model: string; readonly usage: Usage };

export class Meter {
  readonly usage: UsageWrite[] = [];
  readonly draws: Draw[] = [];
  readonly refunds: RefundRow[] = [];
  /** Usages of this flush by `run/number`: to be added to the attempts. */
  readonly used = new Map<string, Usage>();
  readonly #ofModels = new Map<string, ModelAllowance>();
  readonly #runs = new Set<string>();
  readonly #held = new Map<string, Map<string, Held>>();
  readonly #reserved = new Map<string, ReservedTotal>();
  readonly #spent = new Map<string, SpentTotal>();

  /** Takes locked reservations into the flush. */
  hold(rows: readonly StoredReservation[]): void {
    for (const { runId, number, allowance, left, charged } of rows) {
      this.#runs.add(runId);
      const one = { allowance, left, charged, closedAt: null, changed: false };
      this.#of(runId, number).set(allowance.id, { ...one, opened: "before" });
    }
  }

  /** Takes the allowances of models that are used in this flush; any may be told twice. */
  holdModels(rows: readonly ModelAllowance[]): void {
    for (const row of rows) this.#ofModels.set(row.allowance.id, row);
  }

  /** Whether an attempt has reservations or charges. */
  holdsAttempt(runId: string, number: number): boolean {
    return this.#held.has(name(runId, number));
  }

  /** Whether reservations of this run are at hand: they are written as they are left here. */
  holds(runId: string): boolean {
    return this.#runs.has(runId);
  }

  /** A grant sets aside what admission said. */
  open(grant: Grant, number: number): void {
    const { run, reserves } = grant;
    for (const { allowance, amount, fromParent } of reserves) {
      const one = { allowance, left: amount, charged: 0, closedAt: null };
      this.#of(run.id, number).set(allowance.id, { ...one, changed: true, opened: "by claim" });
      this.#reserve(allowance.id, amount - fromParent);
      if (fromParent > 0) {
        this.draws.push({ child: run.id, allowanceId: allowance.id, amount: fromParent });
      }
    }
  }

  /** Books what an attempt consumed. `stored`: its rows were stored with the reading. */
  use(
    consumer: Consumer,
    records: readonly UsageRecord[],
    how: { at: number; stored: boolean },
  ): void {
    const { runId, number, projectId, agent, account } = consumer;
    const key = name(runId, number);
    for (const { producerSeq, usage } of records) {
      const model = usage.model ?? consumer.model;
      const who = { runId, number, projectId, agent, account, model };
      const row = { ...who, producerSeq, usage, at: how.at, late: false };
      if (!how.stored) this.usage.push(row);
      this.used.set(key, sum(this.used.get(key), usage));
      if (model !== null) this.#holdPlainly(consumer, { model, usage }, how.at);
      for (const held of this.#held.get(key)?.values() ?? []) {
        if (held.allowance.scope === "model" && held.allowance.name !== model) continue;
        const amount = weightOf(held.allowance.metric, usage);
        if (amount > 0) this.#book(consumer, held, charge(held, amount), how.at);
      }
    }
  }

  /** The model's own allowances count also for runs that did not name it. */
  #holdPlainly({ runId, number, projectId }: Consumer, used: UsedOf, at: number): void {
    const key = name(runId, number);
    for (const { projectId: owner, allowance } of this.#ofModels.values()) {
      if (owner !== projectId || allowance.name !== used.model) continue;
      if (weightOf(allowance.metric, used.usage) === 0) continue;
      if (this.#held.get(key)?.has(allowance.id) === true) continue;
      const one = { allowance, left: 0, charged: 0, closedAt: at, changed: false };
      this.#of(runId, number).set(allowance.id, { ...one, opened: "plainly" });
    }
  }

  /**
   * The attempt has ended: what is left is released, what is due is given back, also of charges for
   * which nothing was set aside (closed from the beginning).
   */
  end(consumer: Consumer, outcome: AttemptOutcome, at: number): void {
    for (const held of this.#held.get(name(consumer.runId, consumer.number))?.values() ?? []) {
      const booking = settle(held.allowance, held, { amount: 0, outcome });
      this.#book(consumer, held, booking, at);
      held.closedAt = at;
      if (booking.refund === 0) continue;
      const { runId, number, projectId, claimedAt } = consumer;
      const { startsAt } = this.#period(held.allowance, claimedAt);
      const { id: allowanceId } = held.allowance;
      const amount = booking.refund;
      const { cause } = outcome;
      this.refunds.push({ runId, number, projectId, allowanceId, startsAt, amount, cause, at });
    }
  }

  #book(consumer: Consumer, held: Held, booking: Booking, at: number): void {
    held.left = booking.left;
    held.charged = booking.charged;
    held.changed = true;
    this.#reserve(held.allowance.id, booking.reserved);
    // The booking's change is net of the refund, which belongs to the period of the claim.
    this.#spend(consumer, held.allowance, booking.spent + booking.refund, at);
    this.#spend(consumer, held.allowance, -booking.refund, consumer.claimedAt);
  }

  #period({ window }: Allowance, at: number): { startsAt: number; endsAt: number } {
    return window === null ? { startsAt: at, endsAt: at } : periodOf(window, at);
  }

  #reserve(allowanceId: string, amount: number): void {
    if (amount === 0) return;
    const total = this.#reserved.get(allowanceId) ?? { allowanceId, reserved: 0n };
    total.reserved += BigInt(amount);
    this.#reserved.set(allowanceId, total);
  }

  #spend({ projectId }: Consumer, allowance: Allowance, amount: number, at: number): void {
    if (amount === 0 || allowance.window === null) return;
    const { startsAt, endsAt } = this.#period(allowance, at);
    const key = `${allowance.id}/${startsAt}`;
    const allowanceId = allowance.id;
    const total = this.#spent.get(key) ?? { allowanceId, projectId, startsAt, endsAt, spent: 0n };
    total.spent += BigInt(amount);
    this.#spent.set(key, total);
  }

  #of(runId: string, number: number): Map<string, Held> {
    const key = name(runId, number);
    const held = this.#held.get(key) ?? new Map<string, Held>();
    this.#held.set(key, held);
    return held;
  }

  /** Reservations to be inserted and to be written. */
  reservations(projectOf: (runId: string) => string): {
    opened: NewReservation[];
    written: ReservationWrite[];
  } {
    const opened: NewReservation[] = [];
    const written: ReservationWrite[] = [];
    for (const [key, byAllowance] of this.#held) {
      const [runId, number] = split(key);
      for (const [allowanceId, held] of byAllowance) {
        const { left, charged, closedAt, changed, opened: how } = held;
        if (how === "plainly") continue;
        const isNew = how === "by claim";
        if (isNew) {
          const projectId = projectOf(runId);
          opened.push({ runId, number, allowanceId, projectId, amount: left });
        }
        if (changed && (!isNew || charged > 0 || closedAt !== null)) {
          written.push({ runId, number, allowanceId, left, charged, closedAt });
        }
      }
    }
    return { opened, written };
  }

  /** Charges of models that attempts used without having set anything aside for them. */
  plainCharges(projectOf: (runId: string) => string): PlainCharge[] {
    const charges: PlainCharge[] = [];
    for (const [key, byAllowance] of this.#held) {
      const [runId, number] = split(key);
      for (const [allowanceId, { opened, charged, closedAt }] of byAllowance) {
        if (opened !== "plainly" || closedAt === null) continue;
        const projectId = projectOf(runId);
        charges.push({ runId, number, projectId, allowanceId, charged, closedAt });
      }
    }
    return charges;
  }

  get reservedTotals(): ReservedTotal[] {
    return [...this.#reserved.values()].filter((total) => total.reserved !== 0n);
  }

  get spentTotals(): SpentTotal[] {
    return [...this.#spent.values()].filter((total) => total.spent !== 0n);
  }
}

function name(runId: string, number: number): string {
  return `${runId}/${number}`;
}

function split(key: string): [string, number] {
  const [runId = "", number = "0"] = key.split("/");
  return [runId, Number(number)];
}

const counters = [
  "inputTokens",
  "outputTokens",
  "cacheReadInputTokens",
  "reasoningOutputTokens",
  "costMicros",
  "steps",
] as const;

/** Adds up by counter; what neither knows stays unknown. */
function sum(a: Usage | undefined, b: Usage): Usage {
  const total: Usage = {};
  for (const counter of counters) {
    const one = a?.[counter];
    const other = b[counter];
    if (one === undefined && other === undefined) continue;
    total[counter] = Math.min(Number.MAX_SAFE_INTEGER, (one ?? 0) + (other ?? 0));
  }
  return total;
}
