// Exhaustion: what a report closes and until when, how it is tried again, who is let through.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type {
  EvidenceSource,
  Exhaustion,
  LimitReason,
} from "../../../src/domain/exhaustion/exhaustion.ts";
import {
  admits,
  limitReasons,
  probeGranted,
  probeOver,
  probeSucceeded,
  recovered,
  reported,
} from "../../../src/domain/exhaustion/exhaustion.ts";
import { toTypeId } from "../../../src/std/ids.ts";
import {
  ACCOUNT,
  closed,
  DAY,
  halfOpen,
  HOUR,
  MINUTE,
  notice,
  open,
  OTHER_RUN,
  PROBE,
  probing,
  RUN,
  SECOND,
  START,
} from "./rows.ts";

const RUN_ID = toTypeId("run", RUN);

/** Reports again and again, each time after the instant has come: how long each rest is. */
function rests(reason: LimitReason, times: number): (number | null)[] {
  const found: (number | null)[] = [];
  let row: Exhaustion | null = null;
  let at = START;
  for (let n = 0; n < times; n++) {
    row = reported(row, ACCOUNT, notice(reason, null), at).after;
    found.push(row.recoveryAt === null ? null : row.recoveryAt - at);
    at = row.recoveryAt ?? at;
    row = recovered(row, at, "person").after;
  }
  return found;
}

describe("without an instant the default counts", () => {
  test("a throttle rests 60 s, doubling with each vain try up to 5 h", () => {
    const seconds = rests("rate_limit", 12).map((ms) => (ms as number) / SECOND);
    expect(seconds.slice(0, 5)).toEqual([60, 120, 240, 480, 960]);
    expect(seconds.slice(-3)).toEqual([18_000, 18_000, 18_000]);
  });

  test("a quota rests 5 h, each time", () => {
    expect(rests("quota", 3)).toEqual([5 * HOUR, 5 * HOUR, 5 * HOUR]);
  });

  test("an overload rests 30 s, doubling up to 15 min", () => {
    const seconds = rests("overloaded", 7).map((ms) => (ms as number) / SECOND);
    expect(seconds).toEqual([30, 60, 120, 240, 480, 900, 900]);
  });

  test("money waits for a person", () => {
    expect(rests("billing", 2)).toEqual([null, null]);
  });

  test("it stays at its most however often it fails", () => {
    expect(rests("rate_limit", 2000).at(-1)).toBe(5 * HOUR);
  });

  test("and says that it is a default, except for money, where nothing was assumed", () => {
    const sourceOf = (reason: LimitReason): EvidenceSource =>
      reported(null, ACCOUNT, notice(reason, null, "text"), START).after.evidence.source;
    expect(limitReasons.map(sourceOf)).toEqual(["default", "default", "text", "default"]);
  });

  test("a success takes the doubling back", () => {
    const failed = reported(halfOpen(), ACCOUNT, notice("rate_limit", null), START).after;
    expect(failed.doublings).toBe(1);
    const tried = probeGranted(recovered(failed, START + DAY, "person").after, PROBE).after;
    const again = probeSucceeded(tried, PROBE, START + DAY).after;
    expect(again.doublings).toBe(0);
    const { after } = reported(again, ACCOUNT, notice("rate_limit", null), START);
    expect(after.recoveryAt).toBe(START + MINUTE);
  });
});

