// The process handler with real children: what they are given, what they leave, what it means.

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AttemptAborted, PermanentError } from "../../src/worker/errors.ts";
import type { ProcessAttempt } from "../../src/worker/process/index.ts";
import { processHandler, supervisorKeeper } from "../../src/worker/process/index.ts";
import type { EventSubmission, Run } from "../../src/wire.ts";
import { childKey, killGraceMs, setAttemptStage, texts, traceparent } from "./attempt-stage.ts";
import type { Begun } from "./attempt-stage.ts";
import { living, statesOf, supervisorsOf, until, zoo } from "./zoo.ts";

const stage = setAttemptStage();
const begin = (...given: Parameters<typeof stage.begin>): Begun => stage.begin(...given);

describe("a child that ends", () => {
  it("with 0 completes; lines are events, facts are told, the folder goes", async () => {
    const ended = await begin("echo one; echo two >&2; echo '{\"n\":1}'; echo three").ended;
    expect(ended.output).toEqual({ n: 1 });
    expect(texts(ended)).toEqual(["one", '{"n":1}', "three"]);
    expect(texts(ended, "stderr")).toEqual(["two"]);
    expect(ended.facts).toMatchObject({ pid: expect.any(Number), exit_code: 0, signal: null });
    expect(await readdir(stage.folder)).toEqual([]);
  });

  it("completes with what it wrote to $SIGNALBOX_OUTPUT rather than what it printed", async () => {
    const script = 'echo \'{"n":1}\'; echo \'{"n":2}\' > "$SIGNALBOX_OUTPUT"';
    expect((await begin(script).ended).output).toEqual({ n: 2 });
  });

  it("completes with null when it says nothing", async () => {
    expect((await begin("exit 0").ended).output).toBeNull();
  });

  it.each([
    ["exit 1", "exit_1", true],
    ["exit 75", "exit_75", true],
    ["exit 143", "exit_143", true],
    ["exit 2", "exit_2", false],
    ["exit 64", "exit_64", false],
    ["no-such-command", "exit_127", false],
    ["kill -SEGV $$", "signal_SIGSEGV", true],
    ["kill -KILL $$", "signal_SIGKILL", true],
  ])("by `%s` fails with %s, retryable: %s", async (script, code, retryable) => {
    const { error, facts } = await begin(`echo last words >&2; ${script}`).ended;
    expect(error?.code).toBe(code);
    expect(error instanceof PermanentError).toBe(!retryable);
    expect(JSON.stringify(error?.detail)).toContain("last words");
    expect(facts.exit_code ?? facts.signal).toBe(
      /\d+$/.test(code) ? Number(code.slice(5)) : code.slice(7),
    );
  });

  it("may leave a grandchild that holds stdout: the exit decides", async () => {
    const { output } = await begin("sleep 3600 & echo '{\"done\":true}'; exit 0").ended;
    expect(output).toEqual({ done: true });
    expect(living(stage.mark)).toEqual([]);
  });

  it("may still be read for a moment by what it left", async () => {
    const ended = await begin("(sleep 0.1; echo late) & exit 0", { drainMs: 30_000 }).ended;
    expect(texts(ended)).toEqual(["late"]);
  });
});

describe("a child is given", () => {
  it("the environment and folder of the worker, without its secrets", async () => {
    process.env["SIGNALBOX_KEY"] = "sbx_worker_secret_0123456789";
    process.env["THEIR_LOGIN"] = "kept";
    try {
      const ended = await begin("pwd; env | sort; cat $SIGNALBOX_INPUT", {}, { pr: 7 }).ended;
      const printed = texts(ended).join("\n");
      expect(texts(ended)[0]).toBe(process.cwd());
      expect(printed).toContain("THEIR_LOGIN=kept");
      expect(printed).not.toContain("sbx_worker_secret");
      expect(printed).toContain(`SIGNALBOX_ATTEMPT_ID=${stage.mark}`);
      for (const told of [
        "RUN_ID=run_1",
        "ATTEMPT=2",
        `URL=${stage.peer.url}`,
        "SIDE_EFFECT_TOKEN=set_1",
      ]) {
        expect(printed).toContain(`SIGNALBOX_${told}\n`);
      }
      expect(printed).toContain(`TRACEPARENT=${traceparent}\n`);
      expect(printed.endsWith('{"pr":7}')).toBe(true);
    } finally {
      delete process.env["SIGNALBOX_KEY"];
      delete process.env["THEIR_LOGIN"];
    }
  });

  it("its key, which is taken out of whatever it prints", async () => {
    const script = `[ "$SIGNALBOX_ATTEMPT_KEY" = ${childKey} ] || exit 9
      echo "key $SIGNALBOX_ATTEMPT_KEY"; echo "{\\"key\\":\\"$SIGNALBOX_ATTEMPT_KEY\\"}"`;
    const ended = await begin(script).ended;
    expect(ended.output).toEqual({ key: "[redacted]" });
    expect(texts(ended)[0]).toBe("key [redacted]");
  });

  it("an empty folder of its own with cwd fresh, or the one named", async () => {
    const fresh = await begin("pwd; ls -A", { cwd: "fresh" }).ended;
    expect(texts(fresh)).toHaveLength(1);
    expect(String(texts(fresh)[0]).startsWith(stage.folder)).toBe(true);
    const named = await begin("pwd", { cwd: "/" }).ended;
    expect(texts(named)).toEqual(["/"]);
  });

  it("an empty stdin, or the input", async () => {
    expect(texts(await begin("cat; echo end").ended)).toEqual(["end"]);
    const json = await begin("cat", { stdin: "json" }, { pr: 7 }).ended;
    expect(json.output).toEqual({ pr: 7 });
    const unread = await begin("exec <&-; sleep 0.1", { stdin: "json" }, "x".repeat(200_000)).ended;
    expect(unread.output).toBeNull();
  });

  it("arguments filled from the input, and no shell between", async () => {
    const args = ["%s|", "{input.a}", "--b={input.b.c}"];
    const input = { a: "x; $(id) *", b: { c: 3 } };
    const ended = await begin("", { command: "printf", args }, input).ended;
    expect(texts(ended)).toEqual(["x; $(id) *|--b=3|"]);
    const missing = await begin("", { command: "printf", args }, {}).ended;
    expect(missing.error).toMatchObject({ name: "PermanentError", code: "invalid_input" });
  });
});

