// README, guides and examples are run as they are shown: TypeScript is type-checked against the
// SDK, compiled and run by Node, shell by sh, both against a real server of this test's own.
// Needs `npm run build`, as all tests that start dist/: the SDK is the built one, as for users.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Signalbox } from "@signalbox/sdk";
import { Keeper, Worker } from "@signalbox/sdk/worker";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { openScene, type Scene } from "../http/scene.ts";
import { freshDatabase } from "../setup/database.ts";
import { filesLike, paths, root } from "./repository.ts";
import { missingLines, type Snippet, snippetsOf } from "./snippets.ts";

const documents = filesLike(
  /^(?:README|ARCHITECTURE|docs\/guide\/.*|packages\/[a-z]+\/README)\.md$/,
);
const snippets = documents.flatMap(snippetsOf);
const command = join(root, "packages/server/bin/signalbox.mjs");
/** Nothing that works takes as long, on however busy a machine: only what hangs is ended. */
const DEADLINE_MS = 240_000;

/** What a snippet may leave out once the guide has said it. */
const PREAMBLE = `import { Signalbox } from "@signalbox/sdk";
const signalbox = new Signalbox({
  url: process.env.SIGNALBOX_URL ?? "",
  key: process.env.SIGNALBOX_KEY ?? "",
});
`;

let place = "";
let scene: Scene;
let client: Signalbox;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  place = openFolder(join(tmpdir(), "signalbox-snippets-"));
  symlinkSync(join(root, "node_modules"), join(place, "node_modules"));
  scene = await openScene();
  const url = await scene.app.listen({ host: "127.0.0.1", port: 0 });
  const key = scene.keys.admin;
  client = new Signalbox({ url, key });
  const { SIGNALBOX_DATA: _, ...inherited } = process.env;
  environment = { ...inherited, SIGNALBOX_URL: url, SIGNALBOX_KEY: key, NO_COLOR: "1" };
  environment["XDG_STATE_HOME"] = join(place, "state");
  environment["PATH"] = `${programs()}:${process.env["PATH"]}`;
  compile(snippets.filter(({ language }) => language === "ts"));
}, DEADLINE_MS);
afterAll(async () => {
  await scene?.close();
  rmSync(place, { recursive: true, force: true });
});

/** A folder the database's own account can reach, so that as root its data stays below it. */
function openFolder(prefix: string): string {
  const folder = mkdtempSync(prefix);
  chmodSync(folder, 0o755);
  return folder;
}

/** A folder with the command as an installation has it; `npx signalbox` is the same command. */
function programs(): string {
  const folder = join(place, "bin");
  mkdirSync(folder);
  writeFileSync(join(folder, "signalbox"), `#!/bin/sh\nexec node "${command}" "$@"\n`);
  writeFileSync(join(folder, "npx"), '#!/bin/sh\nexec "$@"\n');
  for (const name of ["signalbox", "npx"]) chmodSync(join(folder, name), 0o755);
  return folder;
}

const nameOf = (snippet: Snippet): string => snippet.place.replaceAll(/[^\w]/g, "_");

/** Type-checks and compiles all TypeScript at once. Throws what the compiler says. */
function compile(programs: readonly Snippet[]): void {
  const source = join(place, "source");
  mkdirSync(source);
  writeFileSync(join(place, "package.json"), '{ "type": "module" }');
  for (const snippet of programs) {
    const own = snippet.code.includes("new Signalbox(");
    writeFileSync(join(source, `${nameOf(snippet)}.ts`), (own ? "" : PREAMBLE) + snippet.code);
  }
  const options = {
    extends: join(root, "tsconfig.base.json"),
    compilerOptions: {
      outDir: "built",
      rootDir: "source",
      composite: false,
      noUnusedLocals: false,
    },
    include: ["source"],
  };
  writeFileSync(join(place, "tsconfig.json"), JSON.stringify(options));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  try {
    execFileSync(process.execPath, [tsc, "-p", "."], { cwd: place, encoding: "utf8" });
  } catch (error) {
    throw new Error((error as { stdout?: string }).stdout ?? String(error), { cause: error });
  }
}

