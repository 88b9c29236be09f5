// The ordinary life of the embedded database: first start, later starts, a second server, stop.

import * as fs from "node:fs";
import { join } from "node:path";

import pg from "pg";
import { describe, expect, test } from "vitest";

import { describeHolder, EmbeddedRefused, startEmbedded } from "../../src/postgres/index.ts";
import {
  busy,
  isRoot,
  postmasters,
  processes,
  project,
  query,
  rejection,
  server,
  used,
} from "./scene.ts";

const modeOf = (path: string): string => (fs.statSync(path).mode & 0o777).toString(8);

describe("start and stop", () => {
  test("cold, then warm with the data still there; the times are those promised", async () => {
    const { dataDir } = project();
    const before = performance.now();
    const first = await startEmbedded({ dataDir });
    const cold = performance.now() - before;
    expect(first.started).toBe("cold");
    await query(first.url, "create table kept (n int); insert into kept values (42)");
    await first.stop();
    await first.stop();
    expect(postmasters(dataDir)).toEqual([]);

    const again = performance.now();
    const second = await startEmbedded({ dataDir });
    const warm = performance.now() - again;
    expect(second.started).toBe("warm");
    expect(await query(second.url, "select n from kept")).toEqual([{ n: 42 }]);
    await second.stop();
    // Measured alone on 2 cores: 0.75 s and 0.1 s.
    expect(cold).toBeLessThan(busy(2_000));
    expect(warm).toBeLessThan(busy(500));
  });

  test("url and connection lead to the same database, UTF-8, as its owner", async () => {
    const { dataDir } = await used();
    const database = await startEmbedded({ dataDir });
    const sql =
      "select current_database() as database, current_user as user, " +
      "current_setting('server_encoding') as encoding, current_setting('port')::int as port, " +
      "(select rolcreaterole from pg_roles where rolname = current_user) as makes_roles, " +
      "(select datdba::regrole::text from pg_database where datname = current_database()) as owner";
    const expected = {
      database: "signalbox",
      user: "signalbox_owner",
      encoding: "UTF8",
      port: database.connection.port,
      makes_roles: true,
      owner: "signalbox_owner",
    };
    expect(await query(database.url, sql)).toEqual([expected]);
    const client = new pg.Client(database.connection);
    await client.connect();
    expect((await client.query(sql)).rows).toEqual([expected]);
    await client.end();
    await database.stop();
  });

  test("a path with blanks, commas, quotes and letters of all kinds", async () => {
    const { root } = project();
    const dataDir = join(root, `a b, "c" 'd' $e é&+%41`);
    const database = await startEmbedded({ dataDir });
    expect(database.connection.host).toBe(join(dataDir, "postgres", "run"));
    expect(await query(database.url, "select 1 as one")).toEqual([{ one: 1 }]);
    await database.stop();
  });

  test("a path of 200 characters gets a short socket, removed at the stop", async () => {
    const { root } = project();
    const dataDir = join(root, "x".repeat(100), "y".repeat(100), ".signalbox");
    for (const folder of [join(root, "x".repeat(100)), join(dataDir, "..")]) {
      fs.mkdirSync(folder, { mode: 0o755 });
    }
    const database = await startEmbedded({ dataDir });
    const { host } = database.connection;
    expect(Buffer.byteLength(host)).toBeLessThan(80);
    expect(modeOf(host)).toBe("700");
    expect(await query(database.url, "select 1 as one")).toEqual([{ one: 1 }]);
    await database.stop();
    expect(fs.existsSync(host)).toBe(false);
  });
});