describe("a child that cannot be started", () => {
  it.each([
    ["is not there", { command: "/no/such/program" }, "ENOENT"],
    ["may not be executed", { command: "/etc/passwd" }, "EACCES"],
    ["has no working folder", { cwd: "/no/such/folder" }, "ENOENT"],
    ["has NUL in its arguments", { args: ["a\0b"] }, "ERR_INVALID_ARG_VALUE"],
    ["has too long arguments", { args: ["x".repeat(3_000_000)] }, "E2BIG"],
  ])("because it %s is a spawn_error, not retried", async (_why, options, errno) => {
    const { error } = await begin("", options).ended;
    expect(error).toMatchObject({ name: "PermanentError", code: "spawn_error", detail: { errno } });
    expect(await readdir(stage.folder)).toEqual([]);
  });

  it("makes later ones wait longer, and is told after ten within ten minutes", async () => {
    const loops: string[] = [];
    const options = {
      command: "/no/such/program",
      onCrashLoop: (why: string) => void loops.push(why),
    };
    const handler = processHandler({
      supervisor: stage.supervisor,
      baseMs: 1,
      capMs: 8,
      tempFolder: stage.folder,
      ...options,
    });
    const attempt = {
      id: stage.mark,
      run: { id: "run_1", input: null } as Run,
      childKey,
      signal: new AbortController().signal,
    } as ProcessAttempt;
    for (let i = 0; i < 10; i += 1) {
      expect(loops).toEqual([]);
      await expect(handler(attempt)).rejects.toThrow("was not found");
    }
    expect(loops).toEqual([expect.stringContaining("10 starts failed within 10 minutes")]);
  });
});

describe("a child that prints", () => {
  it("NUL and bytes that are not UTF-8 is logged and completed all the same", async () => {
    const script = String.raw`printf 'a\0b\xff\n'
      printf '{"k\\u0000":"\\ud800"}' > $SIGNALBOX_OUTPUT`;
    const ended = await begin(script).ended;
    expect(texts(ended)).toEqual(["a\u2400b\ufffd"]);
    expect(ended.output).toEqual({ "k\u2400": "\ufffd" });
    expect(ended.events.at(-1)).toEqual({
      type: "x.output.altered",
      data: { altered: ["sanitized"] },
    });
  });

  it("JSON nested too deep keeps its text", async () => {
    const script =
      "printf '%0.s[' {1..70} > $SIGNALBOX_OUTPUT; printf '%0.s]' {1..70} >> $SIGNALBOX_OUTPUT";
    const ended = await begin(script).ended;
    expect(ended.output).toBe("[".repeat(70) + "]".repeat(70));
    expect(ended.events.at(-1)?.data).toEqual({ altered: ["too_deep"] });
  });

  it("50 MB without a newline is one cut line, in bounded memory", async () => {
    const before = process.memoryUsage().rss;
    let highest = 0;
    const onOutput = (): void => {
      highest = Math.max(highest, process.memoryUsage().rss);
    };
    const ended = await begin("head -c 50000000 /dev/zero | tr '\\0' x", { onOutput }).ended;
    expect(ended.output).toBeNull();
    const [event] = ended.events;
    expect(ended.events).toHaveLength(1);
    expect(event?.data?.["truncated"]).toEqual({ text: 50_000_000 });
    expect(highest - before).toBeLessThan(64 * 1024 * 1024);
  });

  it("more than its log may hold keeps the beginning, counts the rest and completes", async () => {
    const ended = await begin("yes line | head -n 200000; echo '{\"ok\":1}'", { logBytes: 12_800 })
      .ended;
    expect(ended.output).toEqual({ ok: 1 });
    expect(texts(ended)).toHaveLength(100);
    expect(texts(ended)[0]).toBe("line");
    const gaps = ended.events.filter((event) => event.type === "x.log.dropped");
    const lines = gaps.map((gap) => Number(gap.data?.["lines"]));
    expect(lines).toEqual([1, 199_900]);
  });

  it("is heard raw by whoever wants to show it, even if that fails", async () => {
    const chunks: string[] = [];
    const onOutput = (stream: string, chunk: Buffer): void => {
      chunks.push(`${stream}:${chunk.toString()}`);
      throw new Error("the terminal is gone");
    };
    await begin("printf 'no newline'", { onOutput }).ended;
    expect(chunks).toEqual(["stdout:no newline"]);
  });

  it("lines that an adapter understands become its events", async () => {
    const parseLine = (line: string): EventSubmission[] | null =>
      line.startsWith("{") ? [{ type: "message.delta", data: { text: "hi" } }] : null;
    const ended = await begin("echo plain; echo '{}'", { parseLine }).ended;
    expect(ended.events.map((event) => event.type)).toEqual(["log.line", "message.delta"]);
  });
});

