// One word per thing: names of files, identifiers and phrases that the house does not use.

import { describe, expect, test } from "vitest";

import { finding, files, filesLike, paths } from "./repository.ts";
import { codeOf } from "./source.ts";
import { BANNED_NAMES, BANNED_TEXT, bannedIn, TIDY, wordsOf } from "./words.ts";

const sources = filesLike(/^packages\/[^/]+\/(?:src|test)\/.*\.tsx?$/);

test("no file or folder has a name that says nothing", () => {
  const empty = paths.filter((path) =>
    path.split("/").some((part) => BANNED_NAMES.includes(part.replace(/\..*$/, "").toLowerCase())),
  );
  expect(empty).toEqual([]);
});

test("identifiers use the words of the glossary", () => {
  const speaking = sources.filter(({ path }) => !path.startsWith(TIDY));
  const findings = speaking.flatMap((file) => {
    const lines = codeOf(file.text).split("\n");
    return lines.flatMap((line, n) =>
      [...line.matchAll(/[A-Za-z_$][\w$]*/g)]
        .flatMap(([identifier]) => bannedIn(identifier))
        .map((what) => finding(file, n + 1, what)),
    );
  });
  expect(findings).toEqual([]);
});

test("no test is skipped or run alone without a reason beside it", () => {
  const findings = sources.flatMap((file) => {
    const said = file.text.split("\n");
    return codeOf(file.text)
      .split("\n")
      .flatMap((line, n) => {
        if (/\b(?:test|it|describe)(?:\.\w+)*\.only\b/.test(line)) {
          return [finding(file, n + 1, "runs alone")];
        }
        if (!/\b(?:test|it|describe)(?:\.\w+)*\.(?:skip|skipIf|todo|fails)\b/.test(line)) return [];
        const explained = said[n]?.includes("// ") || said[n - 1]?.trimStart().startsWith("// ");
        return explained ? [] : [finding(file, n + 1, "is skipped without a reason")];
      });
  });
  expect(findings).toEqual([]);
});

test("a switched-off lint rule says why", () => {
  const findings = files
    .filter(({ path }) => /\.(?:tsx?|mjs)$/.test(path) && !path.startsWith(TIDY))
    .flatMap((file) =>
      file.text.split("\n").flatMap((line, n) => {
        const off = /(?:oxlint|eslint)-disable|@ts-(?:ignore|expect-error|nocheck)/.test(line);
        return off && !/ -- \S|@ts-expect-error \S/.test(line)
          ? [finding(file, n + 1, "switches a rule off without saying why (` -- reason`)")]
          : [];
      }),
    );
  expect(findings).toEqual([]);
});

describe("phrases", () => {
  test.each(BANNED_TEXT)("none matches $pattern: $why", ({ pattern, files: where }) => {
    const findings = files
      .filter(({ path }) => where.test(path) && !path.startsWith(TIDY))
      .flatMap((file) =>
        file.text
          .split("\n")
          .flatMap((line, n) =>
            pattern.test(line) ? [finding(file, n + 1, line.trim().slice(0, 80))] : [],
          ),
      );
    expect(findings).toEqual([]);
  });
});

describe("the rules bite", () => {
  test("identifiers are cut into words", () => {
    expect(wordsOf("claimHTTPRunID")).toEqual(["claim", "http", "run", "id"]);
    expect(wordsOf("CLAIM_NEXT_RUN")).toEqual(["claim", "next", "run"]);
    expect(["nextJob", "TASK_ID", "isCanceled", "jobs"].flatMap(bannedIn)).toHaveLength(4);
    expect(["jobless", "isCancelled", "workspace_id"].flatMap(bannedIn)).toEqual([]);
  });

  test("phrases are found in lines that hold them", () => {
    const lines = [
      "the run was canceled",
      "// TODO later",
      "insert into x select  * from run",
      "update run set n = 1 returning *",
      '"resolved": "https://example.org/x.tgz"',
      'const home = "/home/alice/x";',
    ];
    lines.forEach((line, n) => expect(BANNED_TEXT[n]?.pattern.test(line), line).toBe(true));
    const fine = [
      "select count(*) from run",
      "select * from unnest($1::uuid[])",
      "select * from json_to_recordset($1::json)",
      '"/home/me/project"',
      "returning id",
      "/workers/x",
    ];
    for (const line of fine) {
      expect(BANNED_TEXT.filter(({ pattern }) => pattern.test(line)).map((b) => b.why)).toEqual([]);
    }
  });
});
