// Ceilings: how long a file, a line and a function may be, and how every file begins.
// (Functions and parameters are counted by the linter, which knows the syntax; here is shown that
// its rules are switched on.)

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

import { finding, filesLike, root } from "./repository.ts";

const MOST_LINES = 400;
const LONGEST_LINE = 100;

const sources = filesLike(/^packages\/[^/]+\/src\/.*\.tsx?$/).filter(
  ({ path }) => !path.includes(".gen."),
);
const written = filesLike(/^(?:packages|tools|bench|examples)\/.*\.(?:tsx?|mjs|sql)$/).filter(
  ({ path }) => !path.includes(".gen.") && !path.includes("/fixtures/"),
);

/** How many lines of comment a text opens with, a `#!` line aside. */
function headerLines(text: string): number {
  const lines = text.split("\n");
  if (lines[0]?.startsWith("#!")) lines.shift();
  const end = lines.findIndex((line) => !/^(?:\/\/|--|\/\*| \*)/.test(line));
  return end < 0 ? lines.length : end;
}

describe("every source file", () => {
  test(`has at most ${MOST_LINES} lines`, () => {
    const tooLong = sources
      .map((file) => ({ file, lines: file.text.trimEnd().split("\n").length }))
      .filter(({ lines }) => lines > MOST_LINES)
      .map(({ file, lines }) => finding(file, lines, `has ${lines} lines`));
    expect(sources.length).toBeGreaterThan(20);
    expect(tooLong).toEqual([]);
  });

  test("opens with 2 to 8 lines that say what it is", () => {
    const silent = sources
      .map((file) => ({ file, lines: headerLines(file.text) }))
      .filter(({ lines }) => lines < 2 || lines > 8)
      .map(({ file, lines }) => finding(file, 1, `opens with ${lines} lines of comment`));
    expect(silent).toEqual([]);
  });
});

describe("every file we write, tests and SQL included", () => {
  test(`has lines of at most ${LONGEST_LINE} characters, without trailing blanks or tabs`, () => {
    const findings = written.flatMap((file) =>
      file.text.split("\n").flatMap((line, n) => {
        const found: string[] = [];
        if (Array.from(line).length > LONGEST_LINE) found.push(finding(file, n + 1, "is too long"));
        if (/\s$/.test(line)) found.push(finding(file, n + 1, "ends with blanks"));
        if (line.includes("\t")) found.push(finding(file, n + 1, "holds a tab"));
        return found;
      }),
    );
    expect(findings).toEqual([]);
  });

  test("opens with a comment", () => {
    const silent = written.filter(({ text }) => headerLines(text) === 0);
    expect(silent.map(({ path }) => path)).toEqual([]);
  });
});

test("the linter counts lines, functions and parameters", () => {
  const text = readFileSync(join(root, ".oxlintrc.json"), "utf8");
  const { rules } = JSON.parse(text) as { rules: Record<string, [string, { max: number }]> };
  expect(rules).toMatchObject({
    "eslint/max-lines": ["error", { max: MOST_LINES }],
    "eslint/max-lines-per-function": ["error", { max: 70 }],
    "eslint/max-params": ["error", { max: 4 }],
  });
});

test("the header rule bites", () => {
  expect(headerLines("// a\n// b\n\ncode")).toBe(2);
  expect(headerLines("#!/usr/bin/env node\n// a\n// b\n")).toBe(2);
  expect(headerLines("import x;\n// a")).toBe(0);
  expect(headerLines("-- a\n-- b\n-- c\ncreate table x ();")).toBe(3);
});
