// A child that met a limit of its provider: by its own file, or by what it printed before its end.
// Promises: real children; the reader of limits is a plain one that knows one sentence.
// Leaves to others: reading real notices (the server's parser), reports (worker/exhausted.test.ts).

import { describe, expect, it } from "vitest";
import { AttemptAborted } from "../../src/worker/errors.ts";
import type { PrintedNotice, ProcessOptions, ReadLimit } from "../../src/worker/process/index.ts";
import { LimitSigns } from "../../src/worker/process/limit-signs.ts";
import type { EventSubmission } from "../../src/wire.ts";
import { childKey, limitOf, setAttemptStage } from "./attempt-stage.ts";
import type { Ended } from "./attempt-stage.ts";

const stage = setAttemptStage();

const readLimit: ReadLimit = ({ message }) => ({
  reason: message.includes("LIMIT REACHED") ? "quota" : "none",
});
const run = (script: string, options: Partial<ProcessOptions> = {}): Promise<Ended> =>
  stage.begin(script, { readLimit, ...options }).ended;
const warnings = ({ events }: Ended): unknown[] =>
  events.flatMap(({ data }) => (data?.["level"] === "warning" ? data["text"] : []));

describe("a child that failed", () => {
  it("with a limit on stderr is exhausted: raw, for the server to read; facts go too", async () => {
    const ended = await run("echo one; echo 'LIMIT REACHED, resets 3pm' >&2; exit 7");
    expect(limitOf(ended)).toEqual({
      status: null,
      headers: {},
      message: "LIMIT REACHED, resets 3pm\n",
    });
    expect(ended.facts).toMatchObject({ exit_code: 7, signal: null });
  });

  it("by a signal is, too", async () => {
    const ended = await run("echo LIMIT REACHED >&2; kill -KILL $$");
    expect(limitOf(ended)).toMatchObject({ message: "LIMIT REACHED\n" });
  });

  it("with a limit on stdout is, when stderr says nothing of it", async () => {
    const ended = await run("echo LIMIT REACHED; echo stack >&2; exit 1");
    expect(limitOf(ended)).toMatchObject({ message: "LIMIT REACHED" });
  });

  it("without one is a failure as ever", async () => {
    const ended = await run("echo no space >&2; exit 1");
    expect(limitOf(ended)).toBeNull();
    expect(ended.error).toMatchObject({ name: "ChildFailed", code: "exit_1" });
  });

  it("is a failure too when nobody reads limits, or the reader itself fails", async () => {
    const script = "echo LIMIT REACHED >&2; exit 1";
    const unread = await stage.begin(script).ended;
    const broken = await run(script, {
      readLimit: () => {
        throw new Error("a mistake");
      },
    });
    expect([unread.error?.code, broken.error?.code]).toEqual(["exit_1", "exit_1"]);
  });

  it("is read the last 16 KiB of stderr, and the last 40 lines of stdout", async () => {
    const seen: PrintedNotice[] = [];
    const script = `seq 1 100; yes filling | head -n 5000 >&2; exit 1`;
    await run(script, {
      readLimit: (notice) => {
        seen.push(notice);
        return { reason: "none" };
      },
    });
    expect(seen).toHaveLength(2);
    expect(seen[0]?.message).toHaveLength(16 * 1024);
    expect(seen[1]?.message.split("\n")).toEqual(Array.from({ length: 40 }, (_, n) => `${n + 61}`));
  });

  it("passes on the instant that only this machine knows", async () => {
    const recoveryAt = "2026-11-21T15:00:00.000Z";
    const ended = await run("echo resets 3pm >&2; exit 1", {
      readLimit: () => ({ reason: "quota", recoveryAt }),
    });
    expect(limitOf(ended)).toMatchObject({ message: "resets 3pm\n", recovery_at: recoveryAt });
  });

  it("does not tell its key", async () => {
    const ended = await run('echo "LIMIT REACHED $SIGNALBOX_ATTEMPT_KEY" >&2; exit 1');
    expect(limitOf(ended)?.message).toBe("LIMIT REACHED [redacted]\n");
    expect(JSON.stringify(ended)).not.toContain(childKey);
  });
});

