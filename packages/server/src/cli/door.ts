// The way to a server: finds it, chooses the key, and starts a server when the command may.
// Promises: no configuration is needed on the machine that runs `up`; a key is only ever sent to
// the server it belongs to; what was started here is stopped by `close`.
// Leaves to others: looking for the server (discovery.ts), serving (brief-server.ts).

import { Signalbox } from "@signalbox/sdk";
import { type Config, DEFAULT_PROJECT } from "../config.ts";
import { readKey, type ServerFile } from "../data-folder.ts";
import { type Around, keepServed, serveBriefly, type Served } from "./brief-server.ts";
import { chooseDataFolder, findServer, wasUsed } from "./discovery.ts";
import { exit } from "./exit-codes.ts";
import { CommandFailed } from "./failure.ts";

export type Door = {
  client: Signalbox;
  url: string;
  key: string;
  /** Null: the server was named by its URL. */
  file: ServerFile | null;
  close: () => Promise<void>;
};

export type DoorOptions = {
  /**
   * When no server answers: refuse, start one if the data folder holds a register to look at, or
   * start one in any case.
   */
  otherwise: "refuse" | "start_if_used" | "start";
  /** Act as the owner of the installation. */
  owner?: boolean;
  /** Go on serving should the process that serves end before this command. */
  stay?: boolean;
};

/** What most commands ask for: to look at a register or act on it, wherever it is. */
export const usual = { otherwise: "start_if_used" } as const satisfies DoorOptions;

/** Opens the way to a server. Close it. */
export async function openDoor(around: Around, options: DoorOptions): Promise<Door> {
  const { config } = around;
  if (config.url !== null) return remoteDoor(config, config.url, options);
  const found = findServer(config);
  const served: Served = found === null ? await serve(around, options) : { file: found, own: null };
  const close =
    options.stay === true
      ? keepServed(around, served)
      : async (): Promise<void> => served.own?.stop();
  try {
    const key = keyFor(config, served.file, options);
    return { ...doorWith(config, served.file.url, key), file: served.file, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Opens, uses, closes. */
export async function throughDoor<T>(
  around: Around,
  options: DoorOptions,
  use: (door: Door) => Promise<T>,
): Promise<T> {
  const door = await openDoor(around, options);
  try {
    return await use(door);
  } finally {
    await door.close();
  }
}

async function serve(around: Around, { otherwise }: DoorOptions): Promise<Served> {
  const folder = chooseDataFolder(around.config);
  if (otherwise === "start" || (otherwise === "start_if_used" && wasUsed(folder))) {
    return serveBriefly(around, folder);
  }
  throw new CommandFailed(
    exit("unavailable"),
    "no_server",
    "No Signalbox server runs here; start one with `signalbox up`, " +
      "or name one with SIGNALBOX_URL and SIGNALBOX_KEY.",
  );
}

function remoteDoor(config: Config, url: string, options: DoorOptions): Door {
  const local = findServer(config);
  const isLocal = local !== null && sameServer(local.url, url);
  const key = isLocal ? keyFor(config, local, options) : config.key;
  if (key === null) throw noKey(url);
  const close = async (): Promise<void> => {};
  return { ...doorWith(config, url, key), file: isLocal ? local : null, close };
}

function sameServer(one: string, other: string): boolean {
  return new URL(one).origin === new URL(other).origin.replace("//localhost:", "//127.0.0.1:");
}

/** The local key of a server: the owner's for what only the owner may, and for other projects. */
function keyFor(config: Config, file: ServerFile, { owner = false }: DoorOptions): string {
  if (config.key !== null) return config.key;
  const elsewhere = config.project !== null && config.project !== DEFAULT_PROJECT;
  const own = owner || elsewhere ? null : readKey(file.cli_key_file);
  const key = own ?? readKey(file.owner_key_file) ?? readKey(file.cli_key_file);
  if (key === null) throw noKey(file.url);
  return key;
}

function noKey(url: string): CommandFailed {
  return new CommandFailed(
    exit("permission"),
    "no_key",
    `No key for ${url} is known here; set SIGNALBOX_KEY (\`signalbox keys create\` makes one).`,
  );
}

function doorWith(config: Config, url: string, key: string): Pick<Door, "client" | "url" | "key"> {
  const project = config.project === null ? {} : { project: config.project };
  return { client: new Signalbox({ url, key, ...project }), url, key };
}
