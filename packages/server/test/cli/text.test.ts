// Text that is printed, options that are read, errors that become exit codes: without processes.

import fc from "fast-check";
import { SignalboxError } from "@signalbox/sdk";
import { describe, expect, test } from "vitest";

import { exitCodes } from "../../src/cli/exit-codes.ts";
import { failureOf } from "../../src/cli/failure.ts";
import { safeJson, safeLine, safeText } from "../../src/cli/safe-text.ts";
import { duration } from "../../src/cli/show-run.ts";
import { environmentFor, isLoopback, optionTable, readConfig } from "../../src/config.ts";

const unsafe = /[\p{Cc}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\u200b\ufeff]/u;
const anything = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }));

describe("safe text", () => {
  test("whatever comes in, nothing unsafe goes out", () => {
    fc.assert(
      fc.property(anything, (text) => {
        expect(unsafe.test(safeLine(text))).toBe(false);
        expect(unsafe.test(safeText(text).replaceAll(/[\n\t]/g, ""))).toBe(false);
      }),
    );
  });

  test("plain text is left as it is, colours are dropped", () => {
    const plain = "Grüße, 世界, 👩‍👩‍👧, नमस्ते — “fine”";
    expect(safeLine(plain)).toBe(plain);
    expect(safeText("a\tb\r\nc\u001b[1;31md\u001b[0m")).toBe("a\tb\ncd");
    expect(safeText("\u001b[2Kx\u001b]8;;http://e\u0007")).toBe("\\x1b[2Kx\\x1b]8;;http://e\\x07");
  });

  test("a line has no newline and is cut with a mark, between characters", () => {
    expect(safeLine("a\nb\tc")).toBe("a\\nb c");
    expect(safeLine("👩👩👩👩", 3)).toBe("👩👩…");
    expect(safeLine("abc", 3)).toBe("abc");
  });

  test("JSON says the same", () => {
    fc.assert(
      fc.property(fc.jsonValue(), anything, (value, text) => {
        const both = { value, text };
        const printed = safeJson(both, 2);
        expect(JSON.parse(printed)).toEqual(JSON.parse(JSON.stringify(both)));
        expect(unsafe.test(printed.replaceAll("\n", ""))).toBe(false);
      }),
    );
  });
});

describe("options", () => {
  test("a flag wins over the environment, that over the default; empty is unset", () => {
    const env = { SIGNALBOX_LISTEN: "0.0.0.0:80", SIGNALBOX_LOG_LEVEL: "", NO_COLOR: "1" };
    expect(readConfig({}, env)).toMatchObject({
      listen: { host: "0.0.0.0", port: 80 },
      logLevel: "info",
      noColour: true,
      databaseUrl: null,
    });
    expect(readConfig({ listen: "[::1]:0" }, env).listen).toEqual({ host: "::1", port: 0 });
  });

  test.each([
    ["4500", "127.0.0.1", 4500],
    [":4500", "127.0.0.1", 4500],
    ["box.example.org", "box.example.org", 4400],
    ["0.0.0.0:0", "0.0.0.0", 0],
  ])("listen %s", (text, host, port) => {
    expect(readConfig({ listen: text }, {}).listen).toEqual({ host, port });
  });

  test("what cannot be used is refused by name, a secret without its value", () => {
    const refused = (env: NodeJS.ProcessEnv): string => {
      try {
        readConfig({}, env);
      } catch (error) {
        const { exitCode, message } = error as Error & { exitCode: number };
        return `${exitCode} ${message}`;
      }
      return "accepted";
    };
    expect(refused({ SIGNALBOX_URL: "localhost:4400" })).toMatch(/^78 SIGNALBOX_URL must be/);
    expect(refused({ SIGNALBOX_LISTEN: "host:70000" })).toMatch(/^78 SIGNALBOX_LISTEN must be/);
    expect(refused({ SIGNALBOX_ALLOWED_HOSTS: "a,b:80" })).toMatch(/"b:80" is none/);
    expect(refused({ SIGNALBOX_KEY: "hunter2" })).toBe(
      "78 SIGNALBOX_KEY must be a key, which begins with sbx_.",
    );
  });

  test("the table is small, and each option is described", () => {
    const all = Object.values(optionTable);
    expect(all.length).toBeLessThanOrEqual(30);
    expect(new Set(all.map(({ env }) => env)).size).toBe(all.length);
    for (const { doc, flag, secret } of all) {
      expect(doc.length).toBeGreaterThan(15);
      expect(secret && flag !== null).toBe(false); // others can read arguments
    }
  });

  test("a process that talks to one server is told of no other", () => {
    const env = { PATH: "/bin", DATABASE_URL: "x", SIGNALBOX_KEY: "old", NO_COLOR: "1" };
    expect(environmentFor({ url: "u", key: "k" }, env)).toEqual({
      PATH: "/bin",
      NO_COLOR: "1",
      SIGNALBOX_URL: "u",
      SIGNALBOX_KEY: "k",
    });
  });

  test("loopback is what only this machine can reach", () => {
    expect(["127.0.0.1", "127.9.9.9", "::1", "localhost"].every(isLoopback)).toBe(true);
    expect(["0.0.0.0", "::", "10.0.0.1", "127.example.org"].some(isLoopback)).toBe(false);
  });
});

describe("exit codes", () => {
  test("each has its own number and a sentence", () => {
    const all = Object.values(exitCodes);
    expect(new Set(all.map(({ code }) => code)).size).toBe(all.length);
    for (const { says } of all) expect(says).toMatch(/\.$/);
  });

  const answer = (status: number): number =>
    failureOf(new SignalboxError({ message: "m", code: "c", status, retryable: false })).exitCode;

  test.each([
    [0, 69],
    [400, 65],
    [401, 77],
    [404, 66],
    [409, 1],
    [422, 65],
    [429, 75],
    [500, 70],
    [503, 75],
    [418, 70],
  ])("an answer %i ends a command with %i", (status, code) => {
    expect(answer(status)).toBe(code);
  });

  test("a full disk is temporary, a missing file is not there, the unforeseen is ours", () => {
    const fault = (code?: string): Error => Object.assign(new Error("m"), code && { code });
    const codes = [fault("ENOSPC"), fault("ENOENT"), fault("EACCES"), fault(), "text"].map(
      (error) => failureOf(error).exitCode,
    );
    expect(codes).toEqual([75, 66, 77, 70, 70]);
  });
});

test("durations are read at a glance", () => {
  expect([0.4, 999, 1_000, 61_000, 3_700_000, 90_000_000].map(duration)).toEqual([
    "0 ms",
    "999 ms",
    "1.0 s",
    "1 min 01 s",
    "1 h 1 min",
    "1 d 1 h",
  ]);
});
