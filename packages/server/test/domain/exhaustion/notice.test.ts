// What a worker reports, understood: its own word, what was read of the answer, or a default.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LimitReason } from "../../../src/domain/exhaustion/exhaustion.ts";
import { limitReasons } from "../../../src/domain/exhaustion/exhaustion.ts";
import type { LimitReportInput } from "../../../src/domain/exhaustion/notice.ts";
import { noticeOf } from "../../../src/domain/exhaustion/notice.ts";
import type { LimitVerdict } from "../../../src/domain/limit-notice/parse-limit.ts";
import { parseLimit } from "../../../src/domain/limit-notice/parse-limit.ts";
import { HOUR, MINUTE, SECOND, START } from "./rows.ts";

/** As the server does it: the parser reads what the report holds. */
function understood(report: LimitReportInput) {
  const { status, headers, message, provider } = report;
  const verdict = parseLimit({
    now: new Date(START).toISOString(),
    ...(status === undefined ? {} : { status }),
    ...(headers === undefined ? {} : { headers }),
    ...(message === undefined ? {} : { message }),
    ...(provider === undefined ? {} : { provider }),
  });
  return noticeOf(report, verdict, START);
}

const limited = "Usage limit reached, try again in 30 minutes";
const none: LimitVerdict = {
  reason: "none",
  recovery_at: null,
  scope: "account",
  rule: "no-refusal",
  confidence: 0.7,
};

