// The last line of .ci/run: `N passed, N failed`, counted from what the tools really reported.
// Usage: node tools/count-results.mjs <check.json> <check exit code> <tests.json> <tests exit code>
// Promises: each check and each test counts once; a test file that could not be loaded, a report
// that is missing, and an exit code that no report explains count as failures, never as nothing.

import { readFileSync } from "node:fs";

const [checkFile, checkCode, testFile, testCode] = process.argv.slice(2);

/** The JSON of a report, or null if the tool died before it wrote one. */
function read(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}

/** Passed and failed of one tool; `unexplained` failures are named on their own line. */
function count(what, code, passed, failed) {
  if (code === "0" && failed !== null) return [passed, failed];
  if (code !== "0" && failed > 0) return [passed, failed];
  console.log(`${what} ended with exit code ${code} and ${failed ?? "no"} reported failures`);
  return [passed, (failed ?? 0) + 1];
}

const checks = read(checkFile);
const tests = read(testFile);
// A file that fails to load has no tests to count: it is one failure itself.
const unloaded = (tests?.testResults ?? []).filter(
  ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
).length;
const skipped = (tests?.numPendingTests ?? 0) + (tests?.numTodoTests ?? 0);
if (skipped > 0) console.log(`${skipped} tests skipped`);

const counts = [
  count(
    "npm run check",
    checkCode,
    checks?.filter(({ passed }) => passed).length ?? 0,
    checks?.filter(({ passed }) => !passed).length ?? null,
  ),
  count(
    "npm test",
    testCode,
    tests?.numPassedTests ?? 0,
    tests === null ? null : tests.numFailedTests + unloaded,
  ),
];
const passed = counts.reduce((sum, [one]) => sum + one, 0);
const failed = counts.reduce((sum, [, one]) => sum + one, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
