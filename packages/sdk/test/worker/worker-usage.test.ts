// What a run consumed, told as it is consumed: numbered with the other events, before the outcome,
// and after the end of the attempt where it could not be told before.
// Promises: the order of arrival is read from the peer's journal.
// Leaves to others: booking it once (server).

import { describe, expect, test } from "vitest";

import type { EventSubmission } from "../../src/index.ts";
import { AttemptAborted } from "../../src/worker/index.ts";
import type { Handler } from "../../src/worker/index.ts";
import { until } from "../peer/scripted-server.ts";
import { setStage } from "../peer/stage.ts";
import { attemptOf } from "../peer/worker-peer.ts";
import type { Refusal } from "../peer/worker-peer.ts";

const stage = setStage();

const stale: Refusal = [409, "stale_fencing_token"];
const isUsage = ({ type }: EventSubmission): boolean => type === "usage.recorded";
const untilAborted: Handler<never> = async (attempt) => {
  await new Promise((resolve) => attempt.signal.addEventListener("abort", resolve));
  void attempt.log("nobody hears this");
  void attempt.usage({ input_tokens: 7 });
};

describe("consumption", () => {
  test("goes at once, with a number of its own, and the outcome carries none", async () => {
    await stage.start((attempt) => {
      void attempt.log("one");
      void attempt.usage({ model: "m-1", input_tokens: 10, cost_micros: 3 });
      void attempt.log("three");
      void attempt.usage({ input_tokens: 5, steps: 1 });
    });
    stage.box.give(null);
    const complete = await stage.reported("complete");
    const events = "events 1: log.line#1 usage.recorded#2 log.line#3 usage.recorded#4";
    expect(stage.box.journal).toEqual(["online", "start 1", events, "complete 1"]);
    expect(stage.box.events.filter(isUsage)).toEqual([
      {
        type: "usage.recorded",
        producer_seq: 2,
        usage: { model: "m-1", input_tokens: 10, cost_micros: 3 },
      },
      { type: "usage.recorded", producer_seq: 4, usage: { input_tokens: 5, steps: 1 } },
    ]);
    expect(complete).not.toHaveProperty("usage");
  });

  const ends: { how: string; handler: Handler<never>; last: string }[] = [
    { how: "fails", handler: () => Promise.reject(new Error("no")), last: "fail 1" },
    {
      how: "meets a limit",
      handler: (attempt) => Promise.reject(attempt.exhausted({ status: 429 })),
      last: "exhausted 1",
    },
    {
      how: "gives its run back",
      handler: () => Promise.reject(new AttemptAborted("shutdown")),
      last: "release 1",
    },
  ];
  test.each(ends)(
    "is told before the outcome of a handler that $how",
    async ({ handler, last }) => {
      await stage.start((attempt) => {
        void attempt.usage({ steps: 1 });
        return handler(attempt);
      });
      stage.box.give(null);
      await stage.journal(last);
      expect(stage.box.journal.slice(2)).toEqual(["events 1: usage.recorded#1", last]);
    },
  );

  test("of a killed run is told before its end, alone where lines are refused", async () => {
    stage.box.refuseEvents = (events) => (events.every(isUsage) ? null : [409, "already_terminal"]);
    await stage.start(async (attempt) => {
      await untilAborted(attempt);
      throw attempt.signal.reason;
    });
    stage.box.give(null);
    await stage.journal("start 1");
    stage.box.direct({ kind: "kill", ...attemptOf(1), reason: "leak" });
    await stage.journal("terminated 1");
    expect(stage.box.journal.slice(2)).toEqual([
      "refused 1: log.line#1 usage.recorded#2",
      "events 1: usage.recorded#2",
      "terminated 1",
    ]);
  });

  test.each([{ steps: 1.5 }, { steps: -1 }, { steps: 2 ** 53 }, { steps: Number.NaN }])(
    "that is no whole number is refused on the spot: %o",
    async (wrong) => {
      await stage.start((attempt) => {
        expect(() => attempt.usage(wrong)).toThrow(RangeError);
        void attempt.usage({ steps: 2 ** 53 - 1 });
      });
      stage.box.give(null);
      await stage.reported("complete");
      expect(stage.box.events).toMatchObject([{ producer_seq: 1, usage: { steps: 2 ** 53 - 1 } }]);
    },
  );

  test("without a counter is nothing, and a model that is no name does not cost it", async () => {
    await stage.start((attempt) => {
      void attempt.usage({ model: "m" });
      void attempt.usage({ steps: 1, model: "\n" });
      void attempt.usage({ steps: 2, model: ` m\u0000${"x".repeat(300)}` });
    });
    stage.box.give(null);
    await stage.reported("complete");
    const model = `m ${"x".repeat(198)}`;
    expect(stage.box.events.map(({ usage }) => usage)).toEqual([{ steps: 1 }, { steps: 2, model }]);
  });

  test("has a name that handlers cannot emit themselves", async () => {
    await stage.start((attempt) => attempt.emit("usage.recorded" as "log.line"));
    stage.box.give(null);
    expect(await stage.reported("fail")).toMatchObject({
      error: { message: expect.stringContaining('"usage.recorded" is not an event type') },
    });
  });
});

