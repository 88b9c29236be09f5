// Any process may be killed at any time: no postmaster stays behind, none is doubled, no
// acknowledged row is lost, and no step by hand is needed.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { startEmbedded } from "../../src/postgres/index.ts";
import {
  busy,
  eventually,
  fixture,
  isRoot,
  kill,
  postmasters,
  processes,
  project,
  query,
  type Said,
  server,
  used,
  watchers,
} from "./scene.ts";

const answers = (url: string): Promise<boolean> =>
  query(url, "select 1").then(
    () => true,
    () => false,
  );

/** Writes until the connection breaks; the last number that was acknowledged. */
async function writeUntilItBreaks(url: string): Promise<number> {
  for (let n = 1; ; n += 1) {
    try {
      await query(url, `insert into kept values (${n})`);
    } catch {
      return n - 1;
    }
  }
}

const kept = async (url: string): Promise<unknown> =>
  (await query(url, "select coalesce(max(n), 0)::int as n from kept"))[0]?.["n"];

/** A server with a table, and the numbers written into it up to the moment something dies. */
async function writing(
  dataDir: string,
  tool?: string,
): Promise<Said & { child: ReturnType<typeof server>["child"]; written: Promise<number> }> {
  const one = server(dataDir, tool);
  const said = await one.next();
  const { url = "" } = said;
  await query(url, "create table kept (n int)");
  const written = writeUntilItBreaks(url);
  await eventually("the first rows", 5_000, async () => Number(await kept(url)) > 3);
  return { ...said, child: one.child, written };
}

describe("SIGKILL", () => {
  test.each(["flock", "no-such-tool"])(
    "of the server: nothing stays, all is kept (%s)",
    async (tool) => {
      const { dataDir } = await used();
      const { child, written } = await writing(dataDir, tool);
      child.kill("SIGKILL");
      const last = await written;
      await eventually("no postmaster", 5_000, () => postmasters(dataDir).length === 0);
      await eventually("no watcher", 2_000, () => watchers(dataDir).length === 0);
      const next = await startEmbedded({ dataDir, lockTool: tool });
      expect(next.started).toBe("warm");
      expect(await kept(next.url)).toBeGreaterThanOrEqual(last);
      await next.stop();
    },
  );

  test.each(["flock", "no-such-tool"])("of the server, next start at once (%s)", async (tool) => {
    const { dataDir } = await used();
    const { child, written } = await writing(dataDir, tool);
    child.kill("SIGKILL");
    await eventually("its end", 2_000, () => child.exitCode ?? child.signalCode);
    const before = performance.now();
    const next = await startEmbedded({ dataDir, lockTool: tool });
    expect(performance.now() - before).toBeLessThan(busy(3_000));
    expect(["warm", "adopted"]).toContain(next.started);
    expect(await kept(next.url)).toBeGreaterThanOrEqual(await written);
    expect(postmasters(dataDir).map((one) => one.pid)).toEqual([next.pid]);
    await next.stop();
  });

  test("of server and watcher: the orphan is ended cleanly, not doubled", async () => {
    const { dataDir } = await used();
    const one = server(dataDir);
    const { pid } = await one.next();
    const shells = watchers(dataDir);
    expect(shells).toHaveLength(2);
    one.child.kill("SIGSTOP");
    for (const shell of shells) kill(shell.pid);
    one.child.kill("SIGKILL");
    await eventually("its end", 2_000, () => one.child.exitCode ?? one.child.signalCode);
    expect(postmasters(dataDir).map((one) => one.pid)).toEqual([pid]);
    const next = await startEmbedded({ dataDir });
    expect(next.started).toBe("adopted");
    expect(next.pid).not.toBe(pid);
    expect(postmasters(dataDir).map((one) => one.pid)).toEqual([next.pid]);
    await next.stop();
  });

  test("of server, watcher and postmaster: the log is replayed", async () => {
    const { dataDir } = await used();
    const { child, pid, written } = await writing(dataDir);
    child.kill("SIGSTOP");
    for (const shell of watchers(dataDir)) kill(shell.pid);
    kill(pid);
    child.kill("SIGKILL");
    const last = await written;
    const before = performance.now();
    const next = await startEmbedded({ dataDir });
    expect(performance.now() - before).toBeLessThan(busy(3_000));
    expect(next.started).toBe("recovered");
    expect(await kept(next.url)).toBeGreaterThanOrEqual(last);
    await next.stop();
  });
});

