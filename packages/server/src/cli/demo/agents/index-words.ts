// The indexer: builds an index of the words of a tree, in steps, since indexing politely takes
// time. Usage: index-words.js <folder> <milliseconds to take>

import { setTimeout as sleep } from "node:timers/promises";
import { result, say, sourceFiles, wanted } from "./agent.ts";

const STEPS = 10;

const [folder = "", spread = ""] = wanted("folder", "spread");
const files = sourceFiles(folder);
const index = new Map<string, Set<string>>();

for (let step = 0; step < STEPS; step += 1) {
  const from = Math.floor((files.length * step) / STEPS);
  const to = Math.floor((files.length * (step + 1)) / STEPS);
  for (const { path, text } of files.slice(from, to)) {
    for (const [word] of text.matchAll(/[A-Za-z]{4,}/g)) {
      index.set(word, (index.get(word) ?? new Set()).add(path));
    }
  }
  say(`${(step + 1) * 10} %: ${to} files, ${index.size} words`);
  await sleep(Number(spread) / STEPS);
}
result({ files: files.length, words: index.size });
