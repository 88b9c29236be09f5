// Whatever comes in, the limit parser answers, and reads no more than it promises.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LimitInput } from "../../../src/domain/limit-notice/notice.ts";
import { type LimitVerdict, parseLimit } from "../../../src/domain/limit-notice/parse-limit.ts";
import { plainText } from "../../../src/domain/limit-notice/plain-text.ts";
import { refusalWords } from "../../../src/domain/limit-notice/refusal-words.ts";
import { NOW, noRefusals, refusals } from "./cases.ts";

const REASONS = ["rate_limit", "quota", "billing", "overloaded", "none"];
const MIB = 1024 * 1024;

function expectWhole(verdict: LimitVerdict): void {
  expect(REASONS).toContain(verdict.reason);
  expect(["account", "model"]).toContain(verdict.scope);
  expect(verdict.rule).not.toBe("");
  expect(verdict.confidence).toBeGreaterThanOrEqual(0);
  expect(verdict.confidence).toBeLessThanOrEqual(1);
  if (verdict.reason === "none") expect(verdict.recovery_at).toBeNull();
  if (verdict.recovery_at !== null) {
    expect(new Date(verdict.recovery_at).toISOString()).toBe(verdict.recovery_at);
  }
}

const words = [...refusals, ...noRefusals].flatMap(({ message = "" }) => message.split(/(?<=\W)/));
const babble = fc
  .array(fc.oneof(fc.constantFrom(...words), fc.string({ unit: "binary", maxLength: 6 })), {
    maxLength: 60,
  })
  .map((pieces) => pieces.join(""));
const header = fc.constantFrom(
  "retry-after",
  "Retry-After-Ms",
  "RateLimit",
  "x-ratelimit-remaining-tokens",
  "x-ratelimit-reset-tokens",
  "anthropic-ratelimit-unified-5h-status",
  "x-codex-primary-used-percent",
);
const value = fc.oneof(babble, fc.integer().map(String), fc.double().map(String), fc.anything());
const input = fc.record(
  {
    now: fc.oneof(
      fc.constant(NOW),
      fc.date().map((date) => date.toJSON()),
      fc.anything(),
    ),
    observed_at: fc.oneof(fc.constant(NOW), fc.anything()),
    local_zone: fc.oneof(fc.constantFrom("Asia/Tokyo", "Mars/Olympus"), fc.anything()),
    status: fc.oneof(fc.constantFrom(200, 400, 429, 503, "429", null), fc.anything()),
    headers: fc.oneof(fc.dictionary(header, value), fc.anything()),
    message: fc.oneof({ weight: 4, arbitrary: babble }, fc.anything()),
    provider: fc.oneof(fc.constantFrom("openai", "zhipu"), fc.anything()),
  },
  { requiredKeys: [] },
);

