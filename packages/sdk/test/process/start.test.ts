// Before the start and after the end: environment, placeholders, exits, folders. No processes.

import { mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  childEnvironment,
  OWN_SECRETS,
  parseWorkerMark,
  workerMark,
} from "../../src/worker/process/environment.ts";
import {
  exitFailure,
  isRetryableExit,
  spawnFailure,
} from "../../src/worker/process/exit-policy.ts";
import { JsonLines, readOutput } from "../../src/worker/process/output.ts";
import { fillPlaceholders, MissingInput } from "../../src/worker/process/placeholders.ts";
import { createScratch, removeScratch, sweepScratch } from "../../src/worker/process/scratch.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "signalbox-test-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the environment of a child", () => {
  const secret = "sbx_0123456789abcdef";
  const inherited = {
    PATH: "/bin",
    LC_ALL: "C",
    ANTHROPIC_TOKEN: "theirs",
    DATABASE_URL: "postgres://theirs",
    COPY_OF_KEY: `Bearer ${secret}`,
    ...Object.fromEntries(OWN_SECRETS.map((name) => [name, secret])),
  };

  it("is inherited, without our own secrets under any name", () => {
    expect(childEnvironment(inherited, {}, { SIGNALBOX_RUN_ID: "run_1" })).toEqual({
      PATH: "/bin",
      LC_ALL: "C",
      ANTHROPIC_TOKEN: "theirs",
      DATABASE_URL: "postgres://theirs",
      SIGNALBOX_RUN_ID: "run_1",
    });
  });

  it("can be an allow-list, with what the worker adds", () => {
    const options = { cleanEnv: true, env: { MODEL: "opus" } };
    expect(childEnvironment(inherited, options, {})).toEqual({
      PATH: "/bin",
      LC_ALL: "C",
      MODEL: "opus",
    });
  });

  it("loses what the worker strips", () => {
    const result = childEnvironment(inherited, { stripEnv: ["DATABASE_URL"] }, {});
    expect(result).not.toHaveProperty("DATABASE_URL");
  });

  it("lets the facts of the attempt win over everything", () => {
    const options = { env: { SIGNALBOX_ATTEMPT_ID: "forged" } };
    const told = { SIGNALBOX_ATTEMPT_ID: "att_1" };
    expect(childEnvironment({}, options, told)).toEqual(told);
  });

  it.runIf(process.platform === "linux")("names its worker by pid, start and namespace", () => {
    expect(parseWorkerMark(workerMark())).toMatchObject({ pid: process.pid });
    expect(parseWorkerMark("12:34")).toBeNull();
  });
});

describe("placeholders", () => {
  const input = { pr: 42, title: "a b; rm -rf", files: ["x.ts", { path: "y.ts" }], none: null };

  it.each([
    ["{input.pr}", "42"],
    ["--title={input.title}", "--title=a b; rm -rf"],
    ["{input.files.1.path},{input.files.0}", "y.ts,x.ts"],
    ["{input.files}", '["x.ts",{"path":"y.ts"}]'],
    ["{input.none}", "null"],
    ["{input}", JSON.stringify(input)],
    ["{other} {} {input.}", "{other} {} {input.}"],
  ])("%s becomes %s", (arg, expected) => {
    expect(fillPlaceholders([arg], input)).toEqual([expected]);
  });

  it.each(["{input.nope}", "{input.pr.x}", "{input.constructor}", "{input.files.length.x}"])(
    "%s names nothing and is refused",
    (arg) => {
      expect(() => fillPlaceholders([arg], input)).toThrow(MissingInput);
    },
  );

  it("puts a value in once: braces inside it are not read again", () => {
    expect(fillPlaceholders(["{input.a}"], { a: "{input.b}", b: "x" })).toEqual(["{input.b}"]);
  });
});