describe("a second server on the folder", () => {
  test("is refused within a second, names the holder, touches nothing", async () => {
    const { dataDir } = await used();
    const holder = server(dataDir);
    const { url = "", pid } = await holder.next();
    const log = fs.readFileSync(join(dataDir, "postgres", "log"), "utf8");

    const before = performance.now();
    const error = await rejection(startEmbedded({ dataDir }));
    expect(performance.now() - before).toBeLessThan(busy(1_000));
    expect(error).toBeInstanceOf(EmbeddedRefused);
    expect(error).toMatchObject({ code: "held", exitCode: 75 });
    const found = describeHolder(dataDir);
    expect(found).toMatchObject({ pid: holder.child.pid });
    expect(found?.command).toContain("server.mjs");
    expect(Math.abs(Date.now() - Date.parse(found?.started ?? ""))).toBeLessThan(60_000);
    const { message } = error as Error;
    for (const part of [`process ${found?.pid}`, found?.started, "server.mjs"]) {
      expect(message).toContain(part);
    }

    expect(fs.readFileSync(join(dataDir, "postgres", "log"), "utf8")).toBe(log);
    expect(postmasters(dataDir).map((one) => one.pid)).toEqual([pid]);
    expect(await query(url, "select 1 as one")).toEqual([{ one: 1 }]);
    holder.child.kill("SIGTERM");
    expect(await holder.next()).toEqual({ stopped: true });
    expect(describeHolder(dataDir)).toBeNull();
  });

  test.each(["flock", "no-such-tool"])("of six started at once one serves (%s)", async (tool) => {
    const { dataDir } = project();
    const all = Array.from({ length: 6 }, () => server(dataDir, tool));
    const answers = await Promise.all(all.map((one) => one.next()));
    expect(answers.filter((one) => one.started === "cold")).toHaveLength(1);
    expect(answers.filter((one) => one.code === "held")).toHaveLength(5);
    expect(postmasters(dataDir)).toHaveLength(1);
  });
});

describe("what others can see and do", () => {
  test("files and folders are private, the password is nowhere on a command line", async () => {
    const { dataDir } = project();
    const database = await startEmbedded({ dataDir });
    const folder = join(dataDir, "postgres");
    const password = fs.readFileSync(join(folder, "password"), "utf8").trim();
    expect(password).toHaveLength(43);
    expect(modeOf(join(folder, "password"))).toBe("600");
    expect(modeOf(join(folder, "data"))).toBe("700");
    expect(modeOf(join(folder, "run"))).toBe("700");
    // Root's folders let one group pass through; nobody may list them.
    for (const path of [dataDir, folder]) expect(modeOf(path)).toBe(isRoot ? "710" : "700");
    expect(fs.existsSync(join(folder, "pwfile"))).toBe(false);
    expect(processes(password)).toEqual([]);
    expect(processes(dataDir).length).toBeGreaterThan(0);
    const account = fs.statSync(join(folder, "data")).uid;
    expect(account).not.toBe(0);
    expect(fs.statSync(join(folder, "password")).uid).toBe(process.geteuid?.());
    await database.stop();
  });

  test("no TCP port is open and a wrong password is refused", async () => {
    const { dataDir } = await used();
    const database = await startEmbedded({ dataDir });
    const sql =
      "select current_setting('listen_addresses') as tcp, " +
      "(select array_agg(distinct auth_method) from pg_hba_file_rules) as methods, " +
      "(select count(*)::int from pg_hba_file_rules where type <> 'local') as not_local";
    const row = { tcp: "", methods: ["scram-sha-256"], not_local: 0 };
    expect(await query(database.url, sql)).toEqual([row]);
    for (const password of ["wrong", ""]) {
      const client = new pg.Client({ ...database.connection, password });
      const error = await rejection(client.connect());
      expect(String(error)).toMatch(/password/i);
    }
    await database.stop();
  });

  test("durable settings cannot be turned off, neither by option nor by alter system", async () => {
    const { dataDir } = await used();
    const settings = { fsync: "off", full_page_writes: "off", work_mem: "5MB" };
    const sql =
      "select name, setting from pg_settings where name in " +
      "('fsync', 'full_page_writes', 'synchronous_commit', 'work_mem') order by name";
    const expected = [
      { name: "fsync", setting: "on" },
      { name: "full_page_writes", setting: "on" },
      { name: "synchronous_commit", setting: "on" },
      { name: "work_mem", setting: "5120" },
    ];
    const first = await startEmbedded({ dataDir, settings });
    expect(await query(first.url, sql)).toEqual(expected);
    await query(first.url, "alter system set fsync = off");
    await query(first.url, "alter system set synchronous_commit = off");
    await first.stop();
    const second = await startEmbedded({ dataDir, settings });
    expect(await query(second.url, sql)).toEqual(expected);
    await second.stop();
  });

  test("a role set to lose commits is noticed", async () => {
    const { dataDir } = await used();
    const first = await startEmbedded({ dataDir });
    await query(first.url, "alter role signalbox_owner set synchronous_commit = off");
    await first.stop();
    const error = await rejection(startEmbedded({ dataDir }));
    expect(error).toMatchObject({ code: "start_failed" });
    expect(String(error)).toContain("synchronous_commit = off");
    expect(postmasters(dataDir)).toEqual([]);
  });
});