/** How it ended: its exit code, or the signal that ended it. */
type Ended = { end: number | string | null; stdout: string; stderr: string };
type Running = { child: ChildProcess; ended: Promise<Ended> };

/** Starts a program in a folder of its own. It is killed at the deadline. */
function start(program: string, args: string[], extra: NodeJS.ProcessEnv = {}): Running {
  const cwd = openFolder(join(place, "work-"));
  const child = spawn(program, args, { cwd, env: { ...environment, ...extra } });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => (said[name] += text));
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), DEADLINE_MS);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ end: code ?? signal, ...said });
    });
  });
  return { child, ended };
}

function startSnippet(snippet: Snippet): Running {
  if (snippet.language === "sh") return start("sh", ["-euc", snippet.code]);
  return start(process.execPath, [join(place, "built", `${nameOf(snippet)}.js`)]);
}

/** Somebody who does the runs that snippets submit for agent `reviewer`, and those for nobody. */
async function withReviewer<T>(use: () => Promise<T>): Promise<T> {
  const keeper: NonNullable<ConstructorParameters<typeof Worker>[1]>["keeper"] = (...given) =>
    new Keeper(...given);
  const worker = new Worker(client, { agents: ["reviewer"], signals: false, keeper });
  worker.handle(() => ({ verdict: "looks good" }));
  await worker.start();
  try {
    return await use();
  } finally {
    await worker.stop({ drainMs: 0 });
  }
}

/** The state of each runtime there is, by its name. */
async function runtimes(): Promise<Map<string, string>> {
  const { items } = await client.runtimes.list();
  return new Map(items.map(({ name, state }) => [name, state]));
}

/** How a worker that has ended signed off: the first that its runtime is after `online`. */
async function farewell(isKnown: (name: string) => boolean): Promise<string[]> {
  let states: string[] = ["online"];
  // What it sent last may come later than its end; who says nothing is found out after a minute.
  const isOver = async (): Promise<boolean> => {
    states = [...(await runtimes())].flatMap(([name, state]) => (isKnown(name) ? [] : state));
    return !states.includes("online");
  };
  await vi.waitUntil(isOver, { timeout: DEADLINE_MS, interval: 100 });
  return states;
}

/** Gives a worker one run and sees it completed, then asks it to stop, which it does in order. */
async function checkWorker(snippet: Snippet): Promise<Ended> {
  const before = await runtimes();
  const { child, ended } = startSnippet(snippet);
  const run = await client.runs.submit({ agent: "reviewer", input: { pr: 42 } });
  const early = ended.then(({ stderr }) => {
    throw new Error(`the worker ended before its run did: ${stderr}`);
  });
  await Promise.race([run.result({ timeoutMs: DEADLINE_MS }), early]);
  child.kill("SIGTERM");
  early.catch(() => {});
  const outcome = await ended;
  const states = await farewell((name) => before.has(name));
  expect(states).toEqual([expect.stringMatching(/^(?:draining|offline)$/)]);
  // After the drain the signal takes its usual effect.
  return { ...outcome, end: outcome.end === "SIGTERM" ? 0 : outcome.end };
}

describe("snippets", () => {
  test("there are some of each kind", () => {
    const kinds = new Set(snippets.map(({ language, worker }) => `${language} ${worker}`));
    expect(kinds).toEqual(new Set(["ts false", "ts true", "sh false"]));
  });

  test.each(snippets)("$place", { timeout: 2 * DEADLINE_MS }, async (snippet) => {
    const check = (): Promise<Ended> =>
      snippet.worker ? checkWorker(snippet) : withReviewer(() => startSnippet(snippet).ended);
    const { end, stdout, stderr } = await check();
    expect({ end, stderr: end === 0 ? "" : stderr }).toEqual({ end: 0, stderr: "" });
    expect(missingLines(snippet.prints, stdout), stdout).toEqual([]);
  });
});

