// Random histories of one allowance: whatever is claimed, used, ended, reported late or handed to
// children, and in whatever order, the book is right after every step.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Allowance } from "../../../src/domain/allowance/allowance.ts";
import { sum } from "../../../src/domain/allowance/amounts.ts";
import { fits, reserveOf } from "../../../src/domain/allowance/reserve.ts";
import type { AttemptOutcome, Booking } from "../../../src/domain/allowance/settle.ts";
import { charge, drawFromParent, settle, weightOf } from "../../../src/domain/allowance/settle.ts";
import { attemptCauses } from "../../../src/domain/machine.ts";
import { allowance } from "./subjects.ts";

type Attempt = {
  /** What grants have found room for: its reserve, less what children took; in the end its use. */
  granted: number;
  left: number;
  charged: number;
  refunded: number;
  live: boolean;
};

type Act =
  | { readonly do: "claim"; readonly estimate: number | null }
  | { readonly do: "child"; readonly of: number; readonly estimate: number }
  | { readonly do: "use"; readonly by: number; readonly amount: number }
  | { readonly do: "end"; readonly by: number; readonly amount: number; how: AttemptOutcome };

/** An allowance with its attempts, kept the way the house keeps it: by what bookings change. */
class Ledger {
  readonly allowance: Allowance;
  readonly attempts: Attempt[] = [];
  spent = 0;
  reserved = 0;
  grants = 0;

  constructor(subject: Allowance) {
    this.allowance = subject;
  }

  play(act: Act): void {
    if (act.do === "claim") this.#claim(act.estimate, null);
    else if (act.do === "child") {
      const parent = this.#attempt(act.of);
      if (parent?.live === true) this.#claim(act.estimate, parent);
    } else {
      const attempt = this.#attempt(act.by);
      if (attempt === undefined) return;
      if (act.do === "use") this.#book(attempt, charge(attempt, this.#weight(act.amount)));
      else if (attempt.live) this.#end(attempt, act.amount, act.how);
    }
  }

  endAll(): void {
    const how = { cause: "lease_expired", counted: true, by: "other" } as const;
    for (const attempt of this.attempts) if (attempt.live) this.#end(attempt, 0, how);
  }

  #weight(amount: number): number {
    return weightOf(this.allowance.metric, { inputTokens: amount, costMicros: amount });
  }

  #attempt(n: number): Attempt | undefined {
    return this.attempts[n % Math.max(1, this.attempts.length)];
  }

  #claim(estimate: number | null, parent: Attempt | null): void {
    const { metric } = this.allowance;
    const said = metric === "tokens" ? { tokens: estimate ?? 0 } : { costMicros: estimate ?? 0 };
    const expected = { estimate: estimate === null ? null : said, typicalTokens: 3 };
    const reserve = reserveOf(this.allowance, { ...expected, typicalCost: 4 });
    const drawn = parent === null ? 0 : drawFromParent(parent.left, reserve);
    const live = this.attempts.filter((attempt) => attempt.live).length;
    const use = { spent: this.spent, reserved: this.reserved - drawn, live };
    if (!fits(this.allowance, use, reserve)) return;
    if (parent !== null) {
      parent.left -= drawn;
      parent.granted -= drawn;
    }
    this.reserved = sum(this.reserved, reserve - drawn);
    this.attempts.push({ granted: reserve, left: reserve, charged: 0, refunded: 0, live: true });
    this.grants += 1;
    this.#checkGrant(live + 1);
  }

  /** What a grant must not do, whatever was spent beyond reservations before. */
  #checkGrant(live: number): void {
    const { mode, metric, limit } = this.allowance;
    if (mode === "soft") return;
    if (metric === "concurrent_runs") expect(live).toBeLessThanOrEqual(limit);
    else expect(this.spent + this.reserved).toBeLessThanOrEqual(limit);
  }

  #book(attempt: Attempt, booking: Booking): void {
    attempt.left = booking.left;
    attempt.charged = booking.charged;
    this.reserved += booking.reserved;
    this.spent += booking.spent;
  }

  #end(attempt: Attempt, amount: number, outcome: AttemptOutcome): void {
    const before = attempt.charged + attempt.left;
    const booking = settle(this.allowance, attempt, { amount: this.#weight(amount), outcome });
    this.#book(attempt, booking);
    attempt.refunded += booking.refund;
    attempt.live = false;
    // What was released may be granted to others: usage that comes later finds no room of its own.
    attempt.granted -= Math.max(0, before - booking.charged);
  }

  /** The book: after every step. */
  check(): void {
    const total = (of: (attempt: Attempt) => number): number =>
      this.attempts.reduce((all, attempt) => all + of(attempt), 0);
    expect(this.spent).toBe(total(({ charged, refunded }) => charged - refunded));
    expect(this.reserved).toBe(total(({ left }) => left));
    for (const { left, charged, refunded, live } of this.attempts) {
      expect(left).toBeGreaterThanOrEqual(0);
      expect(live ? 0 : left).toBe(0);
      expect(refunded).toBeLessThanOrEqual(charged);
    }
    const { mode, metric, limit } = this.allowance;
    if (mode === "soft" || metric === "concurrent_runs") return;
    // Beyond the limit is only what attempts used beyond what they had set aside (I-17).
    const beyond = total(({ charged, left, granted }) => Math.max(0, charged + left - granted));
    expect(this.spent + this.reserved).toBeLessThanOrEqual(limit + beyond);
  }
}

const amount = fc.oneof(fc.nat(40), fc.nat(400), fc.constant(0));
const how = fc.record({
  cause: fc.constantFrom(...attemptCauses),
  counted: fc.boolean(),
  by: fc.constantFrom("operator" as const, "other" as const),
});
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ do: fc.constant("claim" as const), estimate: fc.option(amount) }),
  fc.record({ do: fc.constant("child" as const), of: fc.nat(), estimate: amount }),
  fc.record({ do: fc.constant("use" as const), by: fc.nat(), amount }),
  fc.record({ do: fc.constant("end" as const), by: fc.nat(), amount, how }),
);
const subject = fc
  .record({
    metric: fc.constantFrom("tokens", "cost_micros", "runs", "concurrent_runs"),
    mode: fc.constantFrom("soft", "hard", "kill"),
    limit: fc.oneof(fc.nat(5), fc.nat(2000)),
    defaultReserve: fc.option(fc.nat(50)),
  })
  .map((parts) => allowance(parts as Partial<Allowance>));

describe("an allowance", () => {
  test("spent is charges less refunds, reserved is what is left, no grant passes the limit", () => {
    let grants = 0;
    fc.assert(
      fc.property(subject, fc.array(act, { maxLength: 60 }), (of, acts) => {
        const ledger = new Ledger(of);
        for (const one of acts) {
          ledger.play(one);
          ledger.check();
        }
        grants += ledger.grants;
        ledger.endAll();
        ledger.check();
        expect(ledger.reserved).toBe(0);
      }),
      { numRuns: 1000 },
    );
    expect(grants).toBeGreaterThan(1000);
  });
});
