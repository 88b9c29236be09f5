// Which account PostgreSQL runs under. It refuses to run as root, so root steps down to an
// account that exists already; everybody else runs it as themselves.
// Promise: no account is ever created; a database that exists keeps the account that owns it.
// Leaves to others: folders that account can reach (place.ts).

import { readFileSync, statSync } from "node:fs";
import { userInfo } from "node:os";

import { type OsUser, run } from "./command.ts";
import { EmbeddedRefused, wayOut } from "./refused.ts";

/** In this order; the first that exists and that we may become. */
const candidates = ["postgres", "nobody", "daemon", "www-data", "node"];

function accounts(): OsUser[] {
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  const known = lines.map((line) => line.split(":"));
  return candidates.flatMap((name) => {
    const [, , uid, gid] = known.find(([login]) => login === name) ?? [];
    const usable = Number(uid) > 0 && Number(uid) < 2 ** 31 && Number(gid) >= 0;
    return usable ? { uid: Number(uid), gid: Number(gid), name, drop: true } : [];
  });
}

async function stepDown(): Promise<OsUser> {
  for (const account of accounts()) {
    // In a user namespace an account may exist that no process can become.
    const { code } = await run("/bin/sh", ["-c", ":"], account);
    if (code === 0) return account;
  }
  throw new EmbeddedRefused(
    "no_user",
    `PostgreSQL does not run as root, and none of the accounts ${candidates.join(", ")} ` +
      `exists and can be switched to. Run signalbox as an ordinary user. ${wayOut}`,
  );
}

function ownName(uid: number): string {
  try {
    return userInfo().username;
  } catch {
    throw new EmbeddedRefused(
      "no_user",
      `PostgreSQL needs an account name, and user id ${uid} has no entry in /etc/passwd. ` +
        `Run signalbox as a user that has one. ${wayOut}`,
    );
  }
}

/** `data` is the data directory that exists, or null before the first start. */
export async function chooseUser(data: string | null): Promise<OsUser> {
  const self = process.geteuid?.() ?? -1;
  const owner = data === null ? null : statSync(data);
  if (self !== 0) {
    if (owner !== null && owner.uid !== self) {
      throw new EmbeddedRefused(
        "no_user",
        `The database in ${data} belongs to user id ${owner.uid}, this process runs as ${self}. ` +
          `Start signalbox as the user that started it first. ${wayOut}`,
      );
    }
    return { uid: self, gid: process.getegid?.() ?? -1, name: ownName(self), drop: false };
  }
  if (owner !== null && owner.uid !== 0) {
    return { uid: owner.uid, gid: owner.gid, name: `user id ${owner.uid}`, drop: true };
  }
  return await stepDown();
}
