// Documents that name a test: the test is there, under that name.
// A link to a test file has the test's own words as its text, so that whoever renames a test finds
// the promise that leans on it.

import { posix } from "node:path";
import { expect, test } from "vitest";

import { type File, files, filesLike, finding } from "./repository.ts";

const LINK = /\[([^\]]+)\]\(([^)\s]+\.test\.ts)\)/g;

/** Links to test files that hold no such words. */
function namelessLinks(document: File, tests: readonly File[]): string[] {
  const text = document.text.replaceAll(/\n\s*/g, " ");
  return [...text.matchAll(LINK)].flatMap(([, name = "", target = ""]) => {
    const path = posix.join(posix.dirname(document.path), target);
    const found = tests.find((one) => one.path === path);
    const words = name.replaceAll("`", "").trim();
    const there = found?.text.replaceAll(/[`"]/g, "").includes(words) === true;
    return there ? [] : [finding(document, 1, `names "${words}", which is not in ${path}`)];
  });
}

test("a document that links to a test uses the test's own words", () => {
  const documents = filesLike(/\.md$/);
  const links = documents.flatMap(({ text }) => [...text.matchAll(LINK)]);
  expect(links.length).toBeGreaterThan(10);
  expect(documents.flatMap((document) => namelessLinks(document, files))).toEqual([]);
});

test("the rule bites", () => {
  const tests = [{ path: "a/x.test.ts", text: 'test("it `really` holds", () => {})' }];
  const text = "[it really\nholds](a/x.test.ts) [it fails](a/x.test.ts) [gone](a/y.test.ts)";
  expect(namelessLinks({ path: "D.md", text }, tests)).toEqual([
    'D.md:1 names "it fails", which is not in a/x.test.ts',
    'D.md:1 names "gone", which is not in a/y.test.ts',
  ]);
});
