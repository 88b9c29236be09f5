// Limits that a command printed, as this machine reads them: the kind, and an instant only where
// the server could not know it.
// Promises: the real parser; every clock and zone is given.
// Leaves to others: what notices look like (domain/limit-notice), who asks (the SDK).

import type { Account } from "@signalbox/sdk";
import { describe, expect, test } from "vitest";

import {
  limitSentence,
  readPrintedLimit,
  restFrom,
  restOf,
  whatNow,
} from "../../src/cli/printed-limit.ts";

const now = Date.parse("2026-11-21T10:00:00Z");
const notice = (message: string) => ({ status: null, headers: {}, message });

describe("what a command printed", () => {
  test.each([
    ["Claude AI usage limit reached|1795276800", "quota"],
    ["429 Too Many Requests: rate limit reached, please try again in 20s", "rate_limit"],
    ["Your credit balance is too low to access the API.", "billing"],
    ["npm ERR! code ELIFECYCLE", "none"],
    ["I added handling for usage limit reached errors.", "none"],
    ["", "none"],
  ])("%j is read as %s, without an instant of our own", (message, reason) => {
    const read = readPrintedLimit(notice(message), { now, zone: "America/New_York" });
    expect(read).toEqual({ reason });
  });

  test("a clock without a zone is this machine's, and told to the server as an instant", () => {
    const message = "You've hit your session limit · resets 3pm";
    const there = readPrintedLimit(notice(message), { now, zone: "America/New_York" });
    expect(there).toEqual({ reason: "quota", recoveryAt: "2026-11-21T20:00:00.000Z" });
    expect(readPrintedLimit(notice(message), { now, zone: "UTC" })).toEqual({ reason: "quota" });
    const zoned = notice(`${message} (Europe/Berlin)`);
    const read = readPrintedLimit(zoned, { now, zone: "America/New_York" });
    expect(read).toEqual({ reason: "quota" });
  });
});

describe("the sentence for a person", () => {
  test.each([
    [
      "what the notice says",
      { message: "Claude AI usage limit reached|1795276800" },
      "quota); it is over at 2026-11-21T16:00:00.000Z (in 6 h 0 min)",
    ],
    [
      "what the command says itself",
      { reason: "billing", recovery_in_ms: 90_000, message: "" } as const,
      "billing); it is over at 2026-11-21T10:01:30.000Z (in 1 min 30 s)",
    ],
    [
      "an instant before a duration",
      { recovery_at: "2026-11-21T10:00:05.000Z", recovery_in_ms: 90_000 },
      "rate limit); it is over at 2026-11-21T10:00:05.000Z (in 5.0 s)",
    ],
    [
      "that nothing is known",
      { status: 429, message: "no" },
      "rate limit); it did not say until when",
    ],
  ])("has %s", (_what, report, end) => {
    expect(limitSentence(report, now)).toBe(`a limit of the provider was met (${end}`);
  });
});

describe("a rest, for a person", () => {
  const limit = (parts: object): Account =>
    ({
      name: "acme/1",
      exhaustions: [
        { state: "half_open", model: null },
        {
          state: "closed",
          model: null,
          reason: "quota",
          recovery_at: "2026-11-21T16:00:00.000Z",
          evidence: { rule: "limit-used-up, epoch" },
          ...parts,
        },
      ],
    }) as unknown as Account;
  const words = (parts: object): string | null => {
    const rest = restOf(limit(parts));
    return rest === null ? null : whatNow(rest, "So be it");
  };

  test("says until when, how that is known, and what a person can do", () => {
    expect(words({})).toBe(
      'Account "acme/1" rests until 2026-11-21T16:00:00.000Z: quota (limit-used-up, epoch). ' +
        "So be it.",
    );
    expect(words({ model: "m", recovery_at: null, reason: "billing" })).toBe(
      'Account "acme/1" rests for model "m" until a person recovers it: billing ' +
        "(limit-used-up, epoch). So be it (signalbox accounts recover acme/1 --reason …).",
    );
    expect(words({ state: "open" })).toBeNull();
  });

  test("is read from what explains a run", () => {
    const [code, message] = ["exhausted", "It is."];
    const facts = { account: "acme/1" };
    expect(restFrom({ code, message, facts })).toEqual({ account: "acme/1", until: null, message });
    expect(restFrom({ code, message, until: "x" })).toEqual({ account: null, until: "x", message });
  });
});
