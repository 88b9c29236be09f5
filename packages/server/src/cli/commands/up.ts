// `up`: the server of this machine, with its database, until it is asked to stop.
// Promises: says where it listens, where the data lies and how to stop; SIGINT, SIGTERM or SIGHUP:
// no new requests → those in progress end → engine → database, exit 0; a second one ends at once
// (the database then recovers at the next start). A start that cannot be is one sentence.
// Leaves to others: everything the server does (index.ts).

import { basename, dirname } from "node:path";
import { type Config, isLoopback } from "../../config.ts";
import { prepareDataFolder } from "../../data-folder.ts";
import type { SignalboxServer } from "../../index.ts";
import { takeLock } from "../../postgres/lock.ts";
import { EmbeddedRefused } from "../../postgres/refused.ts";
import { type Call, type CommandSpec } from "../command.ts";
import { chooseDataFolder, forgetCurrent, rememberCurrent, runningServer } from "../discovery.ts";
import { exit } from "../exit-codes.ts";
import { exitOfSignal, onInterruption } from "../interruptions.ts";
import { loggerFrom } from "../log.ts";
import { safeText } from "../safe-text.ts";
import { duration } from "../show-run.ts";
import { openTraces } from "../trace-export.ts";

export const upCommand: CommandSpec = {
  words: "up",
  says: "Start the server, with a PostgreSQL in the box unless DATABASE_URL names another",
  more:
    "Stop it with Ctrl-C: requests in progress are finished, the database goes last; a second " +
    "Ctrl-C ends at once.",
  options: ["listen", "allowedHosts", "rate", "data", "logLevel", "logFormat"],
  examples: [
    "signalbox up",
    "signalbox up --listen 127.0.0.1:0",
    "DATABASE_URL=postgres://user:password@db:5432/signalbox signalbox up --listen " +
      "0.0.0.0:4400 --allowed-hosts box.example.org",
  ],
  act: async (call) => {
    const { config, screen } = call;
    const began = performance.now();
    const logger = loggerFrom(config, screen.asideColours);
    let onLost: (error: Error) => void = () => {};
    const lost = new Promise<Error>((resolve) => (onLost = resolve));
    const progress = screen.progress("starting …");
    const interrupted = new Interrupted();
    let server: SignalboxServer | null = null;
    const traces = await openTraces(config, logger);
    const dataDir = prepareDataFolder(chooseDataFolder(config));
    try {
      if (config.databaseUrl === null) await refuseIfHeld(dataDir);
      const { createSignalbox } = await import("../../index.ts");
      server = await createSignalbox({
        dataDir,
        allowedHosts: config.allowedHosts,
        rate: config.rate,
        logger,
        onLost,
        ...(traces !== null && { tracing: traces.tracing }),
        ...(config.databaseUrl !== null && { databaseUrl: config.databaseUrl }),
        ...(config.eventsUrl !== null && { eventsUrl: config.eventsUrl }),
      });
      await server.listen(config.listen);
    } catch (error) {
      await server?.stop();
      await traces?.stop();
      throw error;
    } finally {
      progress.done();
    }
    const tookMs = performance.now() - began;
    announce(call, server, { tookMs, loginLink: await server.loginLink() });
    rememberCurrent(config, server.dataDir);
    const ended = await Promise.race([interrupted.first, lost]);
    const isLost = ended instanceof Error;
    if (isLost) logger.error({ err: ended }, "the database is lost; stopping");
    else screen.aside(`\nstopping (${ended}): finishing requests, then the database …`);
    forgetCurrent(config, server.dataDir);
    await server.stop();
    await traces?.stop();
    interrupted.forget();
    if (!isLost) screen.aside("stopped; the data stays");
    return isLost ? exit("temporary") : exit("ok");
  },
};

/** Asked before anything big is loaded, so that the answer is there at once. */
async function refuseIfHeld(dataDir: string): Promise<void> {
  try {
    (await takeLock(dataDir)).release();
  } catch (error) {
    const url = runningServer(dataDir)?.url;
    if (!(error instanceof EmbeddedRefused) || url === undefined) throw error;
    throw new EmbeddedRefused("held", `${error.message} It serves ${url}.`);
  }
}

/** The first interruption is waited for; a second one ends the process at once. */
class Interrupted {
  readonly first: Promise<string>;
  readonly forget: () => void;

  constructor() {
    let resolve: (signal: string) => void = () => {};
    this.first = new Promise((settle) => (resolve = settle));
    this.forget = onInterruption((signal, before) => {
      if (before > 0) process.exit(exitOfSignal(signal));
      resolve(signal);
    });
  }
}

type Facts = { readonly tookMs: number; readonly loginLink: string | null };

function announce(call: Call, server: SignalboxServer, { tookMs, loginLink }: Facts): void {
  const { screen, config } = call;
  const { database, dataDir, ownerKey, ownerKeyFile, url, version } = server;
  const isFirst = ownerKey !== null;
  if (screen.json) {
    screen.data(
      {
        url,
        pid: process.pid,
        version,
        data_folder: dataDir,
        database: { kind: database.kind, started: database.started, where: database.where },
        migrations: database.migrations,
        owner_key_file: ownerKeyFile,
        ...(isFirst && { owner_key: ownerKey }),
        login_link: loginLink,
      },
      "line",
    );
    return;
  }
  const c = screen.colours;
  const kind =
    database.kind === "embedded"
      ? `PostgreSQL in the box, ${database.started} start`
      : `PostgreSQL at ${database.where}`;
  const fact = (name: string, text: string): void =>
    screen.line(`  ${c.dim(name.padEnd(10))} ${safeText(text)}`);
  screen.line(`${c.bold("Signalbox")} ${version} is up at ${c.bold(url ?? "")}`);
  if (loginLink !== null) {
    fact("dashboard", loginLink);
    fact(
      "",
      "open it: it signs you in, once, within ten minutes; `signalbox login` prints another",
    );
  }
  fact("data", `${dataDir} (${kind}, ${duration(tookMs)})`);
  if (isFirst) {
    fact("owner key", ownerKey);
    fact("", `shown once; kept in ${ownerKeyFile}, for this user alone`);
  }
  for (const hint of hints(config)) fact("note", hint);
  const where = basename(dataDir) === ".signalbox" ? ` in ${dirname(dataDir)}` : "";
  fact("try", `signalbox run -- sh -c 'echo hi'  (another terminal${where})`);
  fact("stop", "Ctrl-C");
}

function hints({ listen, allowedHosts }: Config): string[] {
  if (isLoopback(listen.host)) return [];
  const all = listen.host === "0.0.0.0" || listen.host === "::";
  const open = "other machines can reach this server: keys travel unencrypted without a TLS proxy";
  if (!all || allowedHosts.length > 0) return [open];
  return [open, "it answers to Host localhost only until --allowed-hosts names how it is called"];
}