it("exit 0 is completion, whatever was printed or written", async () => {
  const script = `echo LIMIT REACHED | tee /dev/stderr
    echo '{"reason":"quota"}' > $SIGNALBOX_LIMIT`;
  const ended = await run(script);
  expect(ended.error).toBeUndefined();
  expect(ended.output).toBeNull();
});

it("a child that we ended says nothing about its provider", async () => {
  const script = `trap 'echo LIMIT REACHED >&2; exit 1' TERM
    echo '{"reason":"quota"}' > $SIGNALBOX_LIMIT; echo on; while :; do sleep 0.02; done`;
  const { abort, ended } = stage.begin(script, {
    ...stage.patient,
    readLimit,
    onOutput: () => abort.abort(new AttemptAborted("cancel")),
  });
  expect((await ended).error).toMatchObject({ code: "exit_1" });
});

describe("a child that speaks in JSON lines", () => {
  const said = "LIMIT REACHED";
  const printing = (...lines: object[]): Promise<Ended> => {
    const text = lines.map((line) => JSON.stringify(line)).join("\n");
    return run(`cat <<'END'\n${text}\nEND\nexit 1`);
  };

  it.each<[string, object]>([
    ["an error", { type: "error", message: said }],
    ["a result that is an error", { type: "result", is_error: true, result: said }],
    ["a turn with an error", { type: "turn.failed", error: { message: said } }],
    ["a limit", { type: "x", rate_limit_info: { status: "rejected", note: said } }],
    ["a wrapped error", { id: "0", msg: { type: "error", message: said } }],
  ])("is read when it says %s", async (_what, line) => {
    const ended = await printing({ type: "system" }, line, { type: "end" });
    expect(limitOf(ended)).toMatchObject({ message: JSON.stringify(line) });
  });

  it.each<[string, object]>([
    ["its own words", { type: "assistant", message: { content: [{ text: said }] } }],
    ["its own words with an error", { type: "assistant", text: said, error: { a: 1 } }],
    ["a message", { type: "message", error: { text: said } }],
    ["what a tool gave it", { type: "user", tool_use_result: said, is_error: true, error: {} }],
    ["an item of work", { type: "item.completed", item: { text: said }, error: { a: 1 } }],
    ["a result that is none", { type: "result", is_error: false, result: said }],
    ["how much is left", { type: "x", rate_limit_info: { status: "allowed", note: said } }],
  ])("is not taken at %s", async (_what, line) => {
    const ended = await printing({ type: "system" }, line);
    expect(limitOf(ended)).toBeNull();
  });

  it("is not taken at plain lines either: they are not its own", async () => {
    const ended = await run(`echo '{"type":"system"}'; echo ${said}; exit 1`);
    expect(limitOf(ended)).toBeNull();
  });

  it("is still read on stderr", async () => {
    const ended = await run(`echo '{"type":"system"}'; echo ${said} >&2; exit 1`);
    expect(limitOf(ended)).not.toBeNull();
  });

  it("is known as such by its adapter, too", async () => {
    const parseLine = (): EventSubmission[] => [];
    const ended = await run(`echo ${said}; exit 1`, { parseLine });
    expect(limitOf(ended)).toBeNull();
  });
});