describe("who names the instant", () => {
  test.each<[string, LimitReportInput, string, number | null]>([
    ["the worker, by an instant", { recoveryAt: START + HOUR, message: limited }, "worker", HOUR],
    ["the worker, by a length", { recoveryInMs: 5000, message: limited }, "worker", 5 * SECOND],
    ["the worker, in the past", { recoveryInMs: -5000 }, "worker", -5 * SECOND],
    ["a header", { status: 429, headers: { "Retry-After": "30" } }, "headers", 30 * SECOND],
    ["a finer header", { status: 429, headers: { "retry-after-ms": "1500" } }, "headers", 1500],
    [
      "an empty bucket of the headers",
      {
        status: 429,
        headers: { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20s" },
      },
      "headers",
      20 * SECOND,
    ],
    [
      "a header goes before the text",
      { status: 429, headers: { "retry-after": "30" }, message: limited },
      "headers",
      30 * SECOND,
    ],
    [
      "a field of the body",
      { status: 429, message: '{"error":{"message":"rate limit exceeded","retry_after_ms":9000}}' },
      "body",
      9 * SECOND,
    ],
    [
      "a bucket shown in the text",
      {
        status: 429,
        message: "rate limited\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 20",
      },
      "body",
      20 * SECOND,
    ],
    ["the text", { message: limited }, "text", 30 * MINUTE],
    ["nobody", { status: 429, message: "rate limit exceeded" }, "default", null],
    ["nobody at all", {}, "default", null],
    [
      "nobody, where instants are none",
      { recoveryAt: Number.NaN, recoveryInMs: Infinity },
      "default",
      null,
    ],
  ])("%s", (_, report, source, inMs) => {
    const { recoveryAt, evidence } = understood(report);
    expect(evidence.source).toBe(source);
    expect(recoveryAt === null ? null : recoveryAt - START).toBe(inMs);
  });
});

describe("why", () => {
  test("the worker's word goes before what was read", () => {
    const { reason, recoveryAt } = understood({ reason: "overloaded", message: limited });
    expect(reason).toBe("overloaded");
    expect(recoveryAt).toBe(START + 30 * MINUTE);
  });

  test("a worker that says it is limited is believed, whatever the text says", () => {
    const talk = { message: "All tests passed.", status: 200 };
    expect(understood(talk)).toMatchObject({
      reason: "rate_limit",
      recoveryAt: null,
      evidence: { rule: "worker_said", source: "default", confidence: 0.5 },
    });
    expect(understood({ ...talk, reason: "quota" })).toMatchObject({
      reason: "quota",
      evidence: { rule: "worker_said", confidence: 1 },
    });
  });

  test("what the parser concluded is kept with its rule", () => {
    const { evidence, reason } = understood({ message: limited });
    expect(reason).toBe("quota");
    expect(evidence.rule).toContain(", ");
    expect(evidence.excerpt).toBe(limited);
    expect(evidence.confidence).toBeGreaterThan(0.5);
  });

  test("an instant of another limit says nothing of when money comes back", () => {
    const { reason, recoveryAt, evidence } = understood({ reason: "billing", message: limited });
    expect({ reason, recoveryAt, source: evidence.source }).toEqual({
      reason: "billing",
      recoveryAt: null,
      source: "worker",
    });
    const read = understood({ message: "Your credit balance is too low to access the API" });
    expect(read).toMatchObject({
      reason: "billing",
      recoveryAt: null,
      evidence: { source: "text" },
    });
  });

  test.each(limitReasons)("%s is taken over", (reason) => {
    expect(understood({ reason }).reason).toBe(reason);
  });
});

describe("what is closed", () => {
  const opus: LimitVerdict = { ...none, reason: "quota", scope: "model", model: "opus-4" };
  const unnamed: LimitVerdict = { ...none, reason: "quota", scope: "model" };

  test.each<[string, LimitReportInput, LimitVerdict, string | null]>([
    ["the account, when nobody says otherwise", { model: "sonnet" }, none, null],
    ["the model the report names", { scope: "model", model: "sonnet" }, none, "sonnet"],
    ["the model the text names", {}, opus, "opus-4"],
    [
      "the run's model, by the name its runs know it by",
      { model: "claude-opus-4" },
      opus,
      "claude-opus-4",
    ],
    ["the run's model, when the text names none", { model: "sonnet" }, unnamed, "sonnet"],
    ["the account, when the worker says so", { scope: "account", model: "x" }, opus, null],
    ["the account, when no model has a name", { scope: "model" }, unnamed, null],
    ["the account, for a name of blanks", { scope: "model", model: "  " }, none, null],
    [
      "the account, for a name that no run can have",
      { scope: "model", model: "x".repeat(201) },
      none,
      null,
    ],
  ])("%s", (_, report, verdict, expected) => {
    expect(noticeOf(report, verdict, START).model).toBe(expected);
  });
});

describe("evidence", () => {
  test("holds no secrets", () => {
    const { evidence } = understood({ message: `${limited} for ${["sk-", "abc123def"].join("")}` });
    expect(evidence.excerpt).toBe(`${limited} for [redacted]`);
  });

  test("of an answer without words is its status and what its headers say of limits", () => {
    const headers = { "retry-after": "30", "content-type": "text/html", "x-request-id": "7" };
    const { evidence } = understood({ status: 429, headers });
    expect(evidence.excerpt).toBe("HTTP 429\nretry-after: 30");
  });
});

describe("whatever is in there, it does not throw", () => {
  const anything = fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true });
  const field = fc.constantFrom(
    "reason",
    "recoveryAt",
    "recoveryInMs",
    "scope",
    "model",
    "status",
    "headers",
    "message",
    "provider",
  );

  function expectWhole(notice: ReturnType<typeof noticeOf>): void {
    expect(limitReasons).toContain(notice.reason);
    expect(notice.recoveryAt === null || Number.isFinite(notice.recoveryAt)).toBe(true);
    expect(notice.model === null || notice.model.length > 0).toBe(true);
    const { rule, excerpt, confidence } = notice.evidence;
    expect(rule.length).toBeGreaterThan(0);
    expect(excerpt.length).toBeLessThanOrEqual(500);
    expect(confidence >= 0 && confidence <= 1).toBe(true);
  }

  test("random reports and verdicts", () => {
    fc.assert(
      fc.property(fc.dictionary(field, anything), fc.oneof(fc.constant(none), anything), (a, b) => {
        expectWhole(noticeOf(a, b as LimitVerdict, START));
      }),
      { numRuns: 2000 },
    );
  });

  test.each<[string, unknown]>([
    ["null", null],
    ["undefined", undefined],
    [
      "a getter that throws",
      {
        get reason(): LimitReason {
          throw new Error("no");
        },
      },
    ],
    ["headers that throw", { headers: new Proxy({}, { ownKeys: () => [1] as never }) }],
  ])("%s", (_, report) => {
    expectWhole(noticeOf(report as LimitReportInput, none, START));
  });
});
