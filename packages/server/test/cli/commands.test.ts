// Every command that talks to a server: its JSON is the wire's, its text is harmless, its exit code
// is that of the table.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type {
  ApiKey,
  CreatedKey,
  Event,
  Explanation,
  Page,
  Project,
  Queue,
  Run,
  RunStatus,
  RunSummary,
} from "@signalbox/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Sandbox, until } from "./command.ts";

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await Sandbox.open();
  await sandbox.up();
});
afterAll(() => sandbox.close());

const submit = (...flags: string[]): Promise<RunSummary> =>
  sandbox.json<RunSummary>(["submit", "--agent", "nobody", ...flags]);

describe("runs", () => {
  test("submit sends what was given and nothing else", async () => {
    const flags = ["--input", '{"pr": 42}', "--priority", "high", "--tag", "a", "--tag", "b"];
    const more = ["--metadata", "team=core", "--max-attempts", "2", "--not-before", "1h"];
    const { id } = await submit(...flags, ...more);
    const run = await sandbox.json<Run>(["runs", "show", id]);
    expect(run).toMatchObject({
      agent: "nobody",
      input: { pr: 42 },
      priority: 60,
      tags: ["a", "b"],
      metadata: { team: "core" },
      max_attempts: 2,
      queue: "default",
      state: "pending",
    });
    expect(Date.parse(run.not_before ?? "") - Date.now()).toBeGreaterThan(3_000_000);
  });

  test("input comes from a file or stdin, and the same key is the same run", async () => {
    await writeFile(join(sandbox.folder, "input.json"), '{"from": "file"}');
    const file = await submit("--input", "@input.json");
    const args = ["submit", "--agent", "nobody", "--input", "-", "--key", "once"];
    const one = await sandbox.json<RunSummary>(args, { input: '{"from": "stdin"}' });
    const two = await sandbox.json<RunSummary>(args, { input: '{"from": "stdin"}' });
    expect(two.id).toBe(one.id);
    const inputs = [
      await sandbox.json<Run>(["runs", "show", file.id]),
      await sandbox.json<Run>(["runs", "show", one.id]),
    ].map(({ input }) => input);
    expect(inputs).toEqual([{ from: "file" }, { from: "stdin" }]);
  });

  test("list pages, explain, cancel; the beginning of an id is enough", async () => {
    const { id } = await submit("--tag", "paged");
    await submit("--tag", "paged");
    const first = await sandbox.json<Page<RunSummary>>([
      "runs",
      "list",
      "--tag",
      "paged",
      "--limit",
      "1",
    ]);
    const args = ["runs", "list", "--tag", "paged", "--cursor", String(first.next_cursor)];
    const second = await sandbox.json<Page<RunSummary>>(args);
    expect([first.has_more, second.has_more]).toEqual([true, false]);
    expect(second.items.map((run) => run.id)).toEqual([id]);
    const explanation = await sandbox.json<Explanation>(["runs", "explain", id]);
    expect(explanation).toMatchObject({ run_id: id, state: "pending" });
    expect(explanation.reasons.length).toBeGreaterThan(0);
    const status = await sandbox.json<RunStatus>(["runs", "cancel", id.slice(0, 28)]);
    expect(status).toMatchObject({ id, state: "cancelled" });
    const again = await sandbox.run(["runs", "cancel", id]);
    expect(again.code).toBe(1);
  });

  test("events of a run, and of the project after a number, one per line", async () => {
    const { id } = await submit();
    const lines = async (...args: string[]): Promise<Event[]> => {
      const { stdout } = await sandbox.run(["events", ...args, "--json"]);
      return stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Event);
    };
    const [submitted] = await lines(id);
    expect(submitted).toMatchObject({ type: "run.submitted", stream_id: id, seq: "1" });
    const feed = await lines("--after", String(Number(submitted?.feed) - 1));
    // What the house says of older runs may follow.
    expect(feed[0]).toEqual(submitted);
  });
});

