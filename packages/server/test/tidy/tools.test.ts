// The tools that judge us are judged here: each is run on input for which it must say no.

import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { root } from "./repository.ts";

let place = "";
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "signalbox-tools-"));
  cpSync(join(root, "tools"), join(place, "tools"), { recursive: true });
  cpSync(join(root, "docs/adr"), join(place, "docs/adr"), { recursive: true });
  cpSync(join(root, ".oxfmtrc.json"), join(place, ".oxfmtrc.json"));
  symlinkSync(join(root, "node_modules"), join(place, "node_modules"));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

function run(script: string, ...args: string[]) {
  const { status, stdout } = spawnSync(process.execPath, [join("tools", script), ...args], {
    cwd: place,
    encoding: "utf8",
  });
  return { status, lines: stdout.trimEnd().split("\n") };
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(place, path)), { recursive: true });
  writeFileSync(join(place, path), text);
}

describe("count-results", () => {
  const counted = (
    checks: unknown,
    checkCode: number,
    tests: unknown,
    testCode: number,
  ): { status: number | null; last: string | undefined; said: number } => {
    write("check.json", JSON.stringify(checks) ?? "");
    write("tests.json", JSON.stringify(tests) ?? "");
    const args = ["check.json", String(checkCode), "tests.json", String(testCode)];
    const { status, lines } = run("count-results.mjs", ...args);
    return { status, last: lines.at(-1), said: lines.length };
  };
  const good = [{ passed: true }, { passed: true }];
  const bad = [{ passed: true }, { passed: false }];
  const file = (status: string, assertionResults: unknown[] = [{}]) => ({
    status,
    assertionResults,
  });
  const report = (numPassedTests: number, numFailedTests: number, ...testResults: unknown[]) => ({
    numPassedTests,
    numFailedTests,
    testResults,
  });

  test("adds checks and tests", () => {
    const outcome = counted(good, 0, report(40, 0, file("passed")), 0);
    expect(outcome).toEqual({ status: 0, last: "42 passed, 0 failed", said: 1 });
  });

  test.each([
    ["a failed check", bad, 1, report(40, 0), 0, "41 passed, 1 failed"],
    ["failed tests", good, 0, report(38, 2, file("failed")), 1, "40 passed, 2 failed"],
    ["a file that did not load", good, 0, report(9, 0, file("failed", [])), 1, "11 passed, 1 fai"],
    ["no test report", good, 0, undefined, 1, "2 passed, 1 failed"],
    ["no test report, exit code 0", good, 0, undefined, 0, "2 passed, 1 failed"],
    ["no check report", undefined, 1, report(40, 0), 0, "40 passed, 1 failed"],
    ["an exit code nobody explains", good, 0, report(40, 0), 1, "42 passed, 1 failed"],
    ["a timeout", good, 0, report(40, 0), 124, "42 passed, 1 failed"],
  ])("counts %s as failure", (_what, checks, checkCode, tests, testCode, last) => {
    const outcome = counted(checks, checkCode, tests, testCode);
    expect(outcome.status).toBe(1);
    expect(outcome.last?.startsWith(last)).toBe(true);
  });
});

describe("generate", () => {
  test("--check names a stale file, without it the file is written", () => {
    expect(run("generate.mjs").status).toBe(0);
    expect(run("generate.mjs", "--check").status).toBe(0);
    const index = join(place, "docs/adr/README.md");
    const fresh = readFileSync(index, "utf8");
    write("docs/adr/README.md", `${fresh}\nby hand\n`);
    const { status, lines } = run("generate.mjs", "--check");
    expect({ status, last: lines.at(-1) }).toEqual({
      status: 1,
      last: "stale, run `npm run generate`: docs/adr/README.md",
    });
    expect(run("generate.mjs").status).toBe(0);
    expect(readFileSync(index, "utf8")).toBe(fresh);
  });
});

describe("copy-assets", () => {
  test("copies what is not TypeScript and removes what has no source", () => {
    write("packages/server/src/store/migrations/0001_new.sql", "select 1;");
    write("packages/server/src/cli/main.ts", "export {};");
    write("packages/server/dist/cli/main.js", "export {};");
    write("packages/server/dist/cli/old-name.js", "export {};");
    write("packages/server/dist/store/migrations/0001_old.sql", "select 0;");
    write("packages/server/dist/dashboard/index.html", "<html>");
    write("packages/server/dist/.tsbuildinfo", "{}");
    expect(run("copy-assets.mjs").status).toBe(0);
    const there = (path: string): boolean => existsSync(join(place, "packages/server/dist", path));
    expect({
      copied: there("store/migrations/0001_new.sql"),
      kept: there("cli/main.js") && there("dashboard/index.html") && there(".tsbuildinfo"),
      stale: there("cli/old-name.js") || there("store/migrations/0001_old.sql"),
    }).toEqual({ copied: true, kept: true, stale: false });
  });
});
