// Clock, deadlines and durations: never early, never lost to an overflow, nothing left behind.

import { describe, expect, test, vi } from "vitest";

import { Bug } from "../../src/std/assert.ts";
import { LONGEST_TIMER_MS, systemClock } from "../../src/std/clock.ts";
import { DeadlineExceeded, withDeadline } from "../../src/std/deadline.ts";
import { DAY, formatDuration, HOUR, MINUTE, SECOND } from "../../src/std/durations.ts";
import { manualClock } from "../setup/manual-clock.ts";

describe("systemClock", () => {
  test("never fires early", async () => {
    for (let n = 0; n < 30; n++) {
      const ms = n / 7;
      const start = systemClock.mono();
      await new Promise<void>((resolve) => void systemClock.setDeadline(ms, resolve));
      expect(systemClock.mono() - start).toBeGreaterThanOrEqual(ms);
    }
  });

  test("waits longer than 2^31 - 1 ms by re-arming once a day", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    try {
      let fired = 0;
      systemClock.setDeadline(2 ** 31 + 5_000, () => void fired++);
      vi.advanceTimersByTime(2 ** 31 + 4_999);
      expect(fired).toBe(0);
      expect(vi.getTimerCount()).toBe(1);
      vi.advanceTimersByTime(1);
      expect(fired).toBe(1);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test("no timer is ever armed for more than 24 hours", () => {
    const armed = vi.spyOn(globalThis, "setTimeout");
    const cancelDeadlines = [Infinity, Number.MAX_SAFE_INTEGER, 2 ** 31, -5].map((ms) =>
      systemClock.setDeadline(ms, () => {}),
    );
    const waits = armed.mock.calls.map(([, ms]) => ms);
    armed.mockRestore();
    for (const cancelDeadline of cancelDeadlines) cancelDeadline();
    expect(waits).toEqual([LONGEST_TIMER_MS, LONGEST_TIMER_MS, LONGEST_TIMER_MS, 0]);
  });

  test("a cancelled deadline does not fire, also between two daily timers", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    try {
      let fired = 0;
      const cancelDeadline = systemClock.setDeadline(3 * DAY, () => void fired++);
      vi.advanceTimersByTime(1.5 * DAY);
      cancelDeadline();
      cancelDeadline();
      expect(vi.getTimerCount()).toBe(0);
      vi.advanceTimersByTime(5 * DAY);
      expect(fired).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test("refuses a wait that is not a number", () => {
    expect(() => systemClock.setDeadline(Number.NaN, () => {})).toThrow(Bug);
  });
});

describe("withDeadline", () => {
  test("passes on a value and a rejection, and clears its timer", async () => {
    const clock = manualClock();
    await expect(withDeadline(Promise.resolve(7), 50, "seven", clock)).resolves.toBe(7);
    const failing = Promise.reject(new Error("no"));
    await expect(withDeadline(failing, 50, "failing", clock)).rejects.toThrow("no");
    expect(clock.pending()).toBe(0);
  });

  test("rejects at the deadline and swallows what comes later", async () => {
    const clock = manualClock();
    let rejectLate = (_reason: Error): void => {};
    const slow = new Promise<never>((_, reject) => (rejectLate = reject));
    const outcome = withDeadline(slow, 1_500, "the slow one", clock).catch((e: unknown) => e);
    await clock.advance(1_500);
    const error = await outcome;
    expect(error).toBeInstanceOf(DeadlineExceeded);
    expect(error).toMatchObject({ what: "the slow one", ms: 1_500 });
    rejectLate(new Error("too late")); // an unhandled rejection would fail the suite
    expect(clock.pending()).toBe(0);
  });
});

describe("formatDuration", () => {
  test.each([
    [0, "0ms"],
    [0.9, "0ms"],
    [999.9, "999ms"],
    [SECOND, "1s"],
    [1_250, "1.2s"],
    [9_999, "9.9s"],
    [10 * SECOND, "10s"],
    [59_999, "59s"],
    [63 * SECOND, "1m 3s"],
    [2 * MINUTE, "2m"],
    [HOUR - 1, "59m 59s"],
    [2 * HOUR + 59_999, "2h"],
    [26 * HOUR, "1d 2h"],
    [3 * DAY, "3d"],
    [-63 * SECOND, "-1m 3s"],
    [Infinity, "unknown"],
    [Number.NaN, "unknown"],
  ])("%d ms reads %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
