// `signalbox up`: starting, being refused, stopping, dying, and coming back.

import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Page, RunSummary } from "@signalbox/sdk";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { emptyDatabase, withClient } from "../setup/database.ts";
import { type Ended, Sandbox } from "./command.ts";

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await Sandbox.open();
});
afterEach(() => sandbox.close());

const oneSentence = ({ stderr }: Ended): string => {
  const lines = stderr.trimEnd().split("\n");
  expect(lines).toHaveLength(1);
  return lines[0] ?? "";
};

const modeOf = (path: string): number => statSync(path).mode & 0o777;

test("says where it is; a second one says who holds the folder, within a second", async () => {
  const server = await sandbox.up();
  const { url, pid } = await sandbox.serverFile();
  expect(pid).toBe(server.process.pid);
  expect(server.said()).toContain(`is up at ${url}\n`);
  expect(server.said()).toContain(sandbox.path());
  expect(server.said()).toContain("Ctrl-C");
  const key = (await readFile(sandbox.path("owner.key"), "utf8")).trim();
  expect(server.said()).toContain(key);
  for (const name of ["owner.key", "cli.key", "server.json"]) {
    expect(modeOf(sandbox.path(name)), name).toBe(0o600);
  }

  const second = await sandbox.run(["up"]);
  expect(second.code).toBe(75);
  const sentence = oneSentence(second);
  expect(sentence).toContain(`in use by process ${pid}`);
  expect(sentence).toContain(url);
  // One second is the promise for a machine that is idle; ten tell a wait from a hang on any.
  expect(second.ms).toBeLessThan(10_000);

  server.process.kill("SIGINT");
  const ended = await server.ended;
  expect(ended).toMatchObject({ code: 0, signal: null });
  expect(ended.stderr).toMatch(/stopping \(SIGINT\)[\s\S]*stopped/);
  expect(sandbox.serves).toBe(false);

  const again = await sandbox.up();
  expect(again.said()).toContain("warm start");
  expect(again.said()).not.toContain(key);
});

test("kill -9 of the server loses nothing, and the folder is free at once", async () => {
  const server = await sandbox.up();
  const args = ["submit", "--agent", "nobody", "--tag", "kept"];
  const { id } = await sandbox.json<RunSummary>(args);
  server.process.kill("SIGKILL");
  await server.ended;
  const again = await sandbox.up();
  expect(again.said()).toMatch(/recovered|adopted|warm/);
  const { items } = await sandbox.json<Page<RunSummary>>(["runs", "list", "--tag", "kept"]);
  expect(items.map((run) => run.id)).toEqual([id]);
});

test("Ctrl-C: requests are answered, streams end, the database goes last", async () => {
  const server = await sandbox.up();
  const { url } = await sandbox.serverFile();
  const { id } = await sandbox.json<RunSummary>(["submit", "--agent", "nobody"]);
  const watching = sandbox.start(["events", "-f"]);
  await watching.says(/run.submitted/);
  const waiting = sandbox.start(["submit", "--agent", "nobody", "--wait"]);
  await watching.says(/run.submitted[\s\S]*run.submitted/);
  server.process.kill("SIGINT");
  const ended = await server.ended;
  expect(ended.code).toBe(0);
  const log = await readFile(sandbox.path("postgres", "log"), "utf8");
  expect(log).toMatch(/database system is shut down\s*$/);
  expect(log).not.toMatch(/immediate shutdown|terminating connection due to administrator/);
  // Both go on when the server is back, without a gap.
  await sandbox.start(["up", "--listen", new URL(url).host]).says(/is up at/);
  const cancelled = await sandbox.run(["runs", "cancel", id]);
  expect(cancelled.code).toBe(0);
  await watching.says(/run.cancelled/);
  waiting.process.kill("SIGTERM");
  watching.process.kill("SIGINT");
  expect((await watching.ended).code).toBe(0);
});

test("a second Ctrl-C ends at once; the next start recovers", async () => {
  const server = await sandbox.up();
  const { url } = await sandbox.serverFile();
  // A request that never ends: the first Ctrl-C waits for it.
  const key = (await readFile(sandbox.path("cli.key"), "utf8")).trim();
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const expecting = { ...headers, expect: "100-continue", "content-length": "2" };
  const hanging = request(`${url}/v1/runs`, { method: "POST", headers: expecting });
  hanging.on("error", () => {}); // the server is gone
  hanging.flushHeaders();
  await once(hanging, "continue"); // it has been heard
  hanging.write("{");
  server.process.kill("SIGINT");
  await server.says(/stopping/);
  // Two within half a second are one (npm repeats signals), so ask until it is heard.
  const asking = setInterval(() => server.process.kill("SIGINT"), 100);
  const { code } = await server.ended;
  clearInterval(asking);
  expect(code).toBe(130);
  const again = await sandbox.up();
  expect(again.said()).toMatch(/recovered|adopted|warm/);
});

