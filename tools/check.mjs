// `npm run check`: everything that can be said about the code without running it.
// Promises: all checks run even if one fails, so that one round shows everything; ends with a line
// per check and exit code 1 if any failed. CHECK_REPORT=<file> also writes the outcome as JSON.
// Leaves to others: the tests (`npm test`), which include the tidy tests of the house's own rules.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

// In this order: `types` builds dist/, which `generated` reads.
const checks = ["format", "types", "lint", "dead", "generated"];

const report = checks.map((name) => {
  console.log(`\n# check:${name}`);
  const began = performance.now();
  // One string and a shell: on Windows npm is a script, which cannot be started otherwise.
  const { status } = spawnSync(`npm run --silent check:${name}`, {
    cwd: root,
    stdio: "inherit",
    shell: true,
  });
  return { name, passed: status === 0, seconds: (performance.now() - began) / 1000 };
});

console.log("");
for (const { name, passed, seconds } of report) {
  console.log(`${passed ? "ok    " : "FAILED"} check:${name} (${seconds.toFixed(1)} s)`);
}
const target = process.env.CHECK_REPORT;
if (target) writeFileSync(target, JSON.stringify(report));
process.exitCode = report.every(({ passed }) => passed) ? 0 : 1;
