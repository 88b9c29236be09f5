// What the demo does: its agents, each a plain program, and a dozen runs on real files.
// Promises: in a clone of the repository the repository is the input, elsewhere the installed
// package is; everything that is asserted at the end (verdict.ts) is set up here.
// Leaves to others: starting workers (stage.ts), the programs themselves (agents/).

import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BatchSubmission, JsonObject } from "@signalbox/sdk";

/** Everything below happens here: the folders that are read, the tools that are there. */
export type Ground = {
  /** In words: what the agents work on. */
  name: string;
  root: string;
  sdk: string;
  server: string;
  tests: string;
  /** Empty: none is installed. */
  compiler: string;
  testRunner: string;
};

const packageFolder = fileURLToPath(new URL("../../../", import.meta.url)).replace(/\/$/, "");

/** Finds what there is to work on. */
export function findGround(): Ground {
  const root = dirname(dirname(packageFolder));
  const tests = join(packageFolder, "test", "std");
  if (existsSync(tests) && existsSync(join(root, "packages", "sdk", "src"))) {
    return {
      name: "this repository",
      root,
      sdk: join(root, "packages", "sdk"),
      server: packageFolder,
      tests,
      compiler: toolOf("typescript", "bin/tsc"),
      testRunner: toolOf("vitest", "vitest.mjs"),
    };
  }
  const sdk = dirname(dirname(fileURLToPath(import.meta.resolve("@signalbox/sdk"))));
  const ground = { name: "the installed package", root: packageFolder, server: packageFolder };
  return {
    ...ground,
    sdk: realpathSync(sdk),
    tests: join(sdk, "dist"),
    compiler: "",
    testRunner: "",
  };
}

/** A tool of the clone, or '' when it is not installed. */
function toolOf(name: string, path: string): string {
  try {
    const about = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const tool = join(dirname(about), path);
    return existsSync(tool) ? tool : "";
  } catch {
    return "";
  }
}

/** An agent of the demo: the program, and its arguments from the input of each run. */
export type DemoAgent = { name: string; program: string; takes: readonly string[] };

const agent = (name: string, program: URL, ...takes: string[]): DemoAgent => ({
  name,
  program: fileURLToPath(program),
  takes: takes.map((field) => `{input.${field}}`),
});

/** The agents. `indexer` gets a second worker when its first is killed. */
export const agents = {
  surveyor: agent("surveyor", new URL("./agents/survey.js", import.meta.url), "kind", "folder"),
  checker: agent(
    "type-checker",
    new URL("./agents/typecheck.js", import.meta.url),
    "folder",
    "compiler",
  ),
  tester: agent(
    "tester",
    new URL("./agents/tests.js", import.meta.url),
    "folder",
    "runner",
    "scratch",
  ),
  archivist: agent(
    "archivist",
    new URL("./agents/checksum.js", import.meta.url),
    "what",
    "folder",
    "manifest",
  ),
  publisher: agent("publisher", new URL("./agents/publish.js", import.meta.url), "target", "lock"),
  indexer: agent(
    "indexer",
    new URL("./agents/index-words.js", import.meta.url),
    "folder",
    "take_ms",
  ),
} as const satisfies Record<string, DemoAgent>;

const TAG = "demo";
/** Holders of the publisher's lock: it fails so many times before it succeeds. */
export const LOCK_HOLDERS = 2;
/** The run whose worker is killed takes this long; long enough to be in its middle. */
const LONG_MS = 4_000;
const SHORT_MS = 300;

/** Runs that the verdict asks about by name. */
export const titles = {
  manifest: "checksums of every file",
  verify: "verify the checksums",
  publish: "publish past two locks",
  killed: "word index (its worker gets killed)",
} as const;

type Planned = Omit<BatchSubmission, "input" | "tags" | "metadata"> & {
  title: string;
  input: JsonObject;
};

/** The dozen, in the order they are submitted: not that of their priorities. */
export function plannedRuns(ground: Ground, scratch: string): BatchSubmission[] {
  const { surveyor, checker, tester, archivist, publisher, indexer } = agents;
  const { sdk, server, root, tests, compiler, testRunner: runner } = ground;
  const manifest = join(scratch, "manifest.json");
  const survey = (
    kind: string,
    folder: string,
    what: string,
    priority: BatchSubmission["priority"],
  ) => ({
    title: `${kind} of ${what}`,
    agent: surveyor.name,
    priority: priority ?? "medium",
    input: { kind, folder },
  });
  const planned: Planned[] = [
    survey("words", root, "everything", "low"),
    survey("comments", server, "the server", 30),
    survey("imports", sdk, "the SDK", "medium"),
    survey("longest", server, "the server", "high"),
    survey("structure", sdk, "the SDK", "critical"),
    {
      title: compiler === "" ? "parse the SDK" : "type-check the SDK",
      agent: checker.name,
      priority: "high",
      input: { folder: compiler === "" ? join(sdk, "dist") : sdk, compiler },
    },
    {
      title: runner === "" ? "load every module of the SDK" : "unit tests of the foundation",
      agent: tester.name,
      input: { folder: tests, runner, scratch },
    },
    {
      ref: "manifest",
      title: titles.manifest,
      agent: archivist.name,
      input: { what: "write", folder: sdk, manifest },
    },
    {
      title: titles.verify,
      agent: archivist.name,
      priority: "critical",
      depends_on: ["#manifest"],
      input: { what: "verify", folder: sdk, manifest },
    },
    {
      title: titles.publish,
      agent: publisher.name,
      backoff: { base_ms: 400, jitter: 0 },
      input: { target: join(scratch, "published"), lock: join(scratch, "lock") },
    },
    {
      title: titles.killed,
      agent: indexer.name,
      priority: "critical",
      backoff: { base_ms: 200, jitter: 0 },
      input: { folder: sdk, take_ms: String(LONG_MS) },
    },
    {
      title: "word index of the server",
      agent: indexer.name,
      priority: "low",
      input: { folder: server, take_ms: String(SHORT_MS) },
    },
  ];
  return planned.map(({ title, ...run }) => ({ ...run, tags: [TAG], metadata: { title } }));
}
