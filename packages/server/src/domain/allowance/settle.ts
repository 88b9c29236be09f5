// What is booked: usage while an attempt runs or after it, its end, and what a child takes over.
// Promises: spent = sum of charges - sum of refunds and reserved = sum of what reservations have
// left, after every booking; what is left is never below 0, and is 0 after the end. A refund is
// made once, by the end; usage that comes later is charged in full: it was really spent.
// Leaves to others: into which period (`period.ts`), that an attempt ends once (`decide`).

import type { AttemptCause } from "../machine.ts";
import { type Allowance, type AllowanceMetric, isMetered } from "./allowance.ts";
import { sum } from "./amounts.ts";

/** Measured consumption; what is absent was not reported. */
export type UsageAmounts = {
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  readonly cacheReadInputTokens?: number;
  readonly reasoningOutputTokens?: number;
  readonly costMicros?: number;
  readonly steps?: number;
};

/** What one attempt still has set aside of one allowance, and what it was charged so far. */
export type Reservation = { readonly left: number; readonly charged: number };

/** The reservation as it is afterwards, and what changes in the allowance. */
export type Booking = Reservation & {
  /** Change of what the allowance has reserved; never above 0. */
  readonly reserved: number;
  /** Change of what the allowance has spent, the refund taken off: it may be below 0. */
  readonly spent: number;
  /** What is given back of all that the attempt was charged. */
  readonly refund: number;
};

/** How the attempt ended, and whether an operator wanted it. */
export type AttemptOutcome = {
  readonly cause: AttemptCause;
  readonly counted: boolean;
  readonly by: "operator" | "other";
};

/**
 * What a usage weighs. Tokens are input and output: those read from a cache cost providers a
 * fraction, those of reasoning are part of the output. Runs are charged at the end.
 */
export function weightOf(metric: AllowanceMetric, usage: UsageAmounts): number {
  if (metric === "tokens") return sum(usage.inputTokens ?? 0, usage.outputTokens ?? 0);
  return metric === "cost_micros" ? (usage.costMicros ?? 0) : 0;
}

/** Usage: as much of it as is left moves from reserved to spent, what is beyond is spent too. */
export function charge({ left, charged }: Reservation, amount: number): Booking {
  const kept = Math.max(0, left - amount);
  const total = sum(charged, amount);
  return {
    left: kept,
    charged: total,
    reserved: kept - left,
    spent: total - charged,
    refund: 0,
  };
}

/**
 * The end of an attempt: charges its last usage (of `runs` 1 if the attempt counted), releases what
 * is left, and refunds what its cause gives back.
 */
export function settle(
  allowance: Pick<Allowance, "metric" | "mode">,
  reservation: Reservation,
  end: { readonly amount: number; readonly outcome: AttemptOutcome },
): Booking {
  const { charged, spent } = charge(reservation, lastAmount(allowance.metric, end));
  const refund = refundOf(allowance, charged, end.outcome);
  return { left: 0, charged, reserved: 0 - reservation.left, spent: spent - refund, refund };
}

function lastAmount(
  metric: AllowanceMetric,
  { amount, outcome }: { readonly amount: number; readonly outcome: AttemptOutcome },
): number {
  if (isMetered(metric)) return amount;
  return metric === "runs" && outcome.counted ? 1 : 0;
}

/** Only tokens are given back, and never where the limit itself ends runs (model §6). */
function refundOf(
  { metric, mode }: Pick<Allowance, "metric" | "mode">,
  charged: number,
  { cause, by }: AttemptOutcome,
): number {
  if (metric !== "tokens" || mode === "kill") return 0;
  if ((cause === "cancel" || cause === "kill") && by === "operator") return charged;
  return cause === "error" ? Math.floor(charged / 2) : 0;
}

/**
 * How much of a child's reserve comes out of what its parent has left: that part is reserved
 * already and needs no room, it only changes hands.
 */
export function drawFromParent(parentLeft: number, reserve: number): number {
  return Math.min(parentLeft, reserve);
}