describe("operators", () => {
  test("queues, projects and keys in the shapes of the wire", async () => {
    const paused = await sandbox.json<Queue>(["queues", "pause", "mail", "--reason", "a drill"]);
    expect(paused).toMatchObject({ name: "mail", pause_reason: "a drill" });
    const resumed = await sandbox.json<Queue>(["queues", "resume", "mail"]);
    expect(resumed.paused_at).toBeNull();
    const project = await sandbox.json<Project>(["projects", "create", "support"]);
    const { items } = await sandbox.json<Page<Project>>(["projects", "list"]);
    expect(items.map(({ name }) => name).toSorted()).toEqual(["default", "support"]);
    const made = await sandbox.json<CreatedKey>([
      "keys",
      "create",
      "build-7",
      "--role",
      "worker",
      "--role",
      "viewer",
      "--project",
      "support",
      "--expires",
      "30d",
    ]);
    expect(made).toMatchObject({ project_id: project.id, roles: ["worker", "viewer"] });
    const env = { SIGNALBOX_KEY: made.key };
    const own = await sandbox.json<Page<RunSummary>>(["runs", "list"], { env });
    expect(own.items).toEqual([]); // its own project, not `default`
    const revoked = await sandbox.json<ApiKey>(["keys", "revoke", made.id, "--project", "support"]);
    expect(revoked.revoked_at).not.toBeNull();
    const refused = await sandbox.run(["runs", "list"], { env });
    expect(refused.code).toBe(77);
  });

  test("the emergency stop needs a reason, and is lifted with one", async () => {
    const without = await sandbox.run(["stop"]);
    expect({ code: without.code, said: without.stderr }).toEqual({
      code: 64,
      said: "signalbox: This needs --reason.\n",
    });
    const stopped = await sandbox.json<Project>(["stop", "--reason", "a drill"]);
    expect(stopped.stop_reason).toBe("a drill");
    const { id } = await submit();
    const { reasons } = await sandbox.json<Explanation>(["runs", "explain", id]);
    expect(reasons.map(({ message }) => message).join()).toContain("a drill");
    const resumed = await sandbox.json<Project>(["resume", "--reason", "over"]);
    expect(resumed.stopped_at).toBeNull();
  });
});

describe("worker", () => {
  test("serves runs until SIGTERM, finishes the one it has, and gives none away", async () => {
    const worker = sandbox.start([
      "worker",
      "--agent",
      "echo",
      "--label",
      "rack=7",
      "--",
      "sh",
      "-c",
      'echo started; while [ ! -e go ]; do sleep 0.05; done; echo "{\\"n\\": $1}"',
      "sh",
      "{input.n}",
    ]);
    await worker.says(/serves echo/);
    const waiting = sandbox.start(["submit", "--agent", "echo", "--input", '{"n": 7}', "--wait"]);
    await worker.says(/#1 started/);
    const later = await sandbox.json<RunSummary>([
      "submit",
      "--agent",
      "echo",
      "--input",
      '{"n": 8}',
    ]);
    worker.process.kill("SIGTERM");
    await worker.says(/draining \(SIGTERM\): 1 runs may finish/);
    await writeFile(join(sandbox.folder, "go"), "");
    expect(await worker.ended).toMatchObject({ code: 0 });
    const { code, stdout } = await waiting.ended;
    expect({ code, output: JSON.parse(stdout) as unknown }).toEqual({ code: 0, output: { n: 7 } });
    const left = await sandbox.json<Run>(["runs", "show", later.id]);
    expect(left).toMatchObject({ state: "pending", attempts_used: 0 });
  });

  test("--wait tells how it ended, and watch follows to the same end", async () => {
    const worker = sandbox.start([
      "worker",
      "--agent",
      "wrong",
      "--",
      "sh",
      "-c",
      "echo why >&2; exit 2",
    ]);
    await worker.says(/serves wrong/);
    const ended = await sandbox.run(["submit", "--agent", "wrong", "--wait"]);
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr).toContain("why");
    const watched = await sandbox.run(["runs", "watch", "last"]);
    expect(watched.code).toBe(1);
    expect(watched.stdout).toMatch(/│ why\n[\s\S]*run\.failed[\s\S]* failed: /);
    worker.process.kill("SIGINT");
    expect((await worker.ended).code).toBe(0);
  });
});

describe("a run is named by its id, the beginning of one, or `last`", () => {
  test("by every command that takes one", async () => {
    const [older, newest] = [await submit("--tag", "named"), await submit("--tag", "named")];
    for (const args of [
      ["runs", "show", "last"],
      ["runs", "explain", "last"],
      ["runs", "cancel", "last"],
      ["runs", "watch", "last"],
      ["events", "last"],
    ]) {
      const { stdout, stderr } = await sandbox.run([...args, "--json"]);
      expect(stdout, `${args.join(" ")} ${stderr}`).toContain(newest.id);
      expect(stdout, args.join(" ")).not.toContain(older.id);
    }
    const killed = await sandbox.run(["runs", "kill", older.id, "--reason", "x", "--json"]);
    expect(killed.code).toBe(0);
    const short = await sandbox.run(["events", newest.id.slice(0, -1)]);
    expect(short).toMatchObject({ code: 0, stderr: "" });
    expect(short.stdout).toContain("run.submitted");
    const none = await sandbox.run(["events", "run_zz"]);
    expect(none).toMatchObject({ code: 66, stdout: "" });
    expect(none.stderr).toContain("No run begins with run_zz.");
  });

  test("also where a new run refers to it, and in the help", async () => {
    const first = await submit("--tag", "named");
    const second = await submit("--depends-on", "last", "--parent-run", first.id.slice(0, -1));
    const run = await sandbox.json<Run>(["runs", "show", second.id]);
    expect(run).toMatchObject({ parent_run: first.id, depends_on: [first.id] });
    for (const words of [["events"], ["runs", "show"], ["runs", "kill"], ["submit"]]) {
      const { stdout } = await sandbox.run([...words, "--help"]);
      expect(stdout, words.join(" ")).toContain("`last`");
    }
  });
});

