// What a batcher counts about itself: plain numbers, since it counts several times per item.
// Promises: counting allocates nothing and keeps nothing of any item, so figures of a year take the
// room of those of a second; nothing is ever reset.
// Leaves to others: when to count (batcher.ts), names, units and text (engine/metrics.ts).

/** Numbers sorted into buckets by their size. A bound belongs to the bucket below it. */
export class Tally {
  readonly bounds: readonly number[];
  /** How many fell into each bucket; the last is of what lies beyond all bounds. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  add(value: number): void {
    const { bounds, counts } = this;
    let place = 0;
    // Most fall into the first few, so looking one by one is faster than halving.
    while (place < bounds.length && value > (bounds[place] as number)) place += 1;
    counts[place] = (counts[place] as number) + 1;
    this.sum += value;
  }
}

/** Items of a flush: powers of two up to the most rows that one takes, and a little beyond. */
const flushSizes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
/** Milliseconds, from what one commit takes to the deadline of an item. */
const waits = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** Figures of one batcher since the start. */
export class BatcherFigures {
  /** Flushes that told what became of their items, and these items, once per flush. */
  flushes = 0;
  items = 0;
  /** Rows of the largest flush. */
  largest = 0;
  /** Items that have no answer yet, in the queue or in a flush. */
  waiting = 0;
  readonly sizes = new Tally(flushSizes);
  /** Milliseconds from the arrival of an item to the beginning of the flush that answered it. */
  readonly begun = new Tally(waits);
  /** Milliseconds from the arrival of an item to its answer. */
  readonly answered = new Tally(waits);
  /** Items refused: the queue was full, their time was up, no flush could store them. */
  readonly refused = { overloaded: 0, late: 0, poisoned: 0 };
  /** Flushes that failed, by what was done: tried again, halved, or looked up (outcome unknown). */
  readonly failed = { retried: 0, halved: 0, unknown: 0 };

  /** An item that came at `since` is answered by a flush. */
  answer(since: number, { began, now }: { began: number; now: number }): void {
    this.begun.add(began - since);
    this.answered.add(now - since);
  }
}
