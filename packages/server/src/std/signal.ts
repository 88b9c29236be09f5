// Test signals: production code says "this just happened", a test waits for exactly that.
// Promises: until a test calls `init`, `emit` is one comparison and keeps nothing; so tests need
// no sleeping and production pays nothing.
// Leaves to others: logging and events. A signal is never part of how the product behaves.

import { assert } from "./assert.ts";
import { withDeadline } from "./deadline.ts";

/** More unread values than this mean that a test forgot to read. */
const MOST_UNREAD = 10_000;

/** A named point in the code that tests can wait for. Values arrive in the order of `emit`. */
export class TestSignal<T = void> {
  readonly #name: string;
  #unread: T[] | null = null;
  #waiting: ((value: T) => void)[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  /** Says that it happened. Does nothing unless a test has called {@link init}. */
  emit(value: T): void {
    if (this.#unread === null) return;
    const next = this.#waiting.shift();
    if (next !== undefined) return next(value);
    assert(this.#unread.length < MOST_UNREAD, `signal ${this.#name}: nobody reads it`);
    this.#unread.push(value);
  }

  /** For tests: starts keeping values, from none. */
  init(): this {
    this.#unread = [];
    this.#waiting = [];
    return this;
  }

  /** For tests: the next value, or DeadlineExceeded after `ms` (10 s). One value per call. */
  async wait(ms = 10_000): Promise<T> {
    assert(this.#unread !== null, `signal ${this.#name}: call init() before wait()`);
    if (this.#unread.length > 0) return this.#unread.shift() as T;
    let resolve: (value: T) => void = () => {};
    const value = new Promise<T>((settle) => (resolve = settle));
    this.#waiting.push(resolve);
    try {
      return await withDeadline(value, ms, `signal ${this.#name}`);
    } finally {
      this.#waiting = this.#waiting.filter((waiter) => waiter !== resolve);
    }
  }
}
