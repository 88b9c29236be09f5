// Files that are stale, garbled, foreign, too old, or do not fit on the disk.

import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";

import { describe, expect, onTestFinished, test } from "vitest";

import { describeHolder, startEmbedded } from "../../src/postgres/index.ts";
import { eventually, isRoot, project, rejection, used } from "./scene.ts";

/** A database that was started once and stopped. */
async function stopped(): Promise<{ dataDir: string; data: string; pidFile: string }> {
  const { dataDir } = await used();
  await (await startEmbedded({ dataDir })).stop();
  const data = join(dataDir, "postgres", "data");
  return { dataDir, data, pidFile: join(data, "postmaster.pid") };
}

/** A live process that is none of ours, and one that was. */
function strangers(): { alive: number; dead: number } {
  const child = spawn("sleep", ["600"]);
  onTestFinished(() => void child.kill("SIGKILL"));
  return { alive: child.pid ?? 0, dead: spawnSync("true").pid };
}

/** A zombie: its parent never waits for it. */
async function zombie(): Promise<number> {
  const parent = spawn("/bin/sh", ["-c", "sleep 0 & echo $!; exec sleep 600"]);
  onTestFinished(() => void parent.kill("SIGKILL"));
  let said = "";
  parent.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const pid = Number(await eventually("its pid", 2_000, () => said.trim()));
  const state = (): string =>
    spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).stdout;
  await eventually("a zombie", 2_000, () => state().startsWith("Z"));
  return pid;
}

describe("a planted postmaster.pid", () => {
  test("dead, recycled, zombie, garbage, empty: starts work, nobody is hurt", async () => {
    const { dataDir, data, pidFile } = await stopped();
    const { alive, dead } = strangers();
    const undead = await zombie();
    const file = (pid: number): string =>
      [pid, data, 1763683200, 5432, "/tmp", "", "  5432001         0", "ready   ", ""].join("\n");
    const owner = fs.statSync(data);
    for (const content of [file(dead), file(alive), file(undead), "?!\0garbage", "-7", ""]) {
      fs.writeFileSync(pidFile, content, { mode: 0o600 });
      fs.chownSync(pidFile, owner.uid, owner.gid);
      const database = await startEmbedded({ dataDir });
      expect(database.started).toBe("warm");
      await database.stop();
      expect(fs.existsSync(pidFile)).toBe(false);
    }
    expect(process.kill(alive, 0)).toBe(true);
    expect(process.kill(undead, 0)).toBe(true);
  });
});

describe("a planted lock", () => {
  test("of a dead or recycled pid, garbled or empty, holds nobody up", async () => {
    const { dataDir } = await stopped();
    const { alive, dead } = strangers();
    const lock = join(dataDir, "lock");
    const name = fs.readdirSync(lock).find((entry) => entry.startsWith("holder.")) ?? "";
    const record = JSON.parse(fs.readFileSync(join(lock, name), "utf8")) as object;
    const number = Number(name.slice(7));
    const planted = [dead, alive].map((pid) => JSON.stringify({ ...record, pid, free: false }));
    for (const [at, content] of [...planted, "{", ""].entries()) {
      fs.writeFileSync(join(lock, `holder.${number + 10 * (at + 1)}`), content);
      expect(describeHolder(dataDir)).toBeNull();
      for (const lockTool of ["flock", "no-such-tool"]) {
        await (await startEmbedded({ dataDir, lockTool })).stop();
      }
    }
    expect(process.kill(alive, 0)).toBe(true);
    expect(fs.readdirSync(lock).filter((entry) => entry.startsWith("holder."))).toHaveLength(1);
  });
});

