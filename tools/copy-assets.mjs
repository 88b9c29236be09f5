// Second half of `npm run build`: what the compiler leaves out goes to dist/ as well.
// Promises: every file of src/ that is not TypeScript (SQL, HTML, CSS) stands in dist/ at the same
// place; what no longer has a source is removed, since a migration or a module that was renamed
// must not live on in dist/; the command is executable.
// Leaves to others: compiling (tsc), dist/dashboard (the dashboard's own build puts it there).

import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const packages = ["packages/sdk", "packages/server"];
const foreign = new Set(["dashboard"]);
const compiled = /\.(?:ts|tsx|mts)$/;
const outputs = [".js", ".js.map", ".d.ts", ".d.ts.map"];

/** Every file below a folder, as paths relative to it. */
function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

for (const place of packages) {
  const src = join(root, place, "src");
  const dist = join(root, place, "dist");
  const wanted = new Set([".tsbuildinfo"]);
  for (const file of filesBelow(src)) {
    if (compiled.test(file)) {
      for (const end of outputs) wanted.add(file.replace(compiled, end));
      continue;
    }
    wanted.add(file);
    mkdirSync(dirname(join(dist, file)), { recursive: true });
    copyFileSync(join(src, file), join(dist, file));
  }
  for (const file of filesBelow(dist)) {
    if (wanted.has(file) || foreign.has(file.split(/[\\/]/)[0])) continue;
    rmSync(join(dist, file));
  }
}

const command = join(root, "packages/server/dist/cli/main.js");
if (existsSync(command)) chmodSync(command, 0o755);
