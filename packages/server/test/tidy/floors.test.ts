// Imports point down. Checked twice: here from the import lines, and by the linter, whose rules
// are run against a small house built wrongly on purpose, so that neither can be a false green.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

import { floorFindings, floors } from "./floors.ts";
import { filesLike, finding, paths, root } from "./repository.ts";
import { codeOf, importsOf } from "./source.ts";

const SERVER = "packages/server/src/";

/** Each import that must be refused, by the file it stands in. `+` marks those that are allowed. */
const WRONG_HOUSE: Readonly<Record<string, readonly string[]>> = {
  "std/ids.ts": ["+node:crypto", "+./clock.ts", "node:fs", "../domain/run.ts", "pg"],
  "domain/run.ts": ["+../std/ids.ts", "+./event.ts", "../store/runs.ts", "node:crypto", "pg"],
  "domain/deep/event.ts": ["+../../std/ids.ts", "+../run.ts", "../../config.ts"],
  "store/runs.ts": [
    "+pg",
    "+node:fs",
    "+../domain/run.ts",
    "../engine/engine.ts",
    "../postgres/index.ts",
    "./house/sweep.ts",
    "fastify",
    "node:timers/promises",
  ],
  "store/house/sweep.ts": ["+pg", "+../runs.ts", "../../engine/engine.ts"],
  "engine/engine.ts": ["+../store/runs.ts", "../store/house/sweep.ts", "../http/app.ts", "pg"],
  "engine/services/sweeps/leases.ts": ["+../../../store/house/sweep.ts", "../../../cli/main.ts"],
  "engine/queries/fleet.ts": ["+../../store/house/sweep.ts", "../../http/app.ts"],
  "engine/queries/runs.ts": ["+../../store/runs.ts", "../../store/house/sweep.ts"],
  "http/app.ts": ["+fastify", "+../domain/run.ts", "../store/runs.ts", "../domain/decide.ts", "pg"],
  "postgres/index.ts": ["+node:net", "+../std/ids.ts", "../store/runs.ts", "../domain/run.ts"],
  "cli/main.ts": ["+../postgres/index.ts", "+../store/runs.ts", "+../config.ts"],
};

const refusals = Object.entries(WRONG_HOUSE).flatMap(([path, specifiers]) =>
  specifiers.filter((one) => !one.startsWith("+")).map((one) => `${path} ${one}`),
);

/** The text of a file of the wrong house: one import per line, each used. */
function textOf(specifiers: readonly string[]): string {
  const lines = specifiers.map((one, n) => `import { a${n} } from "${one.replace("+", "")}";`);
  return `${lines.join("\n")}\nexport const all = [${specifiers.map((_, n) => `a${n}`).join()}];\n`;
}

test("the server's imports point down", () => {
  const sources = filesLike(/^packages\/server\/src\/.*\.tsx?$/);
  expect(sources.length).toBeGreaterThan(20);
  expect(sources.flatMap(floorFindings)).toEqual([]);
});

test("every folder of the server is a known floor", () => {
  const folders = paths
    .filter((path) => path.startsWith(SERVER) && path.split("/").length > 4)
    .map((path) => path.split("/")[3] as string);
  expect(Object.keys(floors)).toEqual(expect.arrayContaining([...new Set(folders)]));
});

test("the SDK imports no package and stays inside itself", () => {
  const isomorphic = /^packages\/sdk\/src\/(?!worker\/)/;
  const findings = filesLike(/^packages\/sdk\/src\/.*\.ts$/).flatMap(({ path, text }) => {
    return importsOf(text)
      .map(({ specifier }) => specifier)
      .filter((one) => !one.startsWith("."))
      .filter((one) => isomorphic.test(path) || !one.startsWith("node:"))
      .map((one) => `${path} imports ${one}`);
  });
  expect(findings).toEqual([]);
});

/** What the law may not do: wait, read a clock, roll dice, know its process, speak. */
const IMPURE = new RegExp(
  [
    String.raw`(?<![.\w])(?:async|await|Promise|performance|console|globalThis)\b`,
    String.raw`(?<![.\w])(?:process\.|fetch\()`,
    String.raw`\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b`,
    String.raw`\bset(?:Timeout|Interval|Immediate)\b`,
  ].join("|"),
);
/** Read the clock of this machine. What is stored is dated by the database, the rest by `Clock`. */
const OWN_CLOCK = /\bnew Date\(\)|\bDate\(\)|\bDate\.now\b/;

function linesWith(folder: RegExp, pattern: RegExp): string[] {
  return filesLike(folder).flatMap((file) =>
    codeOf(file.text)
      .split("\n")
      .flatMap((line, n) => (pattern.test(line) ? [finding(file, n + 1, line.trim())] : [])),
  );
}

test("the law is pure, and no floor up to http reads a clock of its own", () => {
  expect(linesWith(/^packages\/server\/src\/domain\//, IMPURE)).toEqual([]);
  expect(linesWith(/^packages\/server\/src\/(?:store|engine|http)\//, OWN_CLOCK)).toEqual([]);
  for (const line of ["await x", "async () => 1", "new Date()", "process.pid", "fetch(url)"]) {
    expect(IMPURE.test(line), line).toBe(true);
  }
  expect(
    IMPURE.test("new Date(at); command.process.pid; await_tool(); awaitApproval(); fetched(x)"),
  ).toBe(false);
});

test("the table refuses a house built wrongly", () => {
  const found = Object.entries(WRONG_HOUSE).flatMap(([path, specifiers]) =>
    floorFindings({ path: SERVER + path, text: textOf(specifiers) }).map((line) =>
      line.replace(/^packages\/server\/src\/(\S+):\d+ imports (\S+): .*$/, "$1 $2"),
    ),
  );
  expect(found.toSorted()).toEqual(refusals.toSorted());
});

test("the linter refuses the same house", () => {
  const house = mkdtempSync(join(tmpdir(), "signalbox-floors-"));
  try {
    symlinkSync(join(root, "node_modules"), join(house, "node_modules"));
    writeFileSync(join(house, ".gitignore"), "node_modules\n");
    cpSync(join(root, ".oxlintrc.json"), join(house, ".oxlintrc.json"));
    for (const [path, specifiers] of Object.entries(WRONG_HOUSE)) {
      mkdirSync(dirname(join(house, SERVER, path)), { recursive: true });
      writeFileSync(join(house, SERVER, path), textOf(specifiers));
    }
    const found = lint(house).map(({ filename, line }) => {
      const path = filename.replaceAll("\\", "/").replace(SERVER, "");
      return `${path} ${WRONG_HOUSE[path]?.[line - 1]?.replace("+", "")}`;
    });
    expect(found.toSorted()).toEqual(refusals.toSorted());
  } finally {
    rmSync(house, { recursive: true, force: true });
  }
});

type Diagnostic = { code: string; filename: string; labels: { span: { line: number } }[] };

/** Runs the linter with our configuration and returns where `no-restricted-imports` spoke. */
function lint(folder: string): { filename: string; line: number }[] {
  const oxlint = join(root, "node_modules/oxlint/bin/oxlint");
  const args = [oxlint, "--format", "json", "packages"];
  let output: string;
  try {
    output = execFileSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  } catch (error) {
    output = (error as { stdout: string }).stdout; // findings make it end with exit code 1
  }
  const { diagnostics } = JSON.parse(output) as { diagnostics: Diagnostic[] };
  return diagnostics
    .filter(({ code }) => code.includes("no-restricted-imports"))
    .map(({ filename, labels }) => ({ filename, line: labels[0]?.span.line ?? 0 }));
}