describe("exits", () => {
  const final = [2, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 76, 77, 78, 126, 127];

  it("are retryable except those that say that retrying is useless", () => {
    const codes = Array.from({ length: 255 }, (_, index) => index + 1);
    const refused = codes.filter((code) => !isRetryableExit({ code, signal: null }));
    expect(refused).toEqual(final);
    expect(isRetryableExit({ code: null, signal: "SIGKILL" })).toBe(true);
  });

  it("become errors with a stable code and the last words", () => {
    expect(exitFailure({ code: 3, signal: null }, "one\nfatal: no\n")).toEqual({
      error: {
        code: "exit_3",
        message: "the command exited with code 3: fatal: no",
        detail: { exit_code: 3, signal: null, stderr_tail: "one\nfatal: no\n" },
      },
      retryable: true,
    });
    const killed = exitFailure({ code: null, signal: "SIGSEGV" }, "");
    expect(killed.error).toMatchObject({
      code: "signal_SIGSEGV",
      message: "the command was ended by SIGSEGV",
    });
  });

  it.each([
    ["ENOENT", false, 127],
    ["EACCES", false, 126],
    ["E2BIG", false, null],
    ["EAGAIN", true, null],
    ["EMFILE", true, null],
  ])("a start that fails with %s: retryable %s", (code, retryable, exitCode) => {
    const failure = spawnFailure(Object.assign(new Error("no"), { code }), "claude");
    expect(failure.retryable).toBe(retryable);
    expect(failure.error).toMatchObject({
      code: "spawn_error",
      detail: { errno: code, exit_code: exitCode },
    });
  });
});

describe("the folder of an attempt", () => {
  it("is private, holds the input and goes away", async () => {
    const scratch = await createScratch({ pr: 42 }, folder);
    expect((await stat(scratch.directory)).mode & 0o777).toBe(0o700);
    expect((await stat(scratch.inputPath)).mode & 0o777).toBe(0o600);
    expect(await readFile(scratch.inputPath, "utf8")).toBe('{"pr":42}');
    expect(await removeScratch(scratch.directory)).toBe(true);
    await expect(stat(scratch.directory)).rejects.toThrow("ENOENT");
  });

  it.runIf(process.platform === "linux")(
    "is swept when its worker is dead, and only then",
    async () => {
      const [alive, dead, foreign] = await Promise.all([
        createScratch(1, folder),
        createScratch(2, folder),
        createScratch(3, folder),
      ]);
      const mark = workerMark();
      await writeFile(join(dead.directory, "owner"), mark.replace(/:\d+:/, ":1:"));
      await writeFile(join(foreign.directory, "owner"), "7:1:pid:[1]");
      await utimes(dead.directory, 0, 0);
      expect(await sweepScratch(folder)).toBe(1);
      const left = await readdir(folder);
      expect(left.map((name) => join(folder, name)).toSorted()).toEqual(
        [alive.directory, foreign.directory].toSorted(),
      );
    },
  );
});

describe("the output file", () => {
  const lines = new JsonLines();
  lines.line({ bytes: Buffer.from('{"from":"line"}'), length: 15 });
  const asIs = (text: string): string => text;
  const path = (): string => join(folder, `output-${Math.random()}`);

  it.each([
    ['{"ok":true}\n', { ok: true }],
    ["just words\n", "just words"],
    ["", { from: "line" }],
  ])("with %j gives %j", async (content, expected) => {
    const file = path();
    await writeFile(file, content);
    expect((await readOutput(file, lines, asIs)).value).toEqual(expected);
  });

  it("may be missing: then the last JSON line counts, then nothing", async () => {
    expect((await readOutput(path(), lines, asIs)).value).toEqual({ from: "line" });
    expect((await readOutput(path(), new JsonLines(), asIs)).value).toBeNull();
  });

  it("is read up to 1 MiB", async () => {
    const file = path();
    await writeFile(file, "€".repeat(1_000_000));
    const { value, altered } = await readOutput(file, lines, asIs);
    expect(altered).toEqual(["cut"]);
    expect(String(value)).toMatch(/^€{349524}$/);
  });

  it("is never something else than a plain file", async () => {
    const link = path();
    await symlink("/etc/passwd", link);
    expect((await readOutput(link, lines, asIs)).value).toEqual({ from: "line" });
    expect((await readOutput(folder, lines, asIs)).value).toEqual({ from: "line" });
  });
});
