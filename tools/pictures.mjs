// `npm run pictures`: a picture of every screen, in both themes and at four widths.
// `npm run pictures -- keep fleet-light-1440 …` copies the named ones into docs/pictures.
// Promises: taking writes to test-results/pictures alone, which git ignores, or to the folder that
// SIGNALBOX_PICTURES names; docs/pictures gets files of less than 300 kB, or nothing at all.
// Leaves to others: what is on the pictures (packages/dashboard/test/pictures.test.ts), which ones
// the documents show.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const MOST_BYTES = 300_000;

const root = fileURLToPath(new URL("..", import.meta.url));
const taken = resolve(process.env.SIGNALBOX_PICTURES ?? join(root, "test-results/pictures"));
const kept = join(root, "docs/pictures");

function take() {
  const test = "packages/dashboard/test/pictures.test.ts";
  const { status } = spawnSync("npx", ["vitest", "run", test], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, SIGNALBOX_PICTURES: taken },
  });
  process.stdout.write(`pictures: ${taken}\n`);
  return status ?? 1;
}

function keep(names) {
  const files = names.map((name) => join(taken, `${name}.png`));
  const tooLarge = files.filter((file) => statSync(file).size >= MOST_BYTES);
  if (names.length === 0 || tooLarge.length > 0) {
    process.stderr.write(`name pictures of less than ${MOST_BYTES} bytes: ${tooLarge.join(" ")}\n`);
    return 1;
  }
  mkdirSync(kept, { recursive: true });
  for (const [n, name] of names.entries()) copyFileSync(files[n], join(kept, `${name}.png`));
  process.stdout.write(`${names.length} pictures in docs/pictures\n`);
  return 0;
}

const [what, ...names] = process.argv.slice(2);
process.exitCode = what === "keep" ? keep(names) : take();
