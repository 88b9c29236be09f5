// The embedding API and composition root: a whole Signalbox server in one object.
// Promises: started in the order database, schema, engine, keys, doors, and stopped in the opposite
// one, so that everything accepted is answered and the database goes last; a start that fails
// leaves nothing running. Refusals (`StartRefused`, `EmbeddedRefused`, `SchemaRefused`) are
// sentences with an `exitCode`.
// Leaves to others: reading options (config.ts), signals and printing (cli/).

import { resolve } from "node:path";
import type { FastifyInstance } from "fastify";
import {
  bootstrap,
  type Bootstrapped,
  makeOwnerKey,
  originOf,
  ownerKeyExists,
} from "./bootstrap.ts";
import { DEFAULT_PORT, isLoopback, type ListenAddress, type Rate } from "./config.ts";
import { asDatabaseRefusal, databaseName, describeDatabase } from "./database-address.ts";
import {
  type KeyFiles,
  keyFilesOf,
  prepareDataFolder,
  removeServerFile,
  type ServerFile,
  writeServerFile,
} from "./data-folder.ts";
import { type RunningEngine, startEngine } from "./engine/engine.ts";
import type { Tracing } from "./engine/tracing/traces.ts";
import type { LiveEvents } from "./engine/services/tail/live-events.ts";
import { type Embedded, startEmbedded } from "./postgres/index.ts";
import { asListenRefusal, StartRefused } from "./start-refused.ts";
import { systemClock } from "./std/clock.ts";
import { type Logger, silentLogger } from "./std/logger.ts";
import { safeLogger } from "./std/scrub.ts";
import type { Connection } from "./store/db.ts";
import { migrate } from "./store/migrate.ts";
import { version } from "./version.ts";

export { EmbeddedRefused } from "./postgres/index.ts";
export { type StartRefusal, StartRefused } from "./start-refused.ts";
export { SchemaRefused } from "./store/migrate.ts";
export type { ListenAddress } from "./config.ts";
export { SpanIds } from "./engine/tracing/span-context.ts";
export type { Tracing } from "./engine/tracing/traces.ts";
export type { LimitInput } from "./domain/limit-notice/notice.ts";
export { type LimitVerdict, parseLimit } from "./domain/limit-notice/parse-limit.ts";
export type { Dropped, EventChannel, LiveItem } from "./engine/services/tail/live-events.ts";
export type { Logger } from "./std/logger.ts";

/** Options of {@link createSignalbox}. */
export type ServerOptions = {
  /** Any PostgreSQL from version 15 on. Absent: the one in the box, in the data folder. */
  databaseUrl?: string;
  /** A Valkey or Redis that gets every event, such as `redis://127.0.0.1:6379`. */
  eventsUrl?: string;
  /** For the database in the box, local keys and `server.json`. Default `.signalbox`. */
  dataDir?: string;
  /** Host names besides the loopback ones under which the server may be addressed. */
  allowedHosts?: readonly string[];
  /** Requests of one key; default 1,000 a second and 5,000 at once. */
  rate?: Rate;
  logger?: Logger;
  /**
   * Where traces go: `{ api, tracer, ids }` with the module `@opentelemetry/api`, a tracer, and the
   * `SpanIds` that its provider was given as `idGenerator`. Absent: traces are off.
   */
  tracing?: Tracing;
  /** The database in the box died and could not be started again: end the process. */
  onLost?: (error: Error) => void;
  /** Marks `server.json`: this server ends with the command that started it. Default false. */
  brief?: boolean;
};

/** A running server. */
export type SignalboxServer = {
  /** Accepts requests from now on. Returns the URL for clients on this machine. */
  listen: (address?: ListenAddress) => Promise<string>;
  /** Answers a request without a network, as Fastify's `inject`. */
  inject: FastifyInstance["inject"];
  /**
   * No new requests; those in progress have 10 s, streams end at once; then the engine, then the
   * database. Calling it again waits for the same end.
   */
  stop: () => Promise<void>;
  /** After `listen`. */
  readonly url: string | null;
  /** The installation's key in plain text, on the start that made it; else null. */
  readonly ownerKey: string | null;
  /** The key for commands on this machine; null when this machine was given none. */
  readonly cliKey: string | null;
  readonly ownerKeyFile: string;
  /** Events as they are committed, inside this process: listeners and channels per project. */
  readonly events: Pick<LiveEvents, "on" | "channel">;
  /** UUID of project `default`. */
  readonly projectId: string;
  readonly dataDir: string;
  readonly version: string;
  readonly database: {
    readonly kind: "embedded" | "external";
    /** How the database in the box came up; null for an external one. */
    readonly started: Embedded["started"] | null;
    /** `host:port` or the folder of the socket. */
    readonly where: string;
    /** Migrations that this start applied. */
    readonly migrations: readonly string[];
  };
  /** Another owner key, for an installation whose own was lost. */
  readonly makeOwnerKey: () => Promise<string>;
  /**
   * A link that logs one browser in, once, with the rights of this machine's key; null when it was
   * given none. After `listen`.
   */
  readonly loginLink: () => Promise<string | null>;
};

