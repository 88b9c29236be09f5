// Where things are: the repository, the program under test, the evidence.
// Promises: found from this file, so the working folder does not matter; the built harness
// (bench/dist) and its sources lead to the same places.
// Leaves to others: reading and writing there.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package-lock.json"))) {
    const above = dirname(folder);
    if (above === folder) throw new Error("the campaigns run inside a clone of the repository");
    folder = above;
  }
  return folder;
}

/** The root of the repository. */
export const root = findRoot();

/** The built program: `signalbox`. */
export const program = join(root, "packages/server/bin/signalbox.mjs");

/** Modules of the built server that campaigns look into, such as `postgres/index.js`. */
export const serverModule = (path: string): string => join(root, "packages/server/dist", path);

/** A worker of the campaigns: a program of its own, from `bench/workers`. */
export const workerProgram = (name: string): string =>
  join(root, "bench/dist/workers", `${name}.js`);

/** Where evidence is kept. */
export const evidence = join(root, "docs/evidence");
