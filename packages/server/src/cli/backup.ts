// A copy of a data folder: the database in the box as files, and the local keys.
// Promises: under the folder's lock, after a clean stop, so the files are whole by themselves;
// every file and folder is flushed, and the copy gets its name only when it is complete; lives
// under the same account as the original. Leaves to others: stopping the database first
// (commands/db.ts).

import * as fs from "node:fs";
import { dirname, join, resolve } from "node:path";
import { takeLock } from "../postgres/lock.ts";
import { knownPlace } from "../postgres/place.ts";
import { exit } from "./exit-codes.ts";
import { CommandFailed } from "./failure.ts";

export type Copied = { folder: string; files: number; bytes: number };

/** What of a data folder is not data: it says where the original is, and who holds it. */
const LEFT_OUT = new Set(["lock", "server.json", "postgres.location", "postgres"]);

/** Copies the data folder to `target`. Throws `EmbeddedRefused` while somebody holds it. */
export async function backUp(
  folder: string,
  target: string,
  tell: (files: number, bytes: number) => void,
): Promise<Copied> {
  const final = resolve(target);
  if (fs.existsSync(final)) {
    throw new CommandFailed(exit("usage"), "exists", `${final} exists already; name a new folder.`);
  }
  const lock = await takeLock(folder);
  const draft = `${final}.partial-${process.pid}`;
  try {
    const place = knownPlace(folder) ?? folder;
    if (fs.existsSync(join(place, "postgres", "data", "postmaster.pid"))) {
      throw new CommandFailed(
        exit("temporary"),
        "not_stopped",
        `The database in ${folder} did not stop cleanly; try again.`,
      );
    }
    fs.mkdirSync(dirname(final), { recursive: true });
    const copied: Copied = { folder: final, files: 0, bytes: 0 };
    const copy = new Copy(copied, tell);
    fs.mkdirSync(draft, { mode: 0o700 });
    for (const name of fs.readdirSync(folder)) {
      if (!LEFT_OUT.has(name)) await copy.entry(join(folder, name), join(draft, name));
    }
    await copy.entry(join(place, "postgres"), join(draft, "postgres"));
    flush(draft);
    fs.renameSync(draft, final);
    flush(dirname(final));
    return copied;
  } finally {
    lock.release();
    fs.rmSync(draft, { recursive: true, force: true });
  }
}

class Copy {
  readonly #copied: Copied;
  readonly #tell: (files: number, bytes: number) => void;

  constructor(copied: Copied, tell: (files: number, bytes: number) => void) {
    this.#copied = copied;
    this.#tell = tell;
  }

  async entry(from: string, to: string): Promise<void> {
    const stat = fs.lstatSync(from);
    if (stat.isDirectory()) {
      fs.mkdirSync(to, { mode: 0o700 });
      for (const name of fs.readdirSync(from)) await this.entry(join(from, name), join(to, name));
    } else if (stat.isSymbolicLink()) {
      fs.symlinkSync(fs.readlinkSync(from), to);
      return;
    } else if (stat.isFile()) {
      await fs.promises.copyFile(from, to, fs.constants.COPYFILE_FICLONE);
      this.#copied.files += 1;
      this.#copied.bytes += stat.size;
      this.#tell(this.#copied.files, this.#copied.bytes);
    } else {
      return; // sockets: made anew by every start
    }
    // Owner before mode: changing the owner may clear bits of the mode.
    fs.chownSync(to, stat.uid, stat.gid);
    fs.chmodSync(to, stat.mode & 0o7777);
    flush(to);
  }
}

function flush(path: string): void {
  const fd = fs.openSync(path, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
