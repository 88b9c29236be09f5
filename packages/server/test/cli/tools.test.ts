// `doctor`, `db`, `completion`, the check of Node's version, and the demo.

import { execFileSync } from "node:child_process";
import { chmod, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Attempt, Page, Run, RunSummary } from "@signalbox/sdk";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { Sandbox } from "./command.ts";

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await Sandbox.open();
});
afterEach(() => sandbox.close());

type Checks = {
  verdict: string;
  checks: { check: string; verdict: string; todo: string | null }[];
};

describe("doctor", () => {
  test("finds nothing wrong with a server that runs, and looks into its database", async () => {
    await sandbox.up();
    const { verdict, checks } = await sandbox.json<Checks>(["doctor"]);
    expect(checks.filter((one) => one.verdict === "fail")).toEqual([]);
    expect(verdict).not.toBe("fail");
    const names = checks.map(({ check }) => check);
    expect(names).toEqual(
      expect.arrayContaining(["node", "holder", "server.key", "database.fsync", "database.roles"]),
    );
  });

  test("says what is wrong and what to do, and ends with 1", async () => {
    await sandbox.run(["run", "--", "true"]);
    await chmod(sandbox.path("owner.key"), 0o644);
    const env = { DATABASE_URL: "postgres://u:secret@127.0.0.1:1/db" };
    const { code, stdout } = await sandbox.run(["doctor", "--json"], { env });
    expect(code).toBe(1);
    const { checks } = JSON.parse(stdout) as Checks;
    const failed = checks.filter((one) => one.verdict === "fail").map(({ check }) => check);
    expect(failed).toEqual(["keys", "database"]);
    expect(checks.every(({ verdict, todo }) => (verdict === "ok") === (todo === null))).toBe(true);
    expect(stdout).not.toContain("secret");
  });
});

describe("db", () => {
  test("backup: refused while a server runs, else a folder that can be served", async () => {
    const server = await sandbox.up();
    const { id } = await sandbox.json<RunSummary>(["submit", "--agent", "nobody"]);
    const url = await sandbox.run(["db", "url"]);
    expect(url.stdout).toMatch(/^postgres:\/\/\S+\n$/);
    const refused = await sandbox.run(["db", "backup", "copy"]);
    expect(refused.code).toBe(75);
    expect(refused.stderr).toContain(`process ${server.process.pid}`);
    server.process.kill("SIGKILL"); // the backup replays what the crash left
    await server.ended;
    const copied = await sandbox.json<{ files: number }>(["db", "backup", "copy"]);
    expect(copied.files).toBeGreaterThan(100);
    const page = await sandbox.json<Page<RunSummary>>(["runs", "list", "--data", "copy"]);
    expect(page.items.map((run) => run.id)).toEqual([id]);
    const again = await sandbox.run(["db", "backup", "copy"]);
    expect(again.code).toBe(64);
    expect((await readdir(sandbox.folder)).toSorted()).toEqual([".signalbox", "copy"]);
    const stopped = await sandbox.run(["db", "url"]);
    expect(stopped.code).toBe(69);
  });
});

test("the completion scripts are scripts, and know the commands", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, stdout } = await sandbox.run(["completion", shell]);
    expect(code).toBe(0);
    expect(stdout).toContain("worker");
    expect(stdout).toContain("--concurrency");
    await writeFile(join(sandbox.folder, `${shell}.script`), stdout);
  }
  const script = [
    ". ./bash.script",
    'COMP_WORDS=(signalbox runs ""); COMP_CWORD=2; _signalbox; echo "${COMPREPLY[*]}"',
    'COMP_WORDS=(signalbox up --l); COMP_CWORD=2; _signalbox; echo "${COMPREPLY[*]}"',
  ].join("\n");
  const said = execFileSync("bash", ["-c", script], { cwd: sandbox.folder, encoding: "utf8" });
  expect(said).toBe(
    "list counts show watch cancel kill explain cancel-many\n--listen --log-level --log-format\n",
  );
  expect((await sandbox.run(["completion", "tcsh"])).code).toBe(64);
});

test("an old Node is told in one sentence, before anything is loaded", async () => {
  const pretend = join(sandbox.folder, "old.mjs");
  const versions = "{ value: { ...process.versions, node: '18.20.1' } }";
  await writeFile(pretend, `Object.defineProperty(process, "versions", ${versions});`);
  const ended = await sandbox.run(["--version"], { nodeArgs: ["--import", pretend] });
  expect(ended.code).toBe(78);
  expect(ended.stderr).toMatch(/^signalbox: This needs Node 20\.19 or newer.*\n$/);
});

type Demo = {
  ok: boolean;
  took_ms: number;
  expectations: { holds: boolean; says: string }[];
  runs: { run: Run; attempts: Attempt[] }[];
};

test("the demo: a dozen runs, one worker killed, every figure from the register", async () => {
  const demo = await sandbox.json<Demo>(["demo", "--exit"]);
  expect(demo.expectations.filter(({ holds }) => !holds)).toEqual([]);
  expect(demo.ok).toBe(true);
  expect(demo.runs.map(({ run }) => run.state)).toEqual(Array.from(demo.runs, () => "completed"));
  expect(demo.runs.length).toBeGreaterThanOrEqual(12);
  expect(new Set(demo.runs.map(({ run }) => run.agent)).size).toBeGreaterThanOrEqual(3);
  const lost = demo.runs.filter(({ attempts }) => attempts.some(({ state }) => state === "lost"));
  expect(lost).toHaveLength(1);
  expect(await readdir(sandbox.folder)).toEqual([]); // it leaves nothing behind
});

test("the demo stays when asked to: its dashboard, its fleet, and SIGTERM ends it", async () => {
  const demo = sandbox.start(["demo", "--stay"]);
  await demo.says(/login#sbl_\S+\n/, 90_000);
  const [, origin = ""] = /Its dashboard .*\n +(http:\S+)\/login#sbl_/.exec(demo.said()) ?? [];
  const page = await fetch(origin, { headers: { accept: "text/html" } });
  expect([page.status, page.headers.get("content-type")]).toEqual([
    200,
    "text/html; charset=utf-8",
  ]);
  const agents = await sandbox.run(["agents", "list"]);
  expect(agents.stdout).toContain("type-checker");
  demo.process.kill("SIGTERM");
  expect((await demo.ended).code).toBe(0);
  expect(await readdir(sandbox.folder)).toEqual([]);
});
