// The data folder beside the database: local keys and the file that says where the server is.
//   owner.key, cli.key     0600; the installation's key, and the one of this machine's commands.
//                          With an external database: owner.<name>.key, one pair per database.
//   server.json            0600; there while a server runs, so that commands find it
// Promises: files are written whole or not at all and are private; what cannot be read is none;
// a server only removes its own `server.json`.
// Leaves to others: `postgres/` and `lock/` (postgres/), looking for the folder (cli/discovery).

import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { asFolderRefusal, StartRefused } from "./start-refused.ts";

/** What `server.json` says. `database_url` only of the database in the box. */
export type ServerFile = {
  url: string;
  pid: number;
  started_at: string;
  version: string;
  database: "embedded" | "external";
  database_url?: string;
  data_folder: string;
  owner_key_file: string;
  cli_key_file: string;
  /** Started by a command for its own time: it goes when that command ends. */
  brief: boolean;
};

export type KeyFiles = { readonly owner: string; readonly cli: string };

/** Makes the folder if it is not there. Throws `StartRefused` when it cannot be used. */
export function prepareDataFolder(folder: string): string {
  try {
    if (fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory() === false) {
      throw new StartRefused(
        "bad_folder",
        `${folder} is a file; choose a folder with --data (SIGNALBOX_DATA).`,
      );
    }
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = fs.realpathSync(folder);
    // Keys and data are never for the repository around them.
    const ignore = join(path, ".gitignore");
    if (!fs.existsSync(ignore)) fs.writeFileSync(ignore, "*\n", { mode: 0o600 });
    return path;
  } catch (error) {
    throw asFolderRefusal(error, folder);
  }
}

/** Where the local keys are kept: of the database in the box (null), or of another by its name. */
export function keyFilesOf(folder: string, name: string | null): KeyFiles {
  const part = name === null ? "" : `.${name}`;
  return { owner: join(folder, `owner${part}.key`), cli: join(folder, `cli${part}.key`) };
}

/** The key in a file, or null. */
export function readKey(path: string): string | null {
  try {
    const text = fs.readFileSync(path, "utf8").trim();
    return text === "" ? null : text;
  } catch {
    return null;
  }
}

/** Writes a file of mode 0600, durably and in one step. */
export function writePrivate(path: string, text: string): void {
  const draft = `${path}.${process.pid}-${randomBytes(4).toString("hex")}`;
  try {
    const fd = fs.openSync(draft, "wx", 0o600);
    try {
      fs.writeSync(fd, text);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(draft, path);
  } catch (error) {
    fs.rmSync(draft, { force: true });
    throw asFolderRefusal(error, path);
  }
}

const serverFile = (folder: string): string => join(folder, "server.json");

export function writeServerFile(folder: string, file: ServerFile): void {
  writePrivate(serverFile(folder), `${JSON.stringify(file, null, 2)}\n`);
}

/** What `server.json` says, whether or not that server still runs. */
export function readServerFile(folder: string): ServerFile | null {
  try {
    const file = JSON.parse(fs.readFileSync(serverFile(folder), "utf8")) as ServerFile;
    return typeof file.url === "string" && typeof file.pid === "number" ? file : null;
  } catch {
    return null;
  }
}

/** Removes `server.json` if it is this process's. */
export function removeServerFile(folder: string): void {
  if (readServerFile(folder)?.pid === process.pid) fs.rmSync(serverFile(folder), { force: true });
}