describe("examples", () => {
  /** As a reader starts it, but on an empty database of the suite, so that none has to be made. */
  async function play(program: string, file: string): Promise<Ended> {
    const database = await freshDatabase();
    const own = { SIGNALBOX_URL: undefined, SIGNALBOX_KEY: undefined, DATABASE_URL: database.url };
    try {
      return await start(program, [join(root, "examples", file)], own).ended;
    } finally {
      await database.drop();
    }
  }

  test.each([
    ["node", "02-submit-and-wait/main.mjs", [" 1 run.submitted", "{ words: 9, letters: 35 }"]],
    ["sh", "03-process-worker/run.sh", ['  "shouted": "HELLO, WORLD"', "state       completed …"]],
    [
      "node",
      "04-provider-limits/main.mjs",
      ["attempt 1: exhausted, acme/1", "attempt 2: completed, acme/2", "acme/1 rate_limit closed"],
    ],
    [
      "node",
      "05-approval/main.mjs",
      [
        "Delete 3 files? high",
        "deleted: a.log, b.log",
        "claimed 2 times, attempts used: 1",
        'checkpoint: {"looked_at":1}',
      ],
    ],
    [
      "node",
      "06-webhook-receiver/main.mjs",
      ["run.submitted of run_…, signed", "run.cancelled of run_…, signed"],
    ],
  ])("%s %s", { timeout: 2 * DEADLINE_MS }, async (program, file, prints) => {
    const { end, stdout, stderr } = await play(program, file);
    expect({ end, stderr: end === 0 ? "" : stderr }).toEqual({ end: 0, stderr: "" });
    expect(missingLines(prints, stdout), stdout).toEqual([]);
  });

  test("none is left out", () => {
    const folders = new Set(
      paths.flatMap((path) => /^examples\/(\d\d-[^/]+)\//.exec(path)?.[1] ?? []),
    );
    const listed = filesLike(/^examples\/README\.md$/)[0]?.text ?? "";
    expect([...folders].filter((folder) => !listed.includes(`](${folder})`))).toEqual([]);
  });
});

test("the command stands there before anything is built, so that npm links it", () => {
  const text = readFileSync(join(root, "packages/server/package.json"), "utf8");
  const { bin } = JSON.parse(text) as { bin: { signalbox: string } };
  expect(join(root, "packages/server", bin.signalbox)).toBe(command);
  expect(existsSync(command)).toBe(true);
});

describe("the reading bites", () => {
  const block = (head: string, code: string): string => `\`\`\`${head}\n${code}\n\`\`\``;

  test("only marked blocks are run, with what they print", () => {
    const text = [
      block("ts", "ignored();"),
      block("ts test", "console.log(1); // 1\nother(); // not this"),
      block("sh test", "echo hi"),
      "",
      block("text", "hi\n\n…\nho …"),
      block("sh test", "echo silent"),
    ].join("\n");
    const found = snippetsOf({ path: "x.md", text });
    expect(found.map(({ place: at, prints }) => [at, ...prints])).toEqual([
      ["x.md:4", "1"],
      ["x.md:8", "hi", "ho …"],
      ["x.md:18"],
    ]);
  });

  test.each(["ts test wroker", "sh test worker", "json test"])("`%s` is a mistake", (head) => {
    expect(() => snippetsOf({ path: "x.md", text: block(head, "x") })).toThrow(
      "x.md:1: cannot run",
    );
  });

  test("lines that do not come, or in another order, are found", () => {
    expect(missingLines(["a…c", "d"], "x\nabc\nd\n")).toEqual([]);
    expect(missingLines(["d", "abc"], "abc\nd")).toEqual(["abc"]);
    expect(missingLines(["a.c"], "abc")).toEqual(["a.c"]);
  });
});