test("an address that others reach is said to be one, and is found from here", async () => {
  const server = sandbox.start(["up", "--listen", "0.0.0.0:0"]);
  await server.says(/Ctrl-C/);
  expect(server.said()).toContain("other machines can reach this server");
  expect(server.said()).toContain("--allowed-hosts");
  const { url } = await sandbox.serverFile();
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const { items } = await sandbox.json<Page<RunSummary>>(["runs", "list"]);
  expect(items).toEqual([]);
  server.process.kill("SIGHUP"); // the terminal was closed
  expect((await server.ended).code).toBe(0);
});

describe("what cannot be is one sentence with a documented exit code", () => {
  test("a port in use", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = typeof address === "object" ? address?.port : 0;
    const ended = await sandbox.run(["up", "--listen", `127.0.0.1:${port}`]);
    other.close();
    expect(ended.code).toBe(75);
    expect(oneSentence(ended)).toContain(`127.0.0.1:${port} is in use`);
    expect(oneSentence(ended)).toContain("--listen");
    expect(sandbox.serves).toBe(false);
  });

  test.each([
    ["an address that is none", { DATABASE_URL: "mysql://x" }, 78, "postgres://"],
    ["an unreadable one", { DATABASE_URL: "postgres://a:b@[oops/db" }, 78, "DATABASE_URL"],
    ["nobody there", { DATABASE_URL: "postgres://u:secret@127.0.0.1:1/db" }, 69, "127.0.0.1:1"],
    ["a wrong level", { SIGNALBOX_LOG_LEVEL: "loud" }, 78, "SIGNALBOX_LOG_LEVEL must be one of"],
    ["a wrong address", { SIGNALBOX_LISTEN: "nowhere:99999" }, 78, "SIGNALBOX_LISTEN"],
  ])("environment: %s", async (_what, env, code, words) => {
    const ended = await sandbox.run(["up"], { env });
    expect(ended.code).toBe(code);
    expect(oneSentence(ended)).toContain(words);
    expect(ended.stderr).not.toContain("secret");
  });

  test("a data folder that is a file, or cannot be made", async () => {
    await writeFile(join(sandbox.folder, "file"), "");
    const file = await sandbox.run(["up", "--data", "file"]);
    expect(file.code).toBe(78);
    expect(oneSentence(file)).toContain("is a file");
    const below = await sandbox.run(["up", "--data", "file/below"]);
    expect(below.code).toBe(78);
    expect(oneSentence(below)).toContain("--data");
  });

  test("a flag that is none, and one that is wrong", async () => {
    const unknown = await sandbox.run(["up", "--lisen", "x"]);
    expect(unknown.code).toBe(64);
    expect(unknown.stderr).toContain("Did you mean --listen?");
    const wrong = await sandbox.run(["up", "--listen", "127.0.0.1:port"]);
    expect(wrong.code).toBe(64);
    expect(oneSentence(wrong)).toContain("--listen must be host:port");
  });
});

describe("with DATABASE_URL", () => {
  test("the owner key is printed by the first of two servers, local keys are kept", async () => {
    const database = await emptyDatabase();
    const env = { DATABASE_URL: database.url };
    try {
      const [one, two] = await Promise.all([
        sandbox.up({ env }, "--data", "one"),
        sandbox.up({ env }, "--data", "two"),
      ]);
      const keys = [one, two].map((server) => /owner key\s+(sbx_\S+)/.exec(server.said())?.[1]);
      expect(keys.filter((key) => key !== undefined)).toHaveLength(1);
      expect(existsSync(join(sandbox.folder, "one", "postgres"))).toBe(false);
      const first = keys[0] === undefined ? "two" : "one";
      const projects = await sandbox.json<Page<{ name: string }>>([
        "projects",
        "list",
        "--data",
        first,
      ]);
      expect(projects.items.map(({ name }) => name)).toEqual(["default"]);
      for (const server of [one, two]) server.process.kill("SIGTERM");
      expect((await one.ended).code).toBe(0);
      expect((await two.ended).code).toBe(0);
    } finally {
      await database.drop();
    }
  });

  test("a schema newer than this program is refused before anything is written", async () => {
    const database = await emptyDatabase();
    const env = { DATABASE_URL: database.url };
    try {
      const migrated = await sandbox.json<{ applied: string[] }>(["db", "migrate"], { env });
      expect(migrated.applied.length).toBeGreaterThan(0);
      await withClient({ connectionString: database.url }, (client) =>
        client.query(
          "insert into signalbox.schema_migration (version, name, checksum) " +
            "values (9999, 'future', 'x')",
        ),
      );
      const ended = await sandbox.run(["up"], { env });
      expect(ended.code).toBe(78);
      expect(oneSentence(ended)).toMatch(/schema 9999.*newer/);
    } finally {
      await database.drop();
    }
  });
});

test("a server.json whose process does not hold the folder is not believed", async () => {
  await mkdir(sandbox.path(), { recursive: true });
  const file = { url: "http://127.0.0.1:9", pid: process.pid, database: "embedded" };
  await writeFile(sandbox.path("server.json"), JSON.stringify(file));
  const ended = await sandbox.run(["worker", "--agent", "a", "--", "true"]);
  expect(ended.code).toBe(69);
  expect(oneSentence(ended)).toContain("signalbox up");
});
