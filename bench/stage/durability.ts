// What a speed was bought with: how the database writes, and how long this disk takes to.
// Promises: the settings are asked of the database that is measured; the disk is measured with one
// 8 KiB write and `fdatasync` at a time, in the folder of the stage; `pg_test_fsync`, where it is
// found, says the same with PostgreSQL's own code.
// Leaves to others: the machine (machine.ts), judging.

import { spawn } from "node:child_process";
import { closeSync, existsSync, fdatasyncSync, openSync, readdirSync, writeSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";

import { quantile } from "./figures.ts";
import type { Register } from "./register.ts";
import type { Stage } from "./stage.ts";

const settings = `
  select name, current_setting(name) as setting from pg_settings
  where name in ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes',
    'wal_sync_method', 'shared_buffers', 'max_wal_size')
  order by name`;

const SYNCS = 500;
const BLOCK = 8_192;

/** Settings of the database by name, and the microseconds of one sync of this disk. */
export async function durabilityOf(
  register: Register,
  stage: Stage,
): Promise<Record<string, string>> {
  const rows = await register.rows<{ name: string; setting: string }>(settings);
  const facts = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  const syncs = syncMicros(join(stage.makeFolder("disk"), "block"), stage.size(SYNCS, 20));
  facts["fdatasync_us"] = `${quantile(syncs, 0.5)} (p99 ${quantile(syncs, 0.99)})`;
  const tested = stage.quick ? null : await testedMicros(join(stage.makeFolder("disk"), "tested"));
  if (tested !== null) facts["pg_test_fsync_us"] = tested;
  return facts;
}

function syncMicros(path: string, count: number): number[] {
  const file = openSync(path, "w");
  const block = Buffer.alloc(BLOCK, 1);
  try {
    return Array.from({ length: count }, () => {
      const began = performance.now();
      writeSync(file, block, 0, BLOCK, 0);
      fdatasyncSync(file);
      return Math.round((performance.now() - began) * 1_000);
    });
  } finally {
    closeSync(file);
  }
}

/** A program of PostgreSQL's: in PATH, or where Debian keeps it. Null when it is not there. */
export function findTool(name: string): string | null {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).toSorted().toReversed() : [];
  const folders = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    ...versions.map((version) => join(debian, version, "bin")),
  ];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

/** `pg_test_fsync`'s figure for fdatasync; it goes on with others for long, so it is ended then. */
async function testedMicros(path: string): Promise<string | null> {
  const tool = findTool("pg_test_fsync");
  if (tool === null) return null;
  const child = spawn(tool, ["-s", "1", "-f", path], { stdio: ["ignore", "pipe", "ignore"] });
  let found: string | null = null;
  child.on("error", () => {});
  for await (const line of createInterface({ input: child.stdout })) {
    found = /^\s+fdatasync\s.*?(\d+) usecs\/op/.exec(line)?.[1] ?? null;
    if (found !== null) break;
  }
  child.kill("SIGTERM");
  return found;
}