describe("SIGKILL while the server lives", () => {
  test("of the postmaster, a backend, either watching shell: the server has it back", async () => {
    const { dataDir } = await used();
    const { url = "", pid, written } = await writing(dataDir);
    kill(pid);
    const last = await written;
    await eventually("the database again", 3_000, () => answers(url));
    expect(await kept(url)).toBeGreaterThanOrEqual(last);

    const [backend] = await query(
      url,
      "select pid from pg_stat_activity where backend_type = 'walwriter'",
    );
    kill(Number(backend?.["pid"]));
    await eventually("the database again", 3_000, () => answers(url));

    for (const outer of [true, false]) {
      const [chief] = postmasters(dataDir);
      const shell = watchers(dataDir).find(({ pid, parent }) =>
        outer ? pid === chief?.parent : parent === chief?.parent,
      );
      kill(shell?.pid);
      await eventually("another postmaster", 3_000, () => {
        const now = postmasters(dataDir).map((one) => one.pid);
        return now.length === 1 && now[0] !== chief?.pid;
      });
      await eventually("the database again", 3_000, () => answers(url));
    }
    expect(await kept(url)).toBeGreaterThanOrEqual(last);
    await eventually("two shells again", 3_000, () => watchers(dataDir).length === 2);
  });
});

describe.runIf(isRoot && process.platform === "linux")("another container", () => {
  /** A pid namespace of its own, as a container has: nothing outside is visible in it. */
  const inside = (dataDir: string): Said | undefined => {
    const args = ["--pid", "--fork", "--mount-proc", process.execPath];
    const { stdout } = spawnSync("unshare", [...args, fixture("once.mjs"), dataDir]);
    const text = stdout?.toString() ?? "";
    return text === "" ? undefined : (JSON.parse(text) as Said);
  };

  test("is refused by the server's lock, and by that of an orphan", async (context) => {
    const { dataDir } = await used();
    const one = server(dataDir);
    const { pid, url = "" } = await one.next();
    const first = inside(dataDir);
    if (first === undefined) context.skip("pid namespaces are not allowed here");
    expect(first).toMatchObject({ code: "held" });
    expect(first?.message).toContain("another container");

    one.child.kill("SIGSTOP");
    for (const shell of watchers(dataDir)) kill(shell.pid);
    one.child.kill("SIGKILL");
    await eventually("its end", 2_000, () => one.child.exitCode ?? one.child.signalCode);
    expect(inside(dataDir)).toMatchObject({ code: "held" });
    expect(await answers(url)).toBe(true);
    expect(postmasters(dataDir).map((line) => line.pid)).toEqual([pid]);

    const next = await startEmbedded({ dataDir });
    expect(next.started).toBe("adopted");
    await next.stop();
    expect(inside(dataDir)).toMatchObject({ started: "warm" });
  });
});

describe("a terminal", () => {
  test("does not reach the database: it runs in a session of its own", async () => {
    const { dataDir } = await used();
    const one = server(dataDir);
    await one.next();
    const own = processes("server.mjs").find((line) => line.pid === one.child.pid);
    const others = [...postmasters(dataDir), ...watchers(dataDir)];
    expect(others).toHaveLength(3);
    for (const other of others) expect(other.session).not.toBe(own?.session);
    // What Ctrl-C, a closed terminal and a service manager send to the watching shells.
    for (const shell of watchers(dataDir)) {
      for (const name of ["SIGINT", "SIGHUP", "SIGTERM"] as const) process.kill(shell.pid, name);
    }
    one.child.kill("SIGTERM");
    expect(await one.next()).toEqual({ stopped: true });
    const log = fs.readFileSync(join(dataDir, "postgres", "log"), "utf8");
    expect(log.trim().split("\n").at(-1)).toContain("database system is shut down");
  });
});

describe("the first start, interrupted", () => {
  test("at any moment: the next start is a clean one", async () => {
    const { dataDir } = project();
    // Moments as a share of initdb's work: by what it has written, not by the clock.
    for (const sign of [
      "",
      "signalbox.json",
      "data/PG_VERSION",
      "data/global/pg_control",
      "hba.conf",
    ]) {
      const one = server(dataDir);
      await eventually(`a trace of ${sign}`, 5_000, () => {
        const names = fs.existsSync(dataDir) ? fs.readdirSync(dataDir) : [];
        const staged = names.find((name) => name.startsWith("postgres.new-"));
        return staged !== undefined && fs.existsSync(join(dataDir, staged, sign));
      });
      one.child.kill("SIGKILL");
      await eventually("its end", 2_000, () => one.child.exitCode ?? one.child.signalCode);
      expect(fs.existsSync(join(dataDir, "postgres"))).toBe(false);
    }
    const next = await startEmbedded({ dataDir });
    expect(next.started).toBe("cold");
    expect(await query(next.url, "select 1 as one")).toEqual([{ one: 1 }]);
    await next.stop();
    const left = fs.readdirSync(dataDir).toSorted();
    expect(left).toEqual(["lock", "postgres"]);
    expect(isRoot ? fs.statSync(join(dataDir, "postgres", "data")).uid : 1).not.toBe(0);
  });
});
