// One database on disk: its folder, its first initialisation, the checks before it is opened.
//   postgres/signalbox.json  our marker, with the id that names its processes
//   postgres/password        0600, random; postgres/hba.conf  scram on the socket, nothing else
//   postgres/lock, log       held by the postmaster; what it says
//   postgres/data, run       PGDATA and the socket, 0700, owned by the account that runs it
// Promise: the folder is there whole or not at all; a foreign folder is refused, never changed.
// As root everything but data and run belongs to root: the account cannot redirect our writes.

import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";

import type { Binaries } from "./binaries.ts";
import { type OsUser, run } from "./command.ts";
import { openFor } from "./place.ts";
import { EmbeddedRefused } from "./refused.ts";
import { build, readMarker, removeLeftovers, writeDurably } from "./staging.ts";

export const owner = "signalbox_owner";
export const database = "signalbox";

export type Cluster = {
  folder: string;
  data: string;
  log: string;
  lock: string;
  hba: string;
  /** Part of the title of each of its processes. */
  name: string;
  password: string;
};

/** initdb writes 40 MB, the first WAL segments come on top. */
const roomNeeded = 128 * 2 ** 20;

async function initialise(folder: string, binaries: Binaries, user: OsUser): Promise<void> {
  const password = randomBytes(32).toString("base64url");
  const data = join(folder, "data");
  const pwfile = join(folder, "pwfile");
  openFor(user, folder);
  for (const path of [data, join(folder, "run")]) {
    fs.mkdirSync(path, { mode: 0o700 });
    if (user.drop) fs.chownSync(path, user.uid, user.gid);
  }
  writeDurably(join(folder, "password"), `${password}\n`);
  writeDurably(join(folder, "hba.conf"), "local all all scram-sha-256\n", 0o640);
  if (user.drop) fs.chownSync(join(folder, "hba.conf"), 0, user.gid);
  fs.writeFileSync(pwfile, `${password}\n`, { mode: 0o600 });
  if (user.drop) fs.chownSync(pwfile, user.uid, user.gid);
  // Collation by code point that no library update can change (F-70); durable: it flushes.
  const locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
  const secrets = [`--pwfile=${pwfile}`, "--auth=scram-sha-256"];
  const args = ["-D", data, "-U", owner, "-E", "UTF8", ...locale, ...secrets, "--no-instructions"];
  const { code, output, failure } = await run(binaries.initdb, args, user, 60_000);
  fs.rmSync(pwfile, { force: true });
  if (code !== 0) throw new Error(`initdb failed (${failure || code}): ${output.slice(-600)}`);
}

function checkMajor(data: string, binaries: Binaries): void {
  const found = fs.readFileSync(join(data, "PG_VERSION"), "utf8").trim();
  if (Number(found) === binaries.major) return;
  throw new EmbeddedRefused(
    "wrong_major",
    `The database in ${data} was made by PostgreSQL ${found}, this version of signalbox brings ` +
      `PostgreSQL ${binaries.major}. Nothing was changed. Start it with the version of signalbox ` +
      `that made it, or move its data to a new folder.`,
  );
}

/** A folder that root restored from a backup belongs to root: the account gets its part back. */
function restore(user: OsUser, folder: string): void {
  openFor(user, folder);
  fs.lchownSync(join(folder, "hba.conf"), 0, user.gid);
  for (const name of ["data", "run"]) give(user, join(folder, name));
}

function give(user: OsUser, path: string): void {
  if (fs.lstatSync(path).uid !== 0) return;
  fs.lchownSync(path, user.uid, user.gid);
  if (!fs.lstatSync(path).isDirectory()) return;
  for (const name of fs.readdirSync(path)) give(user, join(path, name));
}

/** Opens `place/postgres`, or makes it; `fresh` tells which. */
export async function openCluster(
  place: string,
  binaries: Binaries,
  user: OsUser,
): Promise<{ cluster: Cluster; fresh: boolean }> {
  const folder = join(place, "postgres");
  const fresh = !fs.existsSync(folder);
  if (fresh) {
    const { bavail, bsize } = fs.statfsSync(place);
    if (bavail * bsize < roomNeeded) {
      throw new EmbeddedRefused("disk_full", `Less than 128 MiB are free on the disk of ${place}.`);
    }
    await build(folder, "database", (staged) => initialise(staged, binaries, user));
  } else {
    checkOurs(folder);
    removeLeftovers(folder);
    checkMajor(join(folder, "data"), binaries);
    if (user.drop) restore(user, folder);
  }
  return { cluster: describe(folder), fresh };
}

/** Refuses what we did not make; called before anything in the folder is believed. */
export function checkOurs(folder: string): void {
  if (readMarker(folder)?.kind === "database") return;
  throw new EmbeddedRefused(
    "not_ours",
    `${folder} was not made by signalbox. Nothing in it was touched. ` +
      `Move it away, or choose another SIGNALBOX_DATA.`,
  );
}

function describe(folder: string): Cluster {
  const data = join(folder, "data");
  // A copy of the folder has the same id and must not pass for the original: the path counts.
  const id = `${readMarker(folder)?.id ?? ""} ${data}`;
  const name = createHash("sha256").update(id).digest("hex").slice(0, 12);
  return {
    folder,
    data,
    log: join(folder, "log"),
    lock: join(folder, "lock"),
    hba: join(folder, "hba.conf"),
    name: `signalbox-${name}`,
    password: fs.readFileSync(join(folder, "password"), "utf8").trim(),
  };
}

/** DBState in global/pg_control (a u32 at byte 16): 1 = shut down cleanly. */
export function endedCleanly(cluster: Cluster): boolean {
  const head = Buffer.alloc(20);
  const fd = fs.openSync(join(cluster.data, "global", "pg_control"), "r");
  try {
    fs.readSync(fd, head, 0, 20, 0);
  } finally {
    fs.closeSync(fd);
  }
  const state = new Uint32Array(head.buffer, head.byteOffset, 5)[4];
  return state === 1;
}
