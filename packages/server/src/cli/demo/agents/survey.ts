// The surveyor: reads a source tree and says what is in it.
// Usage: survey.js structure|words|imports|longest|comments <folder>

import { result, say, type SourceFile, sourceFiles, wanted } from "./agent.ts";

const linesOf = ({ text }: SourceFile): number => text.split("\n").length;

function tally(names: Iterable<string>): [string, number][] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].toSorted(([a, n], [b, m]) => m - n || a.localeCompare(b));
}

const matches = (files: readonly SourceFile[], pattern: RegExp): string[] =>
  files.flatMap(({ text }) => [...text.matchAll(pattern)].map((found) => found[1] ?? found[0]));

const looks: Readonly<Record<string, (files: SourceFile[]) => object>> = {
  structure: (files) => {
    const folders = tally(files.map(({ path }) => path.split("/").slice(0, -1).join("/") || "."));
    for (const [folder, n] of folders) say(`${String(n).padStart(4)} files in ${folder}`);
    const exported = matches(files, /^export (?:async )?(?:function|class|const|type) (\w+)/gm);
    return { folders: folders.length, exports: exported.length };
  },
  words: (files) => {
    const words = matches(files, /[A-Za-z][a-z]{4,}/g).map((word) => word.toLowerCase());
    const top = tally(words).slice(0, 5);
    say(`most frequent: ${top.map(([word, n]) => `${word} ${n}`).join(", ")}`);
    return { words: words.length, top: Object.fromEntries(top) };
  },
  imports: (files) => {
    const top = tally(matches(files, /from "([^"]+)"/g));
    for (const [name, n] of top.slice(0, 5)) say(`${String(n).padStart(4)} × ${name}`);
    return { imports: top.reduce((sum, [, n]) => sum + n, 0), distinct: top.length };
  },
  longest: (files) => {
    const sorted = files.toSorted((a, b) => linesOf(b) - linesOf(a));
    for (const file of sorted.slice(0, 5)) say(`${linesOf(file)} lines: ${file.path}`);
    return { longest: sorted[0]?.path ?? null };
  },
  comments: (files) => {
    const comments = matches(files, /^\s*(?:\/\/|\*|--)/gm).length;
    const lines = files.reduce((sum, file) => sum + linesOf(file), 0);
    say(`${comments} of ${lines} lines are comments`);
    return { comments };
  },
};

const [kind = "", folder = ""] = wanted("kind", "folder");
const look = looks[kind];
if (look === undefined) {
  process.stderr.write(`no such survey: ${kind}\n`);
  process.exit(64);
}
say(`reading ${folder}`);
const files = sourceFiles(folder);
const lines = files.reduce((sum, file) => sum + linesOf(file), 0);
result({ files: files.length, lines, ...look(files) });
