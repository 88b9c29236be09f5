// The archivist: writes the SHA-256 of every file of a tree into a manifest, or checks one.
// Usage: checksum.js write|verify <folder> <manifest>

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { result, say, sourceFiles, wanted } from "./agent.ts";

const [what = "", folder = "", manifest = ""] = wanted("what", "folder", "manifest");
const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
const sums = Object.fromEntries(sourceFiles(folder).map(({ path, text }) => [path, hash(text)]));

if (what === "write") {
  writeFileSync(manifest, JSON.stringify(sums, null, 1));
  say(`wrote ${Object.keys(sums).length} checksums`);
  result({ files: Object.keys(sums).length, manifest_sha256: hash(JSON.stringify(sums)) });
} else {
  const known = JSON.parse(readFileSync(manifest, "utf8")) as { [path: string]: string };
  const changed = Object.keys(known).filter((path) => sums[path] !== known[path]);
  for (const path of changed) say(`changed: ${path}`);
  result({ files: Object.keys(known).length, changed: changed.length });
  process.exitCode = changed.length === 0 ? 0 : 1;
}