describe("a folder that is not ours", () => {
  test("is refused and left as it was", async () => {
    const { dataDir } = project();
    const folder = join(dataDir, "postgres");
    fs.mkdirSync(join(folder, "data"), { recursive: true });
    fs.writeFileSync(join(folder, "data", "PG_VERSION"), "18\n");
    const beside = join(dataDir, "postgres.new-mine");
    fs.mkdirSync(beside);
    fs.writeFileSync(join(beside, "thesis.txt"), "ten years");
    const error = await rejection(startEmbedded({ dataDir }));
    expect(error).toMatchObject({ code: "not_ours", exitCode: 78 });
    expect(String(error)).toContain(folder);
    expect(fs.readdirSync(folder)).toEqual(["data"]);
    expect(fs.readdirSync(join(folder, "data"))).toEqual(["PG_VERSION"]);

    fs.rmSync(folder, { recursive: true });
    const database = await startEmbedded({ dataDir });
    await database.stop();
    expect(fs.readFileSync(join(beside, "thesis.txt"), "utf8")).toBe("ten years");
  });

  test("a file in place of the data folder is one sentence", async () => {
    const { root } = project();
    const dataDir = join(root, "file");
    fs.writeFileSync(dataDir, "not a folder");
    const error = await rejection(startEmbedded({ dataDir }));
    expect(error).toMatchObject({ code: "not_ours", exitCode: 78 });
    expect(fs.readFileSync(dataDir, "utf8")).toBe("not a folder");
  });
});

test("a database of another major version is refused before anything runs", async () => {
  const { dataDir, data } = await stopped();
  const log = join(dataDir, "postgres", "log");
  const before = fs.readFileSync(log, "utf8");
  fs.writeFileSync(join(data, "PG_VERSION"), "17\n");
  const error = await rejection(startEmbedded({ dataDir }));
  expect(error).toMatchObject({ code: "wrong_major", exitCode: 78 });
  expect(String(error)).toMatch(/PostgreSQL 17.*PostgreSQL 18/s);
  expect(fs.readFileSync(log, "utf8")).toBe(before);
  expect(describeHolder(dataDir)).toBeNull();
});

test("a database that lost its files says so and leaves nothing running", async () => {
  const { dataDir, data } = await stopped();
  const wal = join(data, "pg_wal");
  for (const name of fs.readdirSync(wal)) fs.rmSync(join(wal, name), { recursive: true });
  const error = await rejection(startEmbedded({ dataDir }));
  expect(error).toMatchObject({ code: "start_failed", exitCode: 75 });
  expect(String(error)).toContain("checkpoint record");
  expect(describeHolder(dataDir)).toBeNull();
});

test.runIf(isRoot && process.platform === "linux")(
  "a full disk is one sentence",
  async (context) => {
    const { root, dataDir } = project();
    fs.mkdirSync(dataDir);
    const mounted = spawnSync("mount", [
      "-t",
      "tmpfs",
      "-o",
      "size=200m,mode=755",
      "tmpfs",
      dataDir,
    ]);
    if (mounted.status !== 0) context.skip("mounting is not allowed here");
    onTestFinished(() => void spawnSync("umount", ["-l", dataDir]));
    const filler = join(dataDir, "filler");
    const fill = (): void => {
      // The shell's `head` stops at the end of the disk; Node would throw on the way.
      spawnSync("/bin/sh", ["-c", 'head -c 300000000 /dev/zero > "$1"', "sh", filler]);
    };
    fill();
    const cold = await rejection(startEmbedded({ dataDir }));
    expect(cold).toMatchObject({ code: "disk_full", exitCode: 75 });
    fs.rmSync(filler);
    await (await startEmbedded({ dataDir })).stop();
    fill();
    const warm = await rejection(startEmbedded({ dataDir }));
    expect(warm).toMatchObject({ code: "disk_full", exitCode: 75 });
    expect(String(warm)).toMatch(/No space is left|128 MiB/);
    fs.rmSync(filler);
    const after = await startEmbedded({ dataDir });
    expect(after.started).not.toBe("cold");
    await after.stop();
    expect(fs.existsSync(root)).toBe(true);
  },
);
