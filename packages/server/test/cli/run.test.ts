// `signalbox run -- <command>`: a command as a run, with and without a server that stays.

import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page, Run, RunSummary } from "@signalbox/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { isAlive, Sandbox, until } from "./command.ts";

let sandbox: Sandbox;

const last = (): Promise<Run> => sandbox.json<Run>(["runs", "show", "last"]);

/** The number that a command wrote into a file once it ran. */
function numberIn(file: string): Promise<number> {
  const path = join(sandbox.folder, file);
  return until(file, async () => {
    const text = existsSync(path) ? await readFile(path, "utf8") : "";
    return text.endsWith("\n") ? Number(text) : undefined;
  });
}

describe("in an empty folder, with nothing running", () => {
  beforeAll(async () => {
    sandbox = await Sandbox.open();
  });
  afterAll(() => sandbox.close());

  test("prints what the command prints, and leaves a completed run in the register", async () => {
    const ended = await sandbox.run(["run", "--", "sh", "-c", "echo hi; echo aside >&2"]);
    expect(ended).toMatchObject({ code: 0, stdout: "hi\n", stderr: "aside\n" });
    const { items } = await sandbox.json<Page<RunSummary>>(["runs", "list"]);
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ state: "completed", max_attempts: 1, attempts_used: 1 });
    expect(sandbox.serves).toBe(false);
  });

  test("two at once share a server; the one that stays takes over", async () => {
    const wait = (name: string): string[] => [
      "run",
      "--",
      "sh",
      "-c",
      `echo $$ > ${name}.pid; while [ ! -e ${name}.go ]; do sleep 0.1; done; echo ${name} done`,
    ];
    const first = sandbox.start(wait("first"));
    await numberIn("first.pid");
    const second = sandbox.start(wait("second"));
    await numberIn("second.pid");
    const before = await sandbox.serverFile();
    expect(before).toMatchObject({ brief: true, pid: first.process.pid });
    await writeFile(join(sandbox.folder, "first.go"), "");
    expect(await first.ended).toMatchObject({ code: 0, stdout: "first done\n" });
    const after = await until("the second to serve", async () => {
      const file = sandbox.serves ? await sandbox.serverFile() : undefined;
      return file?.pid === second.process.pid ? file : undefined;
    });
    expect(after.url).toBe(before.url);
    await writeFile(join(sandbox.folder, "second.go"), "");
    expect(await second.ended).toMatchObject({ code: 0, stdout: "second done\n" });
    expect(await last()).toMatchObject({ state: "completed", attempts_used: 1 });
    expect(sandbox.serves).toBe(false);
  });

  test("kill -9 of the command line takes the command along", async () => {
    const started = sandbox.start(["run", "--", "sh", "-c", "echo $$ > orphan.pid; sleep 300"]);
    const child = await numberIn("orphan.pid");
    started.process.kill("SIGKILL");
    await started.ended;
    await until("the command to end", () => (isAlive(child) ? undefined : true));
    // Its lease stands for a minute more; the next server takes it back and keeps the record.
    const run = await last();
    expect(["claimed", "running"]).toContain(run.state);
    expect(run.attempts_used).toBe(1);
  });
});