describe("an instant that was named", () => {
  test.each([
    ["counts as it is", 90 * MINUTE, 90 * MINUTE],
    ["is at least a second away", 1, SECOND],
    ["is a second away at that second", SECOND, SECOND],
    ["is at most 31 days away", 400 * DAY, 31 * DAY],
    ["may have fractions", 1500.4, 1501],
  ])("%s", (_, inMs, expected) => {
    const { after } = reported(null, ACCOUNT, notice("quota", inMs), START);
    expect(after).toMatchObject({ state: "closed", recoveryAt: START + expected, closedAt: START });
  });

  test.each([0, -1, -DAY])("in the past (%i ms) means at once: the next run tries", (inMs) => {
    const { after, fact } = reported(null, ACCOUNT, notice("quota", inMs), START);
    expect(after).toMatchObject({ state: "half_open", recoveryAt: START, probe: null });
    expect(fact?.type).toBe("account.exhausted");
    expect(admits([after], null)).toEqual({ open: true, probes: [after] });
  });

  test("in the past is wrong after a run has tried in vain: the doubled default counts", () => {
    const { after } = reported(probing(), ACCOUNT, notice("rate_limit", -DAY, "headers"), START);
    expect(after).toMatchObject({
      state: "closed",
      recoveryAt: START + 2 * MINUTE,
      evidence: { source: "default" },
    });
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "that is none (%d) is as if nobody had named one",
    (at) => {
      const strange = { ...notice("quota", null), recoveryAt: at };
      expect(reported(null, ACCOUNT, strange, START).after.recoveryAt).toBe(START + 5 * HOUR);
    },
  );
});

describe("a report while it is closed", () => {
  // Standing until 60 min after the start, by the first source; reported by the second.
  test.each<[EvidenceSource, number | null, EvidenceSource, number | null, string]>([
    ["text", 60, "text", 90, "gives way to a later instant"],
    ["text", 60, "text", 30, "stays, since an earlier one says nothing new"],
    ["text", 60, "text", 60, "stays, since it is the same"],
    ["text", 60, "body", 30, "gives way to a better source"],
    ["text", 60, "headers", 30, "gives way to a better source"],
    ["body", 60, "headers", 30, "gives way to a better source"],
    ["headers", 60, "worker", 30, "gives way to a better source"],
    ["worker", 60, "operator", 30, "gives way to a better source"],
    ["default", 60, "text", 30, "gives way to a better source"],
    ["headers", 60, "text", 90, "gives way to a later instant"],
    ["headers", 60, "text", 30, "stays, since it is better sourced"],
    ["worker", 60, "headers", 30, "stays, since it is better sourced"],
    ["headers", 60, "default", null, "stays, since nobody said the default"],
    ["text", 60, "text", null, "stays, since nobody said the default"],
    ["default", 60, "default", null, "gives way to a later instant"],
  ])("%s +%s min, then %s +%s min: %s", (was, wasMin, is, isMin, expected) => {
    const first = notice("quota", (wasMin as number) * MINUTE, was);
    const before = reported(null, ACCOUNT, first, START).after;
    const second = notice("quota", isMin === null ? null : isMin * MINUTE, is);
    const { after, fact } = reported(before, ACCOUNT, second, START + MINUTE);
    if (expected.startsWith("stays")) {
      expect(after).toBe(before);
      expect(fact).toBeNull();
    } else {
      const end = isMin === null ? START + MINUTE + 5 * HOUR : START + isMin * MINUTE;
      expect(after).toMatchObject({ recoveryAt: end, evidence: { source: is } });
      expect(fact?.type).toBe("account.exhausted");
    }
  });

  test("does not double the default, and keeps when it was closed", () => {
    const before = reported(null, ACCOUNT, notice("rate_limit", null), START).after;
    const { after } = reported(before, ACCOUNT, notice("rate_limit", null), START + 50 * SECOND);
    expect(after).toMatchObject({
      recoveryAt: START + 110 * SECOND,
      doublings: 0,
      closedAt: START,
    });
  });

  test("of a better source that has passed already opens it for the next run", () => {
    const { after } = reported(closed(HOUR), ACCOUNT, notice("quota", -1, "worker"), START);
    expect(after.state).toBe("half_open");
  });

  test("money wins over instants, and no instant wins over money", () => {
    const money = notice("billing", null, "text");
    const { after } = reported(closed(HOUR), ACCOUNT, money, START + 1);
    expect(after).toMatchObject({ reason: "billing", recoveryAt: null });
    const later = reported(after, ACCOUNT, notice("quota", DAY, "worker"), START + 2);
    expect(later.after).toBe(after);
    expect(recovered(after, START + 400 * DAY, "sweep").after).toBe(after);
    expect(recovered(after, START + 3, "person").after.state).toBe("half_open");
  });
});

describe("a report while it is half open", () => {
  test.each([
    ["before anyone tries", halfOpen()],
    ["while a run tries", probing()],
  ])("closes it again and doubles the default, %s", (_, before) => {
    const at = START + 2 * HOUR;
    const { after, fact } = reported(before, ACCOUNT, notice("rate_limit", null), at);
    expect(after).toMatchObject({
      state: "closed",
      recoveryAt: at + 2 * MINUTE,
      closedAt: at,
      doublings: 1,
      probe: null,
    });
    expect(fact?.data).toMatchObject({ account: ACCOUNT, doublings: 1, state: "closed" });
  });
});

describe("its instant comes", () => {
  test("half open at that instant, not a millisecond before", () => {
    const before = closed(HOUR);
    expect(recovered(before, START + HOUR - 1, "sweep")).toEqual({ after: before, fact: null });
    const { after, fact } = recovered(before, START + HOUR, "sweep");
    expect(after).toMatchObject({ state: "half_open", probe: null });
    expect(fact).toMatchObject({ type: "account.probing", data: { by: "sweep" } });
  });

  test("a person need not wait for it", () => {
    const { after, fact } = recovered(closed(HOUR), START + 1, "person");
    expect(after).toMatchObject({ state: "half_open", recoveryAt: START + 1 });
    expect(fact).toMatchObject({ type: "account.probing", data: { by: "person" } });
  });

  test.each([
    ["open", open(), "person"],
    ["open", open(), "sweep"],
    ["half open", halfOpen(), "person"],
    ["half open", halfOpen(), "sweep"],
    ["half open and tried", probing(), "sweep"],
  ] as const)("what is %s stays so (%s)", (_, before, by) => {
    const { after, fact } = recovered(before, START + DAY, by);
    expect(after).toBe(before);
    expect(fact).toBeNull();
  });

  test("a person takes it from a probe that hangs, so that the next run tries", () => {
    const { after } = recovered(probing(), START + DAY, "person");
    expect(after).toMatchObject({ state: "half_open", probe: null });
    expect(admits([after], null)).toEqual({ open: true, probes: [after] });
  });
});

describe("the probe", () => {
  const other = { runId: OTHER_RUN, token: 3 };
  const older = { runId: PROBE.runId, token: PROBE.token - 1 };

  test("is one run", () => {
    const { after, fact } = probeGranted(halfOpen(), PROBE);
    expect(after.probe).toEqual(PROBE);
    expect(fact).toMatchObject({ type: "account.probing", data: { probe_run: RUN_ID } });
    expect(probeGranted(after, { ...PROBE, runId: OTHER_RUN }).after).toBe(after);
  });

  test.each([closed(HOUR), open()])("is for what is half open only", (before) => {
    expect(probeGranted(before, PROBE)).toEqual({ after: before, fact: null });
  });

  test("opens it by success", () => {
    const { after, fact } = probeSucceeded(probing(), PROBE, START + HOUR + MINUTE);
    expect(after).toMatchObject({ state: "open", recoveryAt: null, probe: null, doublings: 0 });
    expect(fact).toMatchObject({
      type: "account.recovered",
      data: { probe_run: RUN_ID, closed_ms: HOUR + MINUTE },
    });
  });

  test("that ended otherwise leaves it to the next run", () => {
    const { after, fact } = probeOver(probing(), PROBE);
    expect(after).toMatchObject({ state: "half_open", probe: null });
    expect(fact).toBeNull();
  });

  test.each([
    ["another run", other],
    ["an older attempt of it", older],
  ])("nothing is learnt from %s", (_, probe) => {
    const before = probing();
    expect(probeSucceeded(before, probe, START + DAY)).toEqual({ after: before, fact: null });
    expect(probeOver(before, probe)).toEqual({ after: before, fact: null });
  });

  test.each([
    ["open", open()],
    ["closed", closed(HOUR)],
    ["half open", halfOpen()],
  ])("nothing is learnt by what is %s", (_, before) => {
    expect(probeSucceeded(before, PROBE, START + DAY).after).toBe(before);
    expect(probeOver(before, PROBE).after).toBe(before);
  });
});

describe("who is let through", () => {
  const short = closed(HOUR);
  const long = closed(2 * HOUR, "opus");
  const money = closed(null, "opus");

  test.each<[string, Exhaustion[], string | null, Exhaustion | "open" | Exhaustion[]]>([
    ["nothing is known", [], "opus", "open"],
    ["it recovered", [open()], null, "open"],
    ["all models are closed", [short], "opus", short],
    ["all models are closed, the run names none", [short], null, short],
    ["the model is closed", [long], "opus", long],
    ["another model is closed", [long], "sonnet", "open"],
    ["a model is closed, the run names none", [long], null, "open"],
    ["both are closed: the one that ends last", [short, long], "opus", long],
    ["both are closed, in the other order", [long, short], "opus", long],
    ["money ends last", [short, money], "opus", money],
    ["half open: it tries", [halfOpen()], "opus", [halfOpen()]],
    [
      "both half open: it tries both",
      [halfOpen(), halfOpen("opus")],
      "opus",
      [halfOpen(), halfOpen("opus")],
    ],
    ["half open and tried by another", [probing()], "opus", probing()],
    ["half open, and the model closed", [halfOpen(), long], "opus", long],
    ["tried by another, and the model closed", [probing(), long], "opus", long],
    ["tried by another for another model", [probing("sonnet")], "opus", "open"],
  ])("%s", (_, rows, model, expected) => {
    const answer = admits(rows, model);
    if (expected === "open") expect(answer).toEqual({ open: true, probes: [] });
    else if (Array.isArray(expected)) expect(answer).toEqual({ open: true, probes: expected });
    else expect(answer).toEqual({ open: false, row: expected });
  });
});

describe("whatever happens, in whatever order", () => {
  const source = fc.constantFrom<EvidenceSource>("worker", "headers", "body", "text", "default");
  const aNotice = fc.tuple(
    fc.constantFrom(...limitReasons),
    fc.option(fc.integer({ min: -DAY, max: 60 * DAY })),
    source,
  );
  const aProbe = fc.record({
    runId: fc.constantFrom(RUN, OTHER_RUN),
    token: fc.integer({ min: 1, max: 2 }),
  });
  type Step = (row: Exhaustion | null, at: number) => ReturnType<typeof reported> | null;
  const known = (change: (row: Exhaustion, at: number) => ReturnType<typeof reported>): Step => {
    return (row, at) => (row === null ? null : change(row, at));
  };
  const step: fc.Arbitrary<Step> = fc.oneof(
    aNotice.map(([reason, inMs, by]): Step => (row, at) => {
      const said = { ...notice(reason, inMs, by), recoveryAt: inMs === null ? null : at + inMs };
      return reported(row, ACCOUNT, said, at);
    }),
    fc
      .constantFrom<"sweep" | "person">("sweep", "person")
      .map((by) => known((row, at) => recovered(row, at, by))),
    aProbe.map((probe) => known((row, at) => probeGranted(row, { ...probe, since: at }))),
    aProbe.map((probe) => known((row, at) => probeSucceeded(row, probe, at))),
    aProbe.map((probe) => known((row) => probeOver(row, probe))),
  );

  test("rows keep their shape, facts tell of changes only, and in the end somebody may try", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.nat(DAY)), { maxLength: 30 }), (steps) => {
        let row: Exhaustion | null = null;
        let at = START;
        for (const [take, later] of steps) {
          at += later;
          const before: Exhaustion | null = row;
          const changed = take(before, at);
          if (changed === null) continue;
          row = changed.after;
          expectWhole(row, at);
          if (row === before) expect(changed.fact).toBeNull();
          else if (row.state !== before?.state) expect(changed.fact).not.toBeNull();
        }
        if (row === null || row.recoveryAt === null) return;
        const tried = recovered(row, at + 32 * DAY, "sweep").after;
        expect(tried.state).not.toBe("closed");
      }),
      { numRuns: 500 },
    );
  });

  function expectWhole(row: Exhaustion, at: number): void {
    if (row.probe !== null) expect(row.state).toBe("half_open");
    if (row.state === "open") expect(row.doublings).toBe(0);
    if (row.state !== "closed") return;
    if (row.recoveryAt === null) expect(row.reason).toBe("billing");
    else expect(row.recoveryAt - at).toBeLessThanOrEqual(31 * DAY);
    expect(row.closedAt).toBeLessThanOrEqual(at);
  }
});