describe("signs of a limit", () => {
  const line = (text: string): Parameters<LimitSigns["line"]>[0] => {
    const bytes = Buffer.from(text);
    return { bytes, length: bytes.length };
  };

  it("are bounded: the newest are kept", () => {
    const signs = new LimitSigns(true);
    for (let n = 0; n < 1_000; n += 1) signs.line(line(`{"type":"error","n":${n}}`));
    const [text = ""] = signs.texts();
    expect(text.split("\n")).toHaveLength(64);
    expect(text.endsWith('{"type":"error","n":999}')).toBe(true);
    signs.line(line(`{"type":"error","long":"${"x".repeat(200_000)}"}`));
    expect(signs.texts()[0]).toHaveLength(16 * 1024);
  });

  describe("of windows, as Codex tells how full they are", () => {
    type Share = number | null;
    const codex = (primary: Share, secondary: Share = null, more: object = {}): object => {
      const window = (share: Share): object | null =>
        share === null ? null : { used_percent: share, window_minutes: 300, resets_in_seconds: 60 };
      const windows = { primary: window(primary), secondary: window(secondary) };
      const rate_limits = { ...windows, credits: null, ...more };
      return { type: "event_msg", payload: { type: "token_count", info: null, rate_limits } };
    };
    const rpc = (primary: Share, secondary: Share = null, more: object = {}): object => {
      const window = (share: Share): object | null =>
        share === null ? null : { usedPercent: share, windowDurationMins: 300, resetsAt: 9 };
      const windows = { primary: window(primary), secondary: window(secondary) };
      const rateLimits = { ...windows, credits: null, ...more };
      return { method: "account/rateLimits/updated", params: { rateLimits } };
    };
    const refused = { type: "error", message: "LIMIT REACHED" };
    const told = (...lines: object[]): object[] => {
      const signs = new LimitSigns(false);
      for (const one of lines) signs.line(line(JSON.stringify(one)));
      return signs.texts().flatMap((text) => text.split("\n").map((one) => JSON.parse(one)));
    };

    it.each<[string, object]>([
      ["the first", codex(100)],
      ["the second", codex(3, 100)],
      ["more than all of it", codex(104.5)],
      ["the plan's own", codex(100, null, { limit_id: "codex" })],
      ["nothing paid beyond it", codex(100, null, { credits: { has_credits: false } })],
      ["an update", rpc(100)],
      ["an update of the second", rpc(40, 100, { limitId: "codex" })],
      ["wrapped otherwise", { id: "1", msg: (codex(100) as { payload: object }).payload }],
    ])("count where one is used up: %s", (_what, one) => {
      expect(told({ type: "session_meta" }, one)).toEqual([one]);
    });

    it.each<[string, object]>([
      ["40 %", codex(40)],
      ["40 %, in an update", rpc(40, 12)],
      ["nearly all", codex(99.9, 99)],
      ["all, as a word", codex(null, null, { primary: { used_percent: "100" } })],
      ["all, of credits that go on", codex(100, null, { credits: { has_credits: true } })],
      ["the same in an update", rpc(100, null, { credits: { hasCredits: true } })],
      ["a plan without limits", rpc(100, null, { credits: { unlimited: true } })],
      ["all, of one model", codex(100, null, { limit_id: "codex_other", limit_name: "small" })],
      ["the same in an update", rpc(100, null, { limitId: "codex_other" })],
      ["no windows", codex(null)],
      ["none at all", { type: "event_msg", payload: { type: "token_count", rate_limits: null } }],
      ["words about it", { ...codex(100), type: "response_item" }],
      [
        "words of its own",
        { type: "event_msg", payload: { type: "agent_message", ...codex(100) } },
      ],
      ["an item of work", { method: "item/completed", params: { ...rpc(100), error: {} } }],
      ["a request", { id: 1, method: "account/rateLimits/read", params: rpc(100) }],
      ["a context that is full", { type: "event_msg", payload: { type: "x", used_percent: 100 } }],
    ])("are mere information otherwise: %s", (_what, one) => {
      expect(told({ type: "session_meta" }, one)).toEqual([]);
    });

    it("nor are plain lines signs where notifications were seen", () => {
      const signs = new LimitSigns(false);
      signs.chunk("stdout", Buffer.from("LIMIT REACHED"));
      signs.line(line('{"method":"turn/started","params":{}}'));
      expect(signs.texts()).toEqual([]);
    });

    it("only the newest counts, and it says whether a refusal before it is over", () => {
      expect(told(codex(100), codex(1))).toEqual([]);
      expect(told(codex(100), rpc(2))).toEqual([]);
      expect(told(codex(97), codex(100), codex(100, 3))).toEqual([codex(100, 3)]);
      expect(told(codex(97), refused)).toEqual([codex(97), refused]);
      expect(told(codex(100), refused, codex(1))).toEqual([refused, codex(1)]);
    });

    it("an error beside them is one, also as a notification", () => {
      const error = { message: "LIMIT REACHED", codexErrorInfo: "usageLimitExceeded" };
      const ended = { method: "error", params: { error, willRetry: false } };
      const event = { type: "event_msg", payload: { type: "error", ...error } };
      expect(told(ended, event)).toEqual([ended, event]);
      expect(told({ method: "turn/started", params: {} })).toEqual([]);
    });
  });

  it("are never lines that were cut, broken, or nested beyond reason", () => {
    const signs = new LimitSigns(true);
    signs.line({ bytes: Buffer.from('{"type":"error"}'), length: 600_000 });
    signs.line(line('{"type":"error"'));
    signs.line(line(`{"type":"error","deep":${"[".repeat(5_000)}${"]".repeat(5_000)}}`));
    expect(signs.texts()).toEqual([]);
  });
});

