// `db migrate|url|backup|owner-key`: the database itself.
// Promises: a backup is a whole data folder, taken while no server runs and after a clean stop,
// every file flushed; it is refused while somebody holds the folder. Nothing here prints the
// password of an external database.
// Leaves to others: the steps of a migration (store/), external backups (pg_dump).

import * as fs from "node:fs";
import type { ServerOptions } from "../../index.ts";
import { knownPlace } from "../../postgres/place.ts";
import { backUp } from "../backup.ts";
import { type Call, type CommandSpec } from "../command.ts";
import { chooseDataFolder, runningServer } from "../discovery.ts";
import { exit } from "../exit-codes.ts";
import { CommandFailed } from "../failure.ts";
import { loggerFrom } from "../log.ts";
import { duration } from "../show-run.ts";

/** What a server, or a migration, on the database of this call is made with. */
function optionsOf({ config, screen }: Call): ServerOptions {
  return {
    dataDir: chooseDataFolder(config),
    logger: loggerFrom({ ...config, logLevel: "error" }, screen.asideColours),
    ...(config.databaseUrl !== null && { databaseUrl: config.databaseUrl }),
  };
}

const migrate: CommandSpec = {
  words: "db migrate",
  says: "Bring the database to the schema of this program",
  more:
    "`up` does the same at its start. For the database in the box no server may run; with " +
    "DATABASE_URL servers of the same schema may.",
  options: ["data"],
  examples: [
    "signalbox db migrate",
    "DATABASE_URL=postgres://owner:password@db:5432/signalbox signalbox db migrate",
  ],
  act: async (call) => {
    const progress = call.screen.progress("migrating …");
    const { migrateDatabase } = await import("../../index.ts");
    const { migrations, where } = await migrateDatabase(optionsOf(call)).finally(progress.done);
    call.screen.result({ applied: migrations }, () =>
      call.screen.line(
        migrations.length === 0
          ? `${where}: nothing to do`
          : `${where}: applied ${migrations.join(", ")}`,
      ),
    );
  },
};

const url: CommandSpec = {
  words: "db url",
  says: "Print the address of the database in the box, for psql",
  more: "It holds the password. The database runs only while a server does.",
  options: ["data"],
  examples: ['psql "$(signalbox db url)"'],
  act: async (call) => {
    const { config, screen } = call;
    if (config.databaseUrl !== null) {
      throw new CommandFailed(
        exit("config"),
        "external_database",
        "DATABASE_URL is set: it is the address itself.",
      );
    }
    const folder = chooseDataFolder(config);
    const address = runningServer(folder)?.database_url;
    if (address === undefined) {
      throw new CommandFailed(
        exit("unavailable"),
        "no_server",
        `No server runs on ${folder}, so its database is stopped; start it with \`signalbox up\`.`,
      );
    }
    screen.result({ url: address }, () => screen.line(address));
  },
};

const backup: CommandSpec = {
  words: "db backup",
  says: "Copy the data folder while no server runs",
  more:
    "The copy is a data folder of its own: `signalbox up --data COPY` serves it. It holds the " +
    "local keys. For a database given by DATABASE_URL use pg_dump.",
  takes: [{ name: "folder", says: "where the copy goes; must not exist" }],
  options: ["data"],
  examples: ["signalbox db backup backups/2026-01-31", "signalbox up --data backups/2026-01-31"],
  act: async (call) => {
    const { config, screen } = call;
    if (config.databaseUrl !== null) {
      throw new CommandFailed(
        exit("config"),
        "external_database",
        "DATABASE_URL is set: back that database up with pg_dump, or unset it to copy the one " +
          "in the box.",
      );
    }
    const folder = chooseDataFolder(config);
    if (!fs.existsSync(folder) || knownPlace(folder) === undefined) {
      throw new CommandFailed(exit("noInput"), "no_data", `There is no database in ${folder}.`);
    }
    const began = performance.now();
    const progress = screen.progress("ending the database cleanly …");
    // A start and a stop: replays what a crash left, so that the files are whole by themselves.
    const { startEmbedded } = await import("../../postgres/index.ts");
    await (await startEmbedded({ dataDir: folder })).stop();
    const copied = await backUp(folder, call.argument(0), (files, bytes) =>
      progress.say(`copied ${files} files, ${Math.round(bytes / 2 ** 20)} MiB …`),
    ).finally(progress.done);
    screen.result(copied, () =>
      screen.line(
        `${copied.folder}: ${copied.files} files, ${Math.round(copied.bytes / 2 ** 20)} MiB ` +
          `in ${duration(performance.now() - began)}`,
      ),
    );
  },
};

const ownerKey: CommandSpec = {
  words: "db owner-key",
  says: "Make another owner key, when the first was lost; it is printed once",
  more:
    "Whoever can open the database may do this. For the database in the box no server may run " +
    "(its key is in owner.key of the data folder).",
  options: ["data"],
  examples: ["DATABASE_URL=postgres://owner:password@db:5432/signalbox signalbox db owner-key"],
  act: async (call) => {
    const { createSignalbox } = await import("../../index.ts");
    const server = await createSignalbox(optionsOf(call));
    try {
      const key = server.ownerKey ?? (await server.makeOwnerKey());
      call.screen.result({ key }, () => call.screen.line(key));
      call.screen.aside("Keep it: it is never shown again.");
    } finally {
      await server.stop();
    }
  },
};

export const databaseCommands: readonly CommandSpec[] = [migrate, url, backup, ownerKey];
