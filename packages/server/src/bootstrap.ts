// The first start: project `default`, the installation's owner key, and a key for the commands of
// this machine. Promises: one owner key per installation, however many servers start at once on a
// fresh database; a key's plain text is in one file of mode 0600 and in the answer of the start
// that made it, nowhere else; later starts make only what is missing.
// Leaves to others: telling the owner key to a person (cli), the files (data-folder.ts).

import type { Engine, Origin } from "./engine/contract.ts";
import type { Role } from "./domain/key.ts";
import { isRefusal } from "./domain/refusal.ts";
import { fromTypeId, newUuid, toTypeId } from "./std/ids.ts";
import type { Clock } from "./std/clock.ts";
import { DEFAULT_PROJECT } from "./config.ts";
import { type KeyFiles, readKey, writePrivate } from "./data-folder.ts";

export type Bootstrapped = {
  /** UUID of project `default`. */
  projectId: string;
  /** The plain owner key, if this start made it; else null. */
  newOwnerKey: string | null;
  /** The plain key of this machine's commands; null when this machine was given none. */
  cliKey: string | null;
};

export type BootstrapOptions = {
  engine: Engine;
  /** Null: nothing is kept on disk. */
  files: KeyFiles | null;
  /** Whoever holds the folder owns the database in the box, so a lost key is simply made anew. */
  embedded: boolean;
  clock: Clock;
};

/** How long the loser of a race on a fresh database waits for the winner's owner key. */
const ELECTION_MS = 2_000;
const LOOK_EVERY_MS = 50;

/** What the house does by itself: nobody asked for it. */
export const originOf = (): Origin => ({
  actor: "house",
  requestId: toTypeId("req", newUuid()),
  traceparent: null,
});

/** Makes what is missing. Idempotent; safe in several processes at once. */
export async function bootstrap(options: BootstrapOptions): Promise<Bootstrapped> {
  const { projectId, made } = await defaultProject(options.engine);
  const newOwnerKey = await ownerKey(options, made);
  const knowsOwner = newOwnerKey !== null || (await fileOpens(options, "owner", null));
  const mayMake = options.embedded || knowsOwner;
  const cliKey = await localKey(options, projectId, mayMake);
  return { projectId, newOwnerKey, cliKey };
}

async function defaultProject(engine: Engine): Promise<{ projectId: string; made: boolean }> {
  const known = await engine.findProject(DEFAULT_PROJECT);
  if (known !== null) return { projectId: uuidOf(known.id), made: false };
  const created = await engine.createProject(DEFAULT_PROJECT, originOf());
  if (!isRefusal(created)) return { projectId: uuidOf(created.id), made: true };
  const others = await engine.findProject(DEFAULT_PROJECT);
  if (others === null) throw new Error(`project "${DEFAULT_PROJECT}": ${created.detail}`);
  return { projectId: uuidOf(others.id), made: false };
}

function uuidOf(projectId: string): string {
  const uuid = fromTypeId("prj", projectId);
  if (uuid === null) throw new Error(`the engine answered with project id ${projectId}`);
  return uuid;
}

/** Makes the owner key if there is none; whoever made the project goes first. */
async function ownerKey(options: BootstrapOptions, first: boolean): Promise<string | null> {
  const { engine, files, embedded, clock } = options;
  if (await fileOpens(options, "owner", null)) return null;
  const waitMs = first ? 0 : ELECTION_MS;
  if (!embedded && (await appears(engine, clock, waitMs))) return null;
  const key = await makeKey(engine, null, { name: "installation", roles: ["owner"] });
  if (files !== null) writePrivate(files.owner, `${key}\n`);
  return key;
}

/** Waits for the owner key that another server may be about to make. */
async function appears(engine: Engine, clock: Clock, waitMs: number): Promise<boolean> {
  const until = clock.mono() + waitMs;
  for (;;) {
    if (await ownerKeyExists(engine, clock.wall())) return true;
    if (clock.mono() >= until) return false;
    await new Promise<void>((resolve) => void clock.setDeadline(LOOK_EVERY_MS, resolve));
  }
}

/** Whether an owner key exists that is neither revoked nor expired. */
export async function ownerKeyExists(engine: Engine, now: number): Promise<boolean> {
  const keys = await engine.keys(null);
  return keys.some(
    (key) =>
      key.revoked_at === null && (key.expires_at === null || Date.parse(key.expires_at) > now),
  );
}

/** The key in the file is the one of this database. */
async function fileOpens(
  { engine, files }: BootstrapOptions,
  which: keyof KeyFiles,
  projectId: string | null,
): Promise<boolean> {
  const key = files === null ? null : readKey(files[which]);
  const principal = key === null ? null : await engine.principal(key);
  return principal !== null && principal.projectId === projectId;
}

async function localKey(
  options: BootstrapOptions,
  projectId: string,
  mayMake: boolean,
): Promise<string | null> {
  const { engine, files } = options;
  if (files !== null && (await fileOpens(options, "cli", projectId))) return readKey(files.cli);
  if (!mayMake || files === null) return null;
  const key = await makeKey(engine, projectId, { name: "this machine", roles: ["admin"] });
  writePrivate(files.cli, `${key}\n`);
  return key;
}

/** A new owner key, for an installation whose own was lost. */
export async function makeOwnerKey(engine: Engine): Promise<string> {
  return makeKey(engine, null, { name: "installation", roles: ["owner"] });
}

async function makeKey(
  engine: Engine,
  projectId: string | null,
  what: { name: string; roles: Role[] },
): Promise<string> {
  const made = await engine.createKey(projectId, { ...what, expiresAt: null }, originOf());
  if (isRefusal(made)) throw new Error(`a key could not be made: ${made.detail}`);
  return made.key;
}
