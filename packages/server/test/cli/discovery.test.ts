// How a command finds the server of this machine, and which files it believes.

import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page, RunSummary } from "@signalbox/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";

import { Sandbox } from "./command.ts";

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await Sandbox.open();
  await sandbox.up();
  await sandbox.json<RunSummary>(["submit", "--agent", "nobody", "--tag", "here"]);
});
afterAll(() => sandbox.close());

const found = async (cwd: string, args: string[] = [], env = {}): Promise<number> => {
  const page = await sandbox.json<Page<RunSummary>>(["runs", "list", ...args], { cwd, env });
  return page.items.length;
};

test("from a folder below, by the nearest .signalbox", async () => {
  const below = join(sandbox.folder, "src", "deep");
  await mkdir(below, { recursive: true });
  expect(await found(below)).toBe(1);
});

test("from anywhere, by the user's current server; not with another home", async () => {
  const elsewhere = join(sandbox.folder, "..");
  expect(await found(elsewhere)).toBe(1);
  const env = { XDG_STATE_HOME: join(sandbox.folder, "other-state") };
  const ended = await sandbox.run(["runs", "list"], { cwd: elsewhere, env });
  expect(ended.code).toBe(69);
  expect(ended.stderr).toContain("signalbox up");
});

test("by the folder that is named, and by address and key", async () => {
  const elsewhere = join(sandbox.folder, "..");
  const env = { XDG_STATE_HOME: join(sandbox.folder, "other-state") };
  expect(await found(elsewhere, ["--data", sandbox.path()], env)).toBe(1);
  expect(await found(elsewhere, [], { ...env, SIGNALBOX_DATA: sandbox.path() })).toBe(1);
  const { url } = await sandbox.serverFile();
  const without = await sandbox.run(["runs", "list", "--url", url], { cwd: elsewhere, env });
  expect(without.code).toBe(77);
  // The local key belongs to the local server, under either name of it.
  expect(await found(elsewhere, ["--url", url])).toBe(1);
  expect(await found(elsewhere, ["--url", url.replace("127.0.0.1", "localhost")])).toBe(1);
});

test("a server that died without a word is not taken for one", async () => {
  const folder = join(sandbox.folder, "dead");
  await mkdir(join(folder, ".signalbox"), { recursive: true });
  const { url } = await sandbox.serverFile();
  const dead = { url, pid: 2 ** 22 + 1, database: "external" };
  const file = join(folder, ".signalbox", "server.json");
  for (const text of [JSON.stringify(dead), "{", "[]", ""]) {
    await writeFile(file, text);
    const env = { XDG_STATE_HOME: join(sandbox.folder, "other-state") };
    const ended = await sandbox.run(["runs", "list"], { cwd: folder, env });
    expect({ text, code: ended.code }).toEqual({ text, code: 69 });
  }
  await rm(folder, { recursive: true });
});