describe("text from outside", () => {
  const hostile = "\u001b]0;title\u0007\u001b[2J\u001b[31mred\u001b[0m\rfake \u202egnp.exe\u009b1m";
  // oxlint-disable-next-line no-control-regex -- they are what must not be there
  const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

  test("cannot reach the terminal, by whatever field it comes", async () => {
    const run = await sandbox.json<Run>([
      "run",
      "--tag",
      "t\u202ex",
      "--",
      "printf",
      "%s\\n",
      hostile,
    ]);
    await submit("--metadata", `command=${hostile}`, "--tag", "hostile");
    for (const args of [
      ["runs", "list"],
      ["runs", "show", run.id],
      ["runs", "show", "last"],
      ["runs", "watch", run.id],
      ["events", run.id],
      ["events"],
    ]) {
      const { code, stdout, stderr } = await sandbox.run(args);
      expect(code, args.join(" ")).toBe(0);
      expect(unsafe.exec(stdout + stderr), args.join(" ")).toBeNull();
    }
    const { stdout } = await sandbox.run(["runs", "watch", run.id]);
    expect(stdout).toContain("\\x1b]0;title\\x07\\x1b[2Jred\\x0dfake \\u202egnp.exe\\x9b1m");
  });

  test("keeps its value in JSON, whose bytes are harmless too", async () => {
    const { stdout } = await sandbox.run(["runs", "list", "--tag", "hostile", "--json"]);
    expect(unsafe.exec(stdout)).toBeNull();
    const { items } = JSON.parse(stdout) as Page<RunSummary>;
    expect(items[0]?.metadata["command"]).toBe(hostile);
  });
});

describe("refusals", () => {
  test.each([
    [["submit", "--priority", "urgent"], 65, "priority"],
    [["submit", "--input", "{not json"], 64, "--input is not JSON"],
    [["submit", "--input", "@no-such-file"], 66, "no-such-file"],
    [["submit", "--max-attempts", "0"], 64, "--max-attempts must be"],
    [["submit", "--not-before", "tomorrow"], 64, "--not-before must be"],
    [["runs", "show", "run_00000000000000000000000000"], 66, "no run"],
    [["runs", "list", "--state", "done"], 64, "--state must be one of"],
    [["runs", "kill", "last"], 64, "--reason"],
    [["keys", "create", "k", "--role", "king"], 64, "--role must be one of"],
    [["runs", "lst"], 64, "Did you mean list?"],
    [["frobnicate"], 64, "unknown command"],
  ])("%j → %i", async (args, code, words) => {
    const ended = await sandbox.run(args);
    expect(ended.code).toBe(code);
    expect(ended.stdout).toBe("");
    expect(ended.stderr).toContain(words);
  });

  test("with --json they are one object on stderr", async () => {
    const { code, stdout, stderr } = await sandbox.run(["submit", "--priority", "x", "--json"]);
    expect({ code, stdout }).toEqual({ code: 65, stdout: "" });
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: "validation_failed", exit_code: 65, errors: [{ field: "priority" }] },
    });
  });

  test("an address nobody listens on, and a key that is wrong", async () => {
    const key = (await readFile(sandbox.path("cli.key"), "utf8")).trim();
    const env = { SIGNALBOX_URL: "http://127.0.0.1:9", SIGNALBOX_KEY: key };
    const nobody = await sandbox.run(["runs", "show", "last"], { env });
    expect({ code: nobody.code, lines: nobody.stderr.split("\n").length }).toEqual({
      code: 69,
      lines: 2,
    });
    const wrong = await sandbox.run(["runs", "list"], { env: { SIGNALBOX_KEY: `${key}x` } });
    expect(wrong.code).toBe(77);
  });
});

test("help is on stdout, with examples, and is success", async () => {
  const all = await sandbox.run(["--help"]);
  const one = await sandbox.run(["runs", "list", "--help"]);
  expect([all.code, one.code]).toEqual([0, 0]);
  expect(all.stdout).toMatch(/\bup\b[\s\S]*\bdemo\b[\s\S]*\bdoctor\b/);
  expect(one.stdout).toMatch(/Usage: signalbox runs list[\s\S]*Examples:\n {2}\$ signalbox runs/);
});

test("list ends quietly when its reader has had enough", async () => {
  const started = sandbox.start(["events", "-f"]);
  await started.says(/run\.submitted/);
  started.process.stdout?.destroy();
  await sandbox.json<RunSummary>(["submit", "--agent", "nobody"]);
  const { code } = await until("it to end", async () => started.ended);
  expect(code).toBe(0);
});