describe("10,000 random inputs", () => {
  test("each is answered with a whole verdict", () => {
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: input }, fc.anything()), (given) => {
        expectWhole(parseLimit(given as LimitInput));
      }),
      { numRuns: 10_000 },
    );
  });

  test("words that were shuffled, and answers the same twice", () => {
    fc.assert(
      fc.property(babble, fc.constantFrom(null, 200, 429), (message, status) => {
        const verdict = parseLimit({ now: NOW, status, message });
        expectWhole(verdict);
        expect(parseLimit({ now: NOW, status, message })).toEqual(verdict);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("input of other shapes", () => {
  const message = "rate limit exceeded, try again in 5s";

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a string", "429"],
    [
      "a getter that throws",
      {
        get message() {
          throw new Error("no");
        },
      },
    ],
    [
      "a cycle",
      (() => {
        const it: Record<string, unknown> = {};
        it["message"] = it;
        return it;
      })(),
    ],
    [
      "dates out of range",
      { now: "+275760-09-13T00:00:00.001Z", status: 429, headers: { "retry-after": "1" } },
    ],
  ])("%s is survived", (_, given) => {
    expectWhole(parseLimit(given as LimitInput));
  });

  test.each<[string, unknown]>([
    ["names in any case", { "RETRY-AFTER": "30" }],
    ["numbers", { "retry-after": 30 }],
    ["arrays", { "retry-after": ["30"] }],
    ["pairs", [["Retry-After", "30"]]],
    ["a Map", new Map([["retry-after", "30"]])],
    ["Headers", new Headers({ "retry-after": "30" })],
    ["a dump", "HTTP/1.1 429\r\nretry-after: 30\r\n"],
  ])("headers may be %s", (_, headers) => {
    const verdict = parseLimit({ now: NOW, status: 429, headers } as unknown as LimitInput);
    expect(verdict).toMatchObject({
      reason: "rate_limit",
      recovery_at: "2026-10-14T09:30:30.000Z",
    });
  });

  test("a body may be an object, a status a string", () => {
    const body = { error: { type: "rate_limit_error", message } };
    const given = { now: NOW, status: "429", message: body } as unknown as LimitInput;
    expect(parseLimit(given)).toMatchObject({ recovery_at: "2026-10-14T09:30:05.000Z" });
  });

  test("without a present only absolute instants are told", () => {
    const given = { message: "Usage limit reached|1791986400" } as unknown as LimitInput;
    expect(parseLimit(given).recovery_at).toBe("2026-10-14T14:00:00.000Z");
    expect(parseLimit({ message } as unknown as LimitInput)).toMatchObject({
      reason: "rate_limit",
      recovery_at: null,
    });
  });
});

/** Texts made to cost much: what repeats, nests, never ends or half begins. */
const seeds = [
  "a",
  "1",
  " ",
  "\n",
  "[",
  "\0",
  "\ud800",
  "\\",
  '"',
  "_",
  "-",
  ":",
  "%",
  "|",
  "请",
  '{"a":',
  "\u001b]",
  "\u001b[",
  "hit your ",
  "hit a b c d ",
  "limit is has been ",
  "try again in ",
  "try again in 5m 3s 2h ",
  "resets 5am (Europe/Berlin) ",
  "已达到 5 小时的使用上限。限额将在 2027-01-01 05:12:44 重置。",
  '"retry_after": 5, ',
  "retry-after: ",
  "exhausted all of your ",
  "error error code 429 ",
  "if you hit your usage limit, ",
  "Oct 23rd, 2026 11:55 PM ",
  '"rate_limits": {"primary": {"used_percent": 7, "resets_at": 1791970200}}, ',
  "retry_after: Some(Duration { secs: 3, nanos: 0 }) ",
  '{"type": "tool_result"}\n',
  "limite atteint",
  "明日9:00にリセット",
  "2h 5m ",
  "**[limit](https://example.com) ",
];

describe("hostile texts of 1 MiB", () => {
  // How long they take is measured by `npm run bench:limits`, which has a machine to itself.
  test.each(seeds)("%j, repeated, is answered", (seed) => {
    const message = seed.repeat(MIB / seed.length);
    for (const status of [null, 429]) expectWhole(parseLimit({ now: NOW, status, message }));
  });

  test("no more than 20 KiB are read: the beginning and the end", () => {
    for (const seed of seeds) {
      expect(plainText(seed.repeat(MIB / seed.length)).raw.length).toBeLessThanOrEqual(20_481);
    }
    const filler = "all is well. ".repeat(MIB / 13);
    const limited = "Usage limit reached, try again in 10 minutes.";
    const wanted = { reason: "quota", recovery_at: "2026-10-14T09:40:00.000Z" };
    expect(parseLimit({ now: NOW, message: `${limited} ${filler}` })).toMatchObject(wanted);
    expect(parseLimit({ now: NOW, message: `${filler} ${limited}` })).toMatchObject(wanted);
    expect(parseLimit({ now: NOW, message: filler + limited + filler }).reason).toBe("none");
  });

  test("in no pattern of the words does anything repeat without a bound", () => {
    const unbounded = /(?<!\\)(?:\\\\)*[*+](?![^[]*\])|\{\d+,\}/;
    for (const { name, pattern } of refusalWords) {
      expect(unbounded.test(pattern.source), name).toBe(false);
    }
    for (const source of ["a+", "(?:ab)*", "a{2,}", String.raw`\w+`]) {
      expect(unbounded.test(source), source).toBe(true);
    }
    expect(unbounded.test(String.raw`[+*]a{1,3}\+`)).toBe(false);
  });
});