// Linux only: trees are found in /proc.
describe.skipIf(process.platform !== "linux")("an attempt that is told to end", () => {
  it.each(Object.entries(zoo))("leaves nothing of a child that %s", async (_habit, script) => {
    const { ended, abort } = begin(script);
    if (!script.endsWith("exit 0")) {
      const begun = (): boolean => living(stage.mark).length > 1 || statesOf(stage.mark) !== "";
      await until("it has begun", begun);
      abort.abort(new AttemptAborted("cancel"));
    }
    await ended;
    await until("nothing is left", () => living(stage.mark).length === 0);
  });

  it("keeps the output of a child that stops in good order after a cancel", async () => {
    const script =
      'trap \'echo "{\\"saved\\":1}"; exit 0\' TERM; echo on; while :; do sleep 0.02; done';
    const { ended, abort } = begin(script, {
      ...stage.patient,
      onOutput: () => abort.abort(new AttemptAborted("cancel")),
    });
    expect((await ended).output).toEqual({ saved: 1 });
  });

  it.each(["shutdown", "deadline"] as const)(
    "by %s is not completed by a child that exits with 0 because of it",
    async (kind) => {
      const script = "trap 'exit 0' TERM; echo on; while :; do sleep 0.02; done";
      const { ended, abort } = begin(script, {
        ...stage.patient,
        onOutput: () => abort.abort(new AttemptAborted(kind)),
      });
      expect((await ended).error).toMatchObject({ name: "AttemptAborted", kind });
    },
  );

  it("by the death of its supervisor is ended by the worker and given back", async () => {
    const other = supervisorKeeper({ killGraceMs });
    const options = {
      url: stage.peer.url,
      key: "sbx_k",
      runtime: "zoo",
      agents: [],
      heartbeatMs: 1_000,
    };
    const callbacks = { onDirective() {}, onFreeze() {}, onThaw() {}, onLost() {} };
    const before = supervisorsOf(process.pid);
    const otherKeeper = other(options, callbacks);
    const pid = supervisorsOf(process.pid).find((each) => !before.includes(each));
    const script = zoo["double forks and ignores SIGTERM"] ?? "";
    const { ended } = begin(script, { supervisor: other });
    await until("it has forked", () => living(stage.mark).length > 1);
    process.kill(pid ?? 0, "SIGKILL");
    expect((await ended).error).toMatchObject({ name: "AttemptAborted", kind: "shutdown" });
    expect(living(stage.mark)).toEqual([]);
    await otherKeeper.stop();
  });

  it("before it began starts nothing", async () => {
    const { ended, abort } = begin("touch $ZOO_FILE", {
      env: { ZOO_FILE: join(stage.folder, "ran") },
    });
    abort.abort(new AttemptAborted("lost"));
    expect((await ended).error).toBeInstanceOf(AttemptAborted);
    expect(await readdir(stage.folder)).toEqual([]);
  });
});

describe("the input file", () => {
  it("is readable by nobody else", async () => {
    const ended = await begin("stat -c %a $SIGNALBOX_INPUT $(dirname $SIGNALBOX_INPUT)").ended;
    expect(texts(ended)).toEqual(["600", "700"]);
  });

  it("does not outlive the attempt even if the child made its folder hard to remove", async () => {
    await writeFile(join(stage.folder, "kept"), "");
    await begin("cd $(dirname $SIGNALBOX_INPUT); mkdir -p a/b; chmod 500 a").ended;
    expect(await readdir(stage.folder)).toEqual(["kept"]);
    expect(await readFile(join(stage.folder, "kept"), "utf8")).toBe("");
  });
});
