// The scanner the other tidy tests stand on: it must not be fooled by text that looks like code.

import { expect, test } from "vitest";

import { files } from "./repository.ts";
import { codeOf, importsOf, stringsOf, tokensOf } from "./source.ts";

const TRICKY = [
  'import type { Run } from "../domain/run.ts"; // import "not-this"',
  "/* import 'nor-this' */ export { a } from './a.ts';",
  'import "node:fs";',
  'import {\n  b,\n  c,\n} from "./b.ts";',
  'const lazy = await import("./lazy.ts");',
  'const said = "import \\"x\\" from \'y\'"; const url = "https://a.b//c";',
  "const t = `import '${join(`in ${'ner'}`, { a: { b: 1 } })}' from`; const d = a / b / c;",
  'const r = /["\'`/]/.exec(text) ?? /[/]"/; const e = (a + b) / 2; // "',
  'const last = "job";',
].join("\n");

test("finds imports, and nothing that only looks like one", () => {
  expect(importsOf(TRICKY)).toEqual([
    { specifier: "../domain/run.ts", line: 1, type: true },
    { specifier: "./a.ts", line: 2, type: false },
    { specifier: "node:fs", line: 3, type: false },
    { specifier: "./b.ts", line: 7, type: false },
    { specifier: "./lazy.ts", line: 8, type: false },
  ]);
});

test("keeps code, drops comments, strings, templates and regular expressions", () => {
  const code = codeOf(TRICKY);
  expect(code.split("\n")).toHaveLength(TRICKY.split("\n").length);
  expect(code).toContain("join(");
  expect(code).toContain("a / b / c");
  expect(code).toContain("(a + b) / 2");
  expect(code).not.toMatch(/not-this|nor-this|https|job|import '|["'`]/);
  expect(stringsOf(TRICKY).at(-1)).toEqual({ kind: "string", text: '"job"', line: 12 });
});

test("loses no character of any source file", () => {
  const sources = files.filter(({ path }) => /\.(?:ts|tsx|mjs)$/.test(path));
  for (const { path, text } of sources) {
    const joined = tokensOf(text).map((token) => token.text);
    expect(joined.join("") === text, path).toBe(true);
  }
  expect(sources.length).toBeGreaterThan(20);
});
