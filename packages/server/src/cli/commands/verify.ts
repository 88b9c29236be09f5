// `verify`: checks the whole register against its invariants and names every row that breaks one.
// Promises: changes nothing; works beside a running server, and without one on the database in the
// box, which runs for the time of the command; exit 1 if anything was found.
// Leaves to others: the invariants and asking them (store/house).

import * as fs from "node:fs";
import { asDatabaseRefusal } from "../../database-address.ts";
import { knownPlace } from "../../postgres/place.ts";
import type { Verification } from "../../store/house/invariants-verify.ts";
import { type Call, type CommandSpec } from "../command.ts";
import { chooseDataFolder, runningServer } from "../discovery.ts";
import { exit } from "../exit-codes.ts";
import { CommandFailed } from "../failure.ts";
import { safeLine } from "../safe-text.ts";

export const verifyCommand: CommandSpec = {
  words: "verify",
  says: "Check the register against its invariants, also while it is at work",
  more:
    "Asks the database: DATABASE_URL, that of the server that runs here, or the one in the box, " +
    "which is started for it. On a large register it reads for a while. Ends with 1 if anything " +
    "is violated; nothing is ever repaired silently.",
  options: ["data"],
  examples: ["signalbox verify", "signalbox verify --json | jq '.violations[].invariant'"],
  act: async (call) => {
    const found = await verified(call);
    const verdict = found.violations.length > 0 ? "violated" : found.events > 0 ? "ok" : "empty";
    call.screen.result({ verdict, ...found }, () => show(call, found));
    return verdict === "violated" ? exit("no") : exit("ok");
  },
};

async function verified(call: Call): Promise<Verification> {
  const folder = chooseDataFolder(call.config);
  const url = call.config.databaseUrl ?? runningServer(folder)?.database_url;
  if (url !== undefined) return ask(call, url);
  if (!fs.existsSync(folder) || knownPlace(folder) === undefined) {
    throw new CommandFailed(exit("noInput"), "no_data", `There is no database in ${folder}.`);
  }
  const { startEmbedded } = await import("../../postgres/index.ts");
  const database = await startEmbedded({ dataDir: folder });
  try {
    return await ask(call, database.url);
  } finally {
    await database.stop();
  }
}

async function ask({ screen }: Call, url: string): Promise<Verification> {
  const { verifyRegister } = await import("../../store/house/invariants-verify.ts");
  const progress = screen.progress("looking at the schema …");
  try {
    const tell = (name: string, range: number | null): void =>
      progress.say(range === null ? `${name} …` : `streams, range ${range}: ${name} …`);
    return await verifyRegister({ connectionString: url }, { tell });
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw asDatabaseRefusal(cause, url);
  } finally {
    progress.done();
  }
}

function show({ screen }: Call, found: Verification): void {
  const { events, invariants, violations, beyond } = found;
  const c = screen.colours;
  for (const { invariant, subject, seq, detail } of violations) {
    const where = seq === null ? subject : `${subject} #${seq}`;
    screen.line(`${c.red("violated")} ${invariant.padEnd(26)} ${where}  ${safeLine(detail)}`);
  }
  const over = `${invariants} invariants over ${events} events`;
  if (violations.length > 0) screen.line(c.red(`${violations.length} violation(s) of ${over}`));
  else if (events === 0) screen.line("The register is empty: there is nothing to verify.");
  else screen.line(c.green(`${over}: nothing is violated`));
  const unseen = beyond.filter(({ asked }) => !asked).map(({ invariant }) => invariant);
  screen.line(`What no database can show: ${unseen.join(", ")}`);
}