type Undo = () => Promise<void>;

type Base = {
  /** Null: the one in the box. */
  name: string | null;
  connection: Connection;
  embedded: Embedded | null;
  where: string;
  migrations: string[];
};

/**
 * Starts a server. It answers `inject` at once and the network after `listen`.
 *
 * @example
 * const server = await createSignalbox({ dataDir: ".signalbox" });
 * const url = await server.listen({ host: "127.0.0.1", port: 0 });
 * await server.stop();
 */
export async function createSignalbox(options: ServerOptions = {}): Promise<SignalboxServer> {
  const dataDir = prepareDataFolder(resolve(options.dataDir ?? ".signalbox"));
  const undo: Undo[] = [];
  try {
    const logger = safeLogger(options.logger ?? silentLogger);
    // The doors are built while the database starts, and open when the engine is there.
    const engine = {} as RunningEngine;
    const { base, doors } = await openBoth(options, dataDir, { undo, engine, logger });
    const { connection } = base;
    const { tracing } = options;
    const traced = tracing === undefined ? {} : { tracing };
    const { eventsUrl } = options;
    const sink = eventsUrl === undefined ? {} : { eventsUrl };
    Object.assign(engine, await startEngine({ connection, version, logger, ...traced, ...sink }));
    undo.push(() => engine.stop());
    const files = keyFilesOf(dataDir, base.name);
    const embedded = base.embedded !== null;
    const keys = await bootstrap({ engine, files, embedded, clock: systemClock });
    return serverOf({ options, dataDir, base, engine, keys, files, undo, doors });
  } catch (error) {
    await undoAll(undo);
    throw options.databaseUrl === undefined ? error : asDatabaseRefusal(error, options.databaseUrl);
  }
}

/**
 * Brings a database to the schema of this program, without serving. Returns the migrations it
 * applied and where the database is.
 */
export async function migrateDatabase(
  options: Pick<ServerOptions, "databaseUrl" | "dataDir" | "logger"> = {},
): Promise<{ migrations: string[]; where: string }> {
  const dataDir = prepareDataFolder(resolve(options.dataDir ?? ".signalbox"));
  const undo: Undo[] = [];
  try {
    const { migrations, where } = await openDatabase(options, dataDir, undo);
    return { migrations, where };
  } catch (error) {
    throw options.databaseUrl === undefined ? error : asDatabaseRefusal(error, options.databaseUrl);
  } finally {
    await undoAll(undo);
  }
}

type Doors = {
  /** For loopback addresses. */
  local: FastifyInstance;
  /** For an address that others can reach. */
  at: (host: string) => FastifyInstance;
};

/**
 * Reading the doors' modules takes as long as a warm start of the database, and holds up this
 * process: it begins as soon as the database has begun, so that both go on at once.
 */
async function openBoth(
  options: ServerOptions,
  dataDir: string,
  { undo, engine, logger }: { undo: Undo[]; engine: RunningEngine; logger: Logger },
): Promise<{ base: Base; doors: Doors }> {
  let launched = (): void => {};
  const isLaunched = new Promise<void>((resolve) => (launched = resolve));
  const opening = openDatabase(options, dataDir, undo, launched).finally(launched);
  const building = isLaunched.then(async (): Promise<Doors> => {
    const { createHttp } = await import("./http/server.ts");
    const { openDashboard } = await import("./http/dashboard.ts");
    const dashboard = openDashboard();
    const at = (host: string): FastifyInstance => {
      const allowedHosts = [...(options.allowedHosts ?? []), bracketed(host)];
      const rates = options.rate === undefined ? {} : { ordinary: options.rate };
      return createHttp(engine, { logger, version, allowedHosts, rates, dashboard });
    };
    const local = at("127.0.0.1");
    await local.ready();
    return { local, at };
  });
  const [base, doors] = await bothOf(opening, building);
  return { base, doors };
}