describe("$SIGNALBOX_LIMIT", () => {
  it("goes before everything that was printed", async () => {
    const ended = await run(`echo LIMIT REACHED >&2
      echo '{"reason":"billing","provider":"acme","recovery_in_ms":60000,"model":"m"}' \\
        > "$SIGNALBOX_LIMIT"; exit 1`);
    expect(limitOf(ended)).toEqual({
      reason: "billing",
      provider: "acme",
      recovery_in_ms: 60_000,
      model: "m",
    });
    expect(warnings(ended)).toEqual([]);
  });

  it("counts without a reader of limits, and raw: status, headers and message", async () => {
    const report = { status: 429, headers: { "Retry-After": 30 }, message: "slow down" };
    const script = `printf %s '${JSON.stringify(report)}' > "$SIGNALBOX_LIMIT"; exit 64`;
    const ended = await stage.begin(script).ended;
    const headers = { "retry-after": "30" };
    expect(limitOf(ended)).toEqual({ status: 429, headers, message: "slow down" });
  });

  it.each([
    ["no JSON", "limit reached", "holds no JSON object"],
    ["no object", "[1]", "holds no JSON object"],
    ["a reason that is none", '{"reason":"none"}', "names a reason that is none of"],
  ])("with %s is ignored with a warning, and what was printed counts", async (_what, text, why) => {
    const write = `printf %s '${text}' > "$SIGNALBOX_LIMIT"`;
    const failed = await run(`${write}; exit 1`);
    expect(failed.error?.code).toBe("exit_1");
    expect(warnings(failed)).toEqual([expect.stringContaining(`$SIGNALBOX_LIMIT ${why}`)]);
    const limited = await run(`${write}; echo LIMIT REACHED >&2; exit 1`);
    expect(limitOf(limited)).toMatchObject({ message: "LIMIT REACHED\n" });
  });

  it.each([
    ["an empty file", ': > "$SIGNALBOX_LIMIT"'],
    ["a pipe", 'mkfifo "$SIGNALBOX_LIMIT"'],
    ["a link", 'echo "{}" > other; ln -s "$PWD/other" "$SIGNALBOX_LIMIT"'],
  ])("that is %s is none", async (_what, script) => {
    const ended = await run(`${script}; exit 1`, { cwd: "fresh" });
    expect(ended.error?.code).toBe("exit_1");
    expect(warnings(ended)).toEqual([]);
  });
});

describe("what an adapter reads as consumption", () => {
  const parseLine = (line: string): EventSubmission[] => {
    const usage = { input_tokens: Number(line) };
    return [
      { type: "usage.recorded", usage },
      { type: "x.step", usage },
    ];
  };

  it("is reported as such; other events of the line stay events", async () => {
    const ended = await run("echo 7", { parseLine });
    expect(ended.usage).toEqual([{ input_tokens: 7 }, { input_tokens: 7 }]);
    expect(ended.events.map(({ type }) => type)).toEqual(["x.step"]);
  });

  it("and is none is said so, and costs no event", async () => {
    const ended = await run("echo 1.5", { parseLine });
    expect(ended.usage).toEqual([]);
    const types = ended.events.map(({ type }) => type);
    expect(types).toEqual(["x.usage.refused", "x.usage.refused", "x.step"]);
    expect(ended.events[0]?.data?.["reason"]).toMatch("input_tokens must be a whole number");
  });
});
