// Service and test signals: one round at a time, no wake lost, errors retried, stop waits.

import { describe, expect, test } from "vitest";

import { Bug } from "../../src/std/assert.ts";
import { silentLogger, type LogFields } from "../../src/std/logger.ts";
import { Service, type Round } from "../../src/std/service.ts";
import { TestSignal } from "../../src/std/signal.ts";
import { manualClock } from "../setup/manual-clock.ts";

/** A service on a manual clock that notes when its rounds begin, in ms. */
function serviceOf(round: Round) {
  const clock = manualClock();
  const began: number[] = [];
  const errors: LogFields[] = [];
  const service = new Service({
    name: "under-test",
    clock,
    logger: { ...silentLogger, error: (fields) => void errors.push(fields) },
    round: (stopping) => {
      began.push(clock.mono());
      return round(stopping);
    },
  });
  return { clock, began, errors, service };
}

/** A promise and the function that fulfils it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe("Service", () => {
  test("begins at once and repeats when its rounds say so", async () => {
    const { clock, began, service } = serviceOf(async () => 1_000);
    service.start();
    await clock.advance(3_500);
    expect(began).toEqual([0, 1_000, 2_000, 3_000]);
    await service.stop();
    expect(clock.pending()).toBe(0);
  });

  test("waits for a wake when nothing is due", async () => {
    const { clock, began, service } = serviceOf(async () => null);
    service.start();
    await clock.advance(10_000_000);
    expect(began).toEqual([0]);
    service.wake();
    service.wake();
    await clock.advance(1);
    expect(began).toEqual([0, 10_000_000]);
    await service.stop();
  });

  test("wakeWithin brings the next round forward, never back", async () => {
    const { clock, began, service } = serviceOf(async () => 10_000);
    service.start();
    await clock.advance(0);
    service.wakeWithin(4_000);
    service.wakeWithin(8_000);
    await clock.advance(9_000);
    expect(began).toEqual([0, 4_000]);
    await service.stop();
  });

  test("never two rounds at once; wakes during a round cause exactly one more", async () => {
    const { opened, open } = gate();
    let running = 0;
    let most = 0;
    const { clock, began, service } = serviceOf(async () => {
      running += 1;
      most = Math.max(most, running);
      await opened;
      running -= 1;
      return null;
    });
    service.start();
    await clock.advance(1);
    for (let n = 0; n < 5; n++) service.wake();
    await clock.advance(60_000);
    expect(began).toEqual([0]);
    open();
    await clock.advance(1);
    expect(began).toEqual([0, 60_001]);
    expect(most).toBe(1);
    await service.stop();
  });

  test("a failing round is logged and retried after 250 ms, doubling to 5 s", async () => {
    let failing = true;
    const { clock, began, errors, service } = serviceOf(async () => {
      if (failing) throw new Error("database away");
      return null;
    });
    service.start();
    await clock.advance(8_000);
    expect(began).toEqual([0, 250, 750, 1_750, 3_750, 7_750]);
    await clock.advance(10_000);
    expect(began.slice(6)).toEqual([12_750, 17_750]);
    expect(errors.map(({ retry_ms }) => retry_ms)).toEqual([
      250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000,
    ]);
    failing = false;
    await clock.advance(10_000);
    expect(began.slice(8)).toEqual([22_750]); // after a success only a wake starts another
    failing = true;
    service.wake();
    await clock.advance(250);
    expect(began.slice(9)).toEqual([28_000, 28_250]); // and the backoff begins anew
    await service.stop();
  });

  test("a wake does not shorten the backoff", async () => {
    const { clock, began, service } = serviceOf(async () => {
      throw new Error("database away");
    });
    service.start();
    await clock.advance(100);
    for (let n = 0; n < 20; n++) service.wake();
    await clock.advance(149);
    expect(began).toEqual([0]);
    await clock.advance(1);
    expect(began).toEqual([0, 250]);
    await service.stop();
  });

  test("stop tells the round, waits for its end, and starts no other", async () => {
    const { opened, open } = gate();
    let told = false;
    const { clock, began, service } = serviceOf(async (stopping) => {
      stopping.addEventListener("abort", () => (told = true));
      await opened;
      return 0;
    });
    service.start();
    await clock.advance(1);
    let stopped = false;
    const stopping = service.stop().then(() => (stopped = true));
    await clock.advance(1_000);
    expect({ told, stopped }).toEqual({ told: true, stopped: false });
    open();
    await stopping;
    service.wake();
    await clock.advance(1_000);
    expect(began).toEqual([0]);
    expect(clock.pending()).toBe(0);
  });

  test("stop ends the wait between rounds and the wait after an error", async () => {
    for (const round of [async () => 60_000, () => Promise.reject(new Error("no"))]) {
      const { clock, service } = serviceOf(round);
      service.start();
      await clock.advance(1);
      await service.stop();
      expect(clock.pending()).toBe(0);
    }
  });

  test("starts once; stop before start is harmless", async () => {
    const { began, service } = serviceOf(async () => null);
    await service.stop();
    service.start();
    await service.stop();
    expect(began).toEqual([]);
    expect(() => service.start()).toThrow(Bug);
  });

  test("a round that answers NaN is a bug, not a busy loop", async () => {
    const { clock, began, errors, service } = serviceOf(async () => Number.NaN);
    service.start();
    await clock.advance(200);
    expect(began).toEqual([0]);
    expect(errors[0]?.["err"]).toBeInstanceOf(Bug);
    await service.stop();
  });
});

describe("TestSignal", () => {
  test("keeps nothing until a test asks, then delivers in order", async () => {
    const signal = new TestSignal<number>("numbers");
    signal.emit(1);
    signal.init();
    signal.emit(2);
    signal.emit(3);
    expect(await signal.wait()).toBe(2);
    expect(await signal.wait()).toBe(3);
    const next = signal.wait();
    signal.emit(4);
    expect(await next).toBe(4);
  });

  test("says which signal did not come, and loses none to a wait that gave up", async () => {
    const signal = new TestSignal<number>("numbers").init();
    await expect(signal.wait(1)).rejects.toThrow("signal numbers took longer than 1 ms");
    signal.emit(5);
    expect(await signal.wait()).toBe(5);
  });

  test("waiting without init is a mistake in the test", async () => {
    await expect(new TestSignal("unset").wait()).rejects.toThrow("init()");
  });
});
