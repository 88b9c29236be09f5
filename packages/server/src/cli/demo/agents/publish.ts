// The publisher: puts a file where others hold a lock, as deployments do. Each time it meets the
// lock it takes one holder away, fails, and leaves it to whoever started it to try again.
// Usage: publish.js <target> <lock>

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { result, say, wanted } from "./agent.ts";

const [target = "", lock = ""] = wanted("target", "lock");
const holders = existsSync(lock) ? Number(readFileSync(lock, "utf8")) : 0;

say(`publishing to ${target}`);
if (holders > 0) {
  if (holders > 1) writeFileSync(lock, String(holders - 1));
  else rmSync(lock);
  process.stderr.write(`the target is locked by ${holders} other${holders > 1 ? "s" : ""}\n`);
  process.exit(1);
}
writeFileSync(target, "published\n");
result({ published: target });
