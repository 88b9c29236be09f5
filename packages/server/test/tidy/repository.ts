// The repository as data for the tidy tests: its files, without what is built or installed.
// Promises: paths are relative to the root with forward slashes; works without git, so also in an
// unpacked archive. Files are read once.
// Leaves to others: what a file must look like (the tests), how its text is cut up (source.ts).

import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** One file: `path` from the root of the repository, `text` as UTF-8. */
export type File = { readonly path: string; readonly text: string };

/** The root of the repository. */
export const root = fileURLToPath(new URL("../../../../", import.meta.url));

const SKIPPED = new Set(["node_modules", "dist", ".git", ".signalbox", "coverage", "test-results"]);
const TEXT = new Set(
  ".ts .tsx .mjs .js .css .html .sql .md .json .yml .yaml .sh .svg .txt".split(" "),
);

function* walk(folder: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (SKIPPED.has(entry.name)) continue;
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield path;
  }
}

/** Every path in the repository, sorted. */
export const paths: readonly string[] = [...walk("")].toSorted();

/** Every text file in the repository; files without an extension count as text. */
export const files: readonly File[] = paths
  .filter((path) => TEXT.has(extname(path)) || extname(path) === "")
  .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

/** The files whose path matches. */
export function filesLike(pattern: RegExp): readonly File[] {
  return files.filter(({ path }) => pattern.test(path));
}

/** One finding per line: `path:line what`. Tests expect none, so a failure lists them all. */
export function finding(file: File, line: number, what: string): string {
  return `${file.path}:${line} ${what}`;
}
