// Writes the files that are made from tables in the code; with --check only says which are stale.
// Promises: a generated file is what its generator says, formatted like everything else; --check
// ends with exit code 1 and the names of the stale files.
// To add one: tools/generators/<name>.mjs with `path` (from the root) and `render()`, which returns
// the text or a promise of it and may import from packages/server/dist (run `npm run build` first);
// then a line in the list below.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import * as adrIndex from "./generators/adr-index.mjs";
import * as cliReference from "./generators/cli-reference.mjs";
import * as events from "./generators/events.mjs";
import * as exitCodes from "./generators/exit-codes.mjs";
import * as invariants from "./generators/invariants.mjs";
import * as limits from "./generators/limits.mjs";
import * as metrics from "./generators/metrics.mjs";
import * as options from "./generators/options.mjs";
import * as refusals from "./generators/refusals.mjs";
import * as roles from "./generators/roles.mjs";
import * as routes from "./generators/routes.mjs";
import * as transitions from "./generators/transitions.mjs";

const generators = [
  adrIndex,
  cliReference,
  events,
  exitCodes,
  invariants,
  limits,
  metrics,
  options,
  refusals,
  roles,
  routes,
  transitions,
];

const root = fileURLToPath(new URL("..", import.meta.url));
const oxfmt = join(root, "node_modules/oxfmt/bin/oxfmt");

/** The text as `npm run format` would leave it, so that both agree on one form. */
function formatted(path, text) {
  const args = [oxfmt, `--stdin-filepath=${path}`];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    input: text,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`${path} cannot be formatted: ${stderr}`);
  return stdout;
}

const checkOnly = process.argv.includes("--check");
const stale = [];
for (const { path, render } of generators) {
  const text = formatted(path, await Promise.resolve(render(root)));
  const target = join(root, path);
  if (existsSync(target) && readFileSync(target, "utf8") === text) continue;
  stale.push(path);
  if (checkOnly) continue;
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
}

if (!checkOnly) console.log(stale.length === 0 ? "nothing to do" : `wrote ${stale.join(", ")}`);
else if (stale.length === 0) console.log(`${generators.length} generated files are fresh`);
else console.log(`stale, run \`npm run generate\`: ${stale.join(", ")}`);
process.exitCode = checkOnly && stale.length > 0 ? 1 : 0;
