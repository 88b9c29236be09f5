// Documents: links that lead somewhere, decisions that are numbered, docstrings where others read.

import { posix } from "node:path";
import { describe, expect, test } from "vitest";

import { type File, finding, filesLike, paths } from "./repository.ts";
import { tokensOf } from "./source.ts";

const documents = filesLike(/\.md$/);

/** Text without code blocks and code spans, lines kept. */
function prose(text: string): string {
  const blank = (piece: string): string => piece.replaceAll(/[^\n]/g, " ");
  return text.replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, blank).replaceAll(/`[^`\n]*`/g, blank);
}

/** The anchors a renderer makes of the headings. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#{1,6} +(.+?) *$/gm)].map(([, heading]) => heading ?? "");
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(/\s/g, "-"),
  );
}

/** Links of a document that lead nowhere inside the repository. */
function brokenLinks(file: File): string[] {
  const links = [...prose(file.text).matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g)];
  return links.flatMap((link) => {
    const target = link[1] as string;
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return [];
    const line = file.text.slice(0, link.index).split("\n").length;
    const [path = "", anchor] = target.split("#");
    const full = path === "" ? file.path : posix.join(posix.dirname(file.path), path);
    const folder = full.replace(/\/$/, "");
    if (!paths.some((known) => known === folder || known.startsWith(`${folder}/`))) {
      return [finding(file, line, `links to ${target}, which does not exist`)];
    }
    const document = documents.find((one) => one.path === full);
    if (anchor === undefined || document === undefined) return [];
    return anchorsOf(document.text).includes(anchor)
      ? []
      : [finding(file, line, `links to ${target}, a heading that does not exist`)];
  });
}

/**
 * Exports without a docstring above them. A type derived from the constant right above it
 * (`(typeof states)[number]`) shares that one's.
 */
function undocumented(file: File): string[] {
  const tokens = tokensOf(file.text);
  return tokens.flatMap((token, n) => {
    if (token.kind !== "code") return [];
    const lines = token.text.split("\n");
    return lines.flatMap((line, at) => {
      const declared = /^export (?:async )?(const|function|class|type|interface|let) (\w+)/.exec(
        line,
      );
      if (declared === null || /= \(?typeof \w+\)?(?:\[number\])?;/.test(line)) return [];
      const above = lines.slice(0, at).join("").trim() === "" ? tokens[n - 1] : undefined;
      const documented = above?.kind === "comment" && above.text.startsWith("/**");
      return documented ? [] : [finding(file, token.line + at, `${declared[2]} has no docstring`)];
    });
  });
}

test("every relative link leads to a file and a heading", () => {
  expect(documents.length).toBeGreaterThan(5);
  expect(documents.flatMap(brokenLinks)).toEqual([]);
});

test("the changelog has a place for what comes next", () => {
  const [changelog] = filesLike(/^CHANGELOG\.md$/);
  expect(changelog?.text).toMatch(/^# Changelog\n/);
  expect(changelog?.text).toMatch(/^## \[Unreleased\]$/m);
});

test("decisions are numbered without gaps or doubles and have the template's parts", () => {
  const decisions = filesLike(/^docs\/adr\/\d{4}-[a-z0-9-]+\.md$/);
  const numbers = decisions.map(({ path }) => Number(path.slice(9, 13)));
  expect(numbers).toEqual(numbers.map((_, n) => n));
  for (const { path, text } of decisions) {
    const parts = [...text.matchAll(/^## (.+)$/gm)].map(([, part]) => part);
    expect(parts, path).toEqual(["Context", "Decision", "Rejected", "Consequences"]);
    expect(text, path).toMatch(/^Status: (?:accepted|proposed|superseded by \d{4}|template)\b/m);
    expect(text.split("\n").length, `${path} is one page`).toBeLessThanOrEqual(60);
  }
});

test("every export of std and domain has a docstring", () => {
  const floors = filesLike(/^packages\/server\/src\/(?:std|domain)\/.*\.ts$/);
  expect(floors.length).toBeGreaterThan(10);
  expect(floors.flatMap(undocumented)).toEqual([]);
});

describe("the rules bite", () => {
  test("broken links and headings are found, code is not read", () => {
    const text = "[a](../nowhere.md) `[b](x.md)` [c](https://x.y) [d](#here)\n\n# Here\n[e](#gone)";
    const found = brokenLinks({ path: "docs/invented.md", text });
    expect(found).toHaveLength(2 + 1);
  });

  test("missing docstrings are found, derived types are excused", () => {
    const text = [
      "/** Said. */\nexport const states = [1] as const;",
      "export type State = (typeof states)[number];",
      "// Not a docstring.\nexport function silent(): void {}",
      "export type Bare = { a: number };",
    ].join("\n");
    expect(undocumented({ path: "x.ts", text })).toEqual([
      "x.ts:5 silent has no docstring",
      "x.ts:6 Bare has no docstring",
    ]);
  });
});
