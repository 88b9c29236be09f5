// What the demo's agents have in common: they are plain programs that know nothing of Signalbox.
// Arguments come in, lines of progress go out, the last line is the result as JSON, the exit code
// says whether it went well. Any program in any language can be an agent in this way.

import { readdirSync, readFileSync } from "node:fs";
import { extname, join, relative } from "node:path";

const SKIPPED = new Set(["node_modules", ".git", ".signalbox", "coverage", ".tsbuildinfo"]);
const TEXT = new Set([".ts", ".tsx", ".js", ".mjs", ".sql", ".md", ".json", ".css", ".html"]);

/** One text file: `path` from the folder that was asked for. */
export type SourceFile = { path: string; text: string };

/** The arguments; a missing one ends the agent with 64, which is not tried again. */
export function wanted(...names: string[]): string[] {
  const given = process.argv.slice(2);
  const missing = names.slice(given.length);
  if (missing.length > 0) {
    process.stderr.write(`missing arguments: ${missing.join(", ")}\n`);
    process.exit(64);
  }
  return given;
}

/** A line of progress. */
export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** The result: a last line of JSON. */
export function result(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Every text file below a folder, sorted. Sources where there are any, else what was built. */
export function sourceFiles(folder: string): SourceFile[] {
  return [...paths(folder)]
    .filter((path) => TEXT.has(extname(path)) && !path.endsWith(".d.ts"))
    .toSorted()
    .map((path) => ({ path: relative(folder, path), text: readFileSync(path, "utf8") }));
}

function* paths(folder: string): Generator<string> {
  const entries = readdirSync(folder, { withFileTypes: true });
  const hasSource = entries.some(({ name }) => name === "src");
  for (const entry of entries) {
    if (SKIPPED.has(entry.name) || (entry.name === "dist" && hasSource)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* paths(path);
    else if (entry.isFile()) yield path;
  }
}