describe("with a server that stays", () => {
  beforeAll(async () => {
    sandbox = await Sandbox.open();
    await sandbox.up();
  });
  afterAll(() => sandbox.close());

  test("passes on the exit code, and signals as 128 + number", async () => {
    const [seven, killed] = [
      await sandbox.run(["run", "--", "sh", "-c", "exit 7"]),
      await sandbox.run(["run", "--", "sh", "-c", "kill -9 $$"]),
    ];
    expect({ seven: seven.code, killed: killed.code }).toEqual({ seven: 7, killed: 137 });
    expect(await last()).toMatchObject({ state: "failed", error: { code: "signal_SIGKILL" } });
  });

  test("a command that does not exist: 127, one sentence, a failed run", async () => {
    const ended = await sandbox.run(["run", "--", "no-such-command-at-all"]);
    expect(ended.code).toBe(127);
    expect(ended.stdout).toBe("");
    expect(ended.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(ended.stderr).toContain("no-such-command-at-all was not found");
    expect(await last()).toMatchObject({ state: "failed", error: { code: "spawn_error" } });
  });

  test("a command that cannot be executed: 126", async () => {
    await writeFile(join(sandbox.folder, "plain"), "no program", { mode: 0o644 });
    const ended = await sandbox.run(["run", "--", "./plain"]);
    expect(ended.code).toBe(126);
  });

  test("the command finds input, folder and environment, and no key of ours", async () => {
    const script = 'cat "$SIGNALBOX_INPUT"; echo; pwd; echo "mine=$MINE $1"; env >&2';
    const key = (await readFile(sandbox.path("cli.key"), "utf8")).trim();
    const args = ["run", "--input", '{"pr": 42}', "--", "sh", "-c", script, "sh", "{input.pr}"];
    const ended = await sandbox.run(args, { env: { MINE: "kept", SIGNALBOX_KEY: key } });
    expect(ended.stdout).toBe(`{"pr":42}\n${sandbox.folder}\nmine=kept 42\n`);
    expect(ended.stderr).toContain("SIGNALBOX_RUN_ID=run_");
    // A path is put right behind it: `$SIGNALBOX_URL/v1/…`.
    expect(ended.stderr).toMatch(/^SIGNALBOX_URL=http:\/\/127\.0\.0\.1:\d+$/m);
    expect(ended.stderr).not.toContain(key);
    expect((await last()).input).toEqual({ pr: 42 });
  });

  test("with --json stdout is the record alone, and the command's output is in it", async () => {
    const command = ["sh", "-c", "echo noise; echo '{\"answer\": 42}'"];
    const run = await sandbox.json<Run>(["run", "--", ...command]);
    expect(run).toMatchObject({ state: "completed", output: { answer: 42 } });
  });

  test("bytes pass through unchanged, also those that are no text", async () => {
    const file = join(sandbox.folder, "bytes.bin");
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
    await writeFile(file, bytes);
    const started = sandbox.start(["run", "--", "cat", file], { encoding: "binary" });
    const { code, stdout } = await started.ended;
    expect(code).toBe(0);
    expect(Buffer.from(stdout, "binary").equals(bytes)).toBe(true);
  });

  test("Ctrl-C cancels the run and ends the whole tree", async () => {
    const script = "sleep 300 & echo $! > grandchild; echo started; wait";
    const started = sandbox.start(["run", "--", "sh", "-c", script]);
    await started.says(/started/);
    const grandchild = await numberIn("grandchild");
    expect(isAlive(grandchild)).toBe(true);
    started.process.kill("SIGINT");
    expect((await started.ended).code).toBe(130);
    expect(isAlive(grandchild)).toBe(false);
    expect(await last()).toMatchObject({ state: "cancelled", end_cause: "cancel" });
  });

  test("a second Ctrl-C does not wait for a command that ignores the first", async () => {
    const script = "trap '' TERM INT; echo $$ > deaf.pid; while :; do sleep 0.2; done";
    const started = sandbox.start(["run", "--", "sh", "-c", script]);
    const child = await numberIn("deaf.pid");
    started.process.kill("SIGINT");
    const flagged = async (): Promise<true | undefined> =>
      (await last()).cancel_requested_at === null ? undefined : true;
    await until("the cancel to be recorded", flagged);
    // Two within half a second are one (npm repeats signals), so ask until it is heard.
    const asking = setInterval(() => started.process.kill("SIGINT"), 100);
    const { code } = await started.ended;
    clearInterval(asking);
    expect(code).toBe(130);
    await until("the tree to end", () => (isAlive(child) ? undefined : true));
    expect(await last()).toMatchObject({ state: "cancelled", end_cause: "kill" });
  });

  test("a reader that goes away ends the command", async () => {
    const started = sandbox.start([
      "run",
      "--",
      "sh",
      "-c",
      "while :; do echo line; sleep 0.05; done",
    ]);
    await started.says(/line/);
    started.process.stdout?.destroy();
    expect((await started.ended).code).toBe(141);
    expect(await last()).toMatchObject({ state: "cancelled" });
  });

  test("a run that somebody else kills is said to be so", async () => {
    const started = sandbox.start(["run", "--", "sh", "-c", "echo started; sleep 300"]);
    await started.says(/started/);
    const killed = await sandbox.run(["runs", "kill", "last", "--reason", "a drill"]);
    expect(killed.code).toBe(0);
    const ended = await started.ended;
    expect(ended.code).toBe(143);
    expect(ended.stderr).toContain("the run is cancelled: a drill");
  });

  test("no command: one sentence, exit 64", async () => {
    const ended = await sandbox.run(["run"]);
    expect(ended.code).toBe(64);
    expect(ended.stderr).toContain("missing required argument 'command'");
  });
});
