// The type checker: has the compiler check a package; without a compiler, has Node check that every
// file of it parses. Usage: typecheck.js <folder> <compiler, or nothing>

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { result, say, sourceFiles, wanted } from "./agent.ts";

const [folder = "", compiler = ""] = wanted("folder", "compiler");

function compile(): number {
  const args = [
    compiler,
    "-p",
    folder,
    "--noEmit",
    "--incremental",
    "false",
    "--composite",
    "false",
  ];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const errors = stdout.split("\n").filter((line) => /error TS\d+/.test(line));
  for (const error of errors) say(error);
  say(`the compiler ended with ${status}`);
  return status === 0 ? 0 : Math.max(1, errors.length);
}

function parse(): number {
  const files = sourceFiles(folder).filter(({ path }) => path.endsWith(".js"));
  const bad = files.filter(({ path }) => {
    const { status } = spawnSync(process.execPath, ["--check", join(folder, path)]);
    return status !== 0;
  });
  for (const { path } of bad) say(`does not parse: ${path}`);
  return bad.length;
}

say(`checking ${folder}`);
const errors = compiler === "" ? parse() : compile();
result({ files: sourceFiles(folder).length, errors });
process.exitCode = errors === 0 ? 0 : 1;