describe("consumption of an attempt that was lost", () => {
  test("is told afterwards, alone, and nothing else is", async () => {
    await stage.start(untilAborted);
    stage.box.give(null);
    await stage.journal("start 1");
    stage.box.lost.add("att_1");
    await stage.journal("events 1: usage.recorded#1");
    await stage.worker.stop({ drainMs: 0 });
    const expected = ["online", "start 1", "events 1: usage.recorded#1"];
    expect(stage.box.journal.filter((line) => !/ing$|^off/.test(line))).toEqual(expected);
  });

  test("is sent again without the events that were refused with it", async () => {
    stage.box.refuseEvents = (events) => (events.every(isUsage) ? null : stale);
    await stage.start((attempt) => {
      void attempt.log("too late");
      void attempt.usage({ input_tokens: 7 });
    });
    stage.box.give(null);
    await stage.reported("complete");
    expect(stage.box.journal.slice(2, 4)).toEqual([
      "refused 1: log.line#1 usage.recorded#2",
      "events 1: usage.recorded#2",
    ]);
  });

  test("is told although its start was refused", async () => {
    stage.box.refuse.set("start", stale);
    await stage.start(untilAborted);
    stage.box.give(null);
    await stage.journal("events 1: usage.recorded#1");
    expect(stage.box.journal).toEqual(["online", "start 1", "events 1: usage.recorded#1"]);
  });

  test("is given up, and said so, when the server does not take it any more", async () => {
    stage.box.refuseEvents = () => stale;
    await stage.start(untilAborted);
    stage.box.give(null);
    await stage.journal("start 1");
    stage.box.lost.add("att_1");
    await until(() => stage.errors.length > 0);
    expect(stage.errors).toMatchObject([{ code: "stale_fencing_token" }]);
    expect(stage.box.events).toEqual([]);
  });

  test("does not hold up the next run while the server does not answer events", async () => {
    stage.box.refuseEvents = () => [503, "unavailable"];
    let began = 0;
    await stage.start(
      (attempt) => {
        began += 1;
        return began === 1 ? untilAborted(attempt) : "second";
      },
      { concurrency: 1 },
    );
    stage.box.give(1, 2);
    await stage.journal("start 1");
    stage.box.lost.add("att_1");
    expect(await stage.reported("complete")).toMatchObject({ output: "second" });
    expect(stage.box.events).toEqual([]);
    stage.box.refuseEvents = () => null;
    await until(() => stage.box.events.length === 1);
  });
});

test("what a handler tells only after its run has ended is told all the same", async () => {
  let tellLate = (): void => {};
  await stage.start((attempt) => {
    tellLate = () => {
      void attempt.log("too late");
      void attempt.usage({ input_tokens: 7 });
    };
  });
  stage.box.give(null);
  await stage.reported("complete");
  await until(() => stage.worker.live === 0);
  tellLate();
  await stage.worker.stop();
  expect(stage.box.events).toMatchObject([{ producer_seq: 1, usage: { input_tokens: 7 } }]);
});
