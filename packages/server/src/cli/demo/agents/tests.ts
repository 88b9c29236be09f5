// The tester: runs a folder of tests; without a test runner it loads every module of a package in a
// fresh Node, which is a test as well. Usage: tests.js <folder> <test runner, or nothing> <scratch>

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { result, say, sourceFiles, wanted } from "./agent.ts";

const [folder = "", runner = "", scratch = ""] = wanted("folder", "runner", "scratch");

async function runTests(): Promise<{ passed: number; failed: number }> {
  // A configuration of its own: that of the repository would start a database for every test.
  const config = join(scratch, "tests.config.mjs");
  writeFileSync(config, "export default {};\n");
  const args = [runner, "run", "--root", folder, "--config", config, "--reporter", "json"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(child, "close");
  const said = Buffer.concat(chunks).toString("utf8");
  const report = JSON.parse(said.slice(said.indexOf("{"))) as {
    numPassedTests: number;
    numFailedTests: number;
    testResults: { name: string; status: string }[];
  };
  for (const { name, status } of report.testResults) say(`${status} ${basename(name)}`);
  return { passed: report.numPassedTests, failed: report.numFailedTests };
}

function loadModules(): { passed: number; failed: number } {
  const modules = sourceFiles(folder).filter(
    ({ path }) => path.endsWith(".js") && !/(?:main|thread)\.js$|agents/.test(path),
  );
  const bad = modules.filter(({ path }) => {
    const url = pathToFileURL(join(folder, path)).href;
    const args = ["--input-type=module", "--eval", `await import(${JSON.stringify(url)})`];
    const { status } = spawnSync(process.execPath, args, { cwd: dirname(folder) });
    if (status !== 0) say(`does not load: ${path}`);
    return status !== 0;
  });
  return { passed: modules.length - bad.length, failed: bad.length };
}

say(`testing ${folder}`);
const outcome = runner === "" ? loadModules() : await runTests();
say(`${outcome.passed} passed, ${outcome.failed} failed`);
result(outcome);
process.exitCode = outcome.failed === 0 && outcome.passed > 0 ? 0 : 1;
