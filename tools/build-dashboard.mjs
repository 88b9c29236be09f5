// Part of `npm run build`: the dashboard, built into packages/server/dist/dashboard.
// Promises: built again only when something it is made of has changed, since every test run builds;
// beside each file stand its forms compressed with Brotli and gzip, so that the server never
// compresses anything while it serves.
// Leaves to others: how it is built (packages/dashboard/vite.config.ts), serving it (server, http).

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

import { build } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
const dashboard = join(root, "packages/dashboard");
const out = join(root, "packages/server/dist/dashboard");
const stamp = join(out, ".made-of");

/** Everything the build reads, packages by the lockfile that pins them. */
const inputs = [
  "packages/dashboard/src",
  "packages/dashboard/public",
  "packages/dashboard/index.html",
  "packages/dashboard/vite.config.ts",
  "packages/sdk/dist",
  "package-lock.json",
];

function filesOf(path) {
  const names = readdirSync(path, { withFileTypes: true, recursive: true });
  return names
    .filter((entry) => entry.isFile() && !/\.(?:map|d\.ts|tsbuildinfo)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

function madeOf() {
  const hash = createHash("sha256");
  for (const input of inputs) {
    const path = join(root, input);
    for (const file of /\.\w+$/.test(input) ? [path] : filesOf(path)) {
      hash.update(file.slice(root.length)).update("\0").update(readFileSync(file)).update("\0");
    }
  }
  return hash.digest("hex");
}

const now = madeOf();
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== now) {
  await build({ root: dashboard, logLevel: "warn" });
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } };
  for (const file of filesOf(out)) {
    const bytes = readFileSync(file);
    if (bytes.length < 1024) continue;
    writeFileSync(`${file}.br`, brotliCompressSync(bytes, quality));
    writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  }
  writeFileSync(stamp, now);
}