async function openDatabase(
  options: ServerOptions,
  dataDir: string,
  undo: Undo[],
  launched: () => void = () => {},
): Promise<Base> {
  const { databaseUrl } = options;
  if (databaseUrl !== undefined) {
    launched();
    const { where } = describeDatabase(databaseUrl);
    const connection = { connectionString: databaseUrl };
    const name = databaseName(databaseUrl);
    return { connection, name, embedded: null, where, migrations: await migrate(connection) };
  }
  const logger = safeLogger(options.logger ?? silentLogger);
  const embedded = await startEmbedded({
    dataDir,
    log: (line) => logger.info({ from: "postgres" }, line),
    onLaunched: launched,
    ...(options.onLost && { onLost: options.onLost }),
  });
  undo.push(() => embedded.stop());
  const { connection } = embedded;
  const migrations = await migrate(connection);
  return { connection, name: null, embedded, where: connection.host, migrations };
}

/** Waits for both to settle, so that a failure of one finds the other finished and can undo it. */
async function bothOf<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [one, two] = await Promise.allSettled([first, second]);
  if (one.status === "rejected") throw one.reason;
  if (two.status === "rejected") throw two.reason;
  return [one.value, two.value];
}

/** Runs the steps from the last to the first; one that fails does not stop the next. */
async function undoAll(undo: Undo[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of undo.splice(0).toReversed()) {
    await step().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

type Made = {
  options: ServerOptions;
  dataDir: string;
  base: Base;
  engine: RunningEngine;
  keys: Bootstrapped;
  files: KeyFiles;
  undo: Undo[];
  doors: Doors;
};

function serverOf(made: Made): SignalboxServer {
  const { dataDir, base, engine, keys, files, undo, doors } = made;
  let http: FastifyInstance | null = null;
  let url: string | null = null;
  let stopping: Promise<void> | null = null;
  const open = (host: string): FastifyInstance => {
    http ??= isLoopback(host) ? doors.local : doors.at(host);
    return http;
  };
  undo.push(async () => {
    removeServerFile(dataDir);
    await http?.close();
  });
  return {
    listen: async (address = { host: "127.0.0.1", port: DEFAULT_PORT }) => {
      if (url !== null) throw new Error("this server listens already");
      if (http !== null && !isLoopback(address.host)) throw new Error("listen before inject");
      if (!isLoopback(address.host)) await refuseWithoutKeys(engine);
      const app = open(address.host);
      const where = `${bracketed(address.host)}:${address.port}`;
      await app.listen(address).catch((error: unknown) => {
        throw asListenRefusal(error, where);
      });
      url = urlOf(app, address.host);
      writeServerFile(dataDir, serverFileOf(made, url));
      return url;
    },
    inject: (...given: Parameters<FastifyInstance["inject"]>) => open("127.0.0.1").inject(...given),
    stop: () => (stopping ??= undoAll(undo)),
    get url() {
      return url;
    },
    ownerKey: keys.newOwnerKey,
    cliKey: keys.cliKey,
    ownerKeyFile: files.owner,
    events: engine.events,
    projectId: keys.projectId,
    dataDir,
    version,
    database: {
      kind: base.embedded === null ? "external" : "embedded",
      started: base.embedded?.started ?? null,
      where: base.where,
      migrations: base.migrations,
    },
    makeOwnerKey: () => makeOwnerKey(engine),
    loginLink: async () => {
      const principal = keys.cliKey === null ? null : await engine.principal(keys.cliKey);
      if (principal === null || url === null) return null;
      const origin = { ...originOf(), actor: `key:${principal.prefix}` };
      return new URL((await engine.createLogin(principal, origin)).path, url).href;
    },
  };
}

/** A server that others can reach, and to which nobody has a key, is a mistake. */
async function refuseWithoutKeys(engine: RunningEngine): Promise<void> {
  if (await ownerKeyExists(engine, systemClock.wall())) return;
  throw new StartRefused(
    "no_key",
    "No owner key exists, so this server listens on loopback only; make one with " +
      "`signalbox db owner-key`.",
  );
}

const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host);

/** The URL for clients on this machine: a wildcard is reached through loopback. */
function urlOf(app: FastifyInstance, host: string): string {
  const address = app.server.address();
  const port = typeof address === "object" && address !== null ? address.port : DEFAULT_PORT;
  const here = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${bracketed(here)}:${port}`;
}

function serverFileOf({ options, dataDir, base, files }: Made, url: string): ServerFile {
  return {
    url,
    pid: process.pid,
    started_at: new Date(systemClock.wall()).toISOString(),
    version,
    database: base.embedded === null ? "external" : "embedded",
    // The password of an external database stays where it came from.
    ...(base.embedded && { database_url: base.embedded.url }),
    data_folder: dataDir,
    owner_key_file: files.owner,
    cli_key_file: files.cli,
    brief: options.brief ?? false,
  };
}
