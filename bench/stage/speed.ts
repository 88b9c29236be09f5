// What is asked of a speed: its median has to hold, since others on the machine disturb it; in the
// quick form, with tiny counts, it informs.
// Leaves to others: the verdict (figures.ts).

import type { FigureKind } from "./figures.ts";

/** A speed, a latency or a ratio of such, with its limit if one is asked for. */
export function speed(unit: string, limit: Pick<FigureKind, "least" | "most"> = {}): FigureKind {
  const isAsked = limit.least !== undefined || limit.most !== undefined;
  return { unit, ...limit, timed: true, speed: true, headline: isAsked };
}
