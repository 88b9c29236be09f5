// `doctor`: looks at everything a start depends on and says what to do about what is wrong.
// Promises: changes nothing; all checks run even if one fails; exit 1 if any did.
// Leaves to others: the checks (doctor/).

import { type Call, clientOptions, type CommandSpec } from "../command.ts";
import { chooseDataFolder, runningServer } from "../discovery.ts";
import { type Finding, looked, ok, type Verdict } from "../doctor/check.ts";
import {
  lookAtBinaries,
  lookAtFolder,
  lookAtNode,
  lookAtPort,
  lookAtRoom,
  lookAtTemporary,
} from "../doctor/machine.ts";
import { lookAtServer } from "../doctor/server.ts";
import { exit } from "../exit-codes.ts";
import { safeLine } from "../safe-text.ts";

async function examine(call: Call): Promise<Finding[]> {
  const { config } = call;
  const folder = chooseDataFolder(config);
  const running = runningServer(folder);
  const databaseUrl = config.databaseUrl ?? running?.database_url ?? null;
  const database = async (): Promise<Finding[]> => {
    if (databaseUrl === null) {
      return [ok("database", "the PostgreSQL in the box is not running; `up` starts it")];
    }
    const { hasOurSchema, lookAtDatabase } = await import("../doctor/database.ts");
    const findings = await lookAtDatabase(databaseUrl);
    // Of another schema, or of none, nothing else can be asked.
    if (!hasOurSchema(findings)) return findings;
    const { lookAtRegister } = await import("../doctor/register.ts");
    return [...findings, ...(await looked("register", () => lookAtRegister(databaseUrl)))];
  };
  const looks = [
    looked("node", lookAtNode),
    looked("binaries", () => lookAtBinaries(config)),
    looked("folder", () => lookAtFolder(folder)),
    looked("disk", () => lookAtRoom(folder)),
    looked("temporary", lookAtTemporary),
    looked("server", () => lookAtServer(call)),
    looked("port", () => (running === null ? lookAtPort(config) : [])),
    looked("database", database),
  ];
  return (await Promise.all(looks)).flat();
}

export const doctorCommand: CommandSpec = {
  words: "doctor",
  says: "Check Node, folders, keys, room, server and database, and say what to do",
  options: [...clientOptions, "listen"],
  examples: [
    "signalbox doctor",
    "signalbox doctor --json | jq '.checks[] | select(.verdict != \"ok\")'",
  ],
  act: async (call) => {
    const checks = await examine(call);
    const worst = (["fail", "warn", "ok"] as const).find((verdict) =>
      checks.some((one) => one.verdict === verdict),
    );
    call.screen.result({ verdict: worst ?? "ok", checks }, () => show(call, checks));
    return worst === "fail" ? exit("no") : exit("ok");
  },
};

function show(call: Call, checks: readonly Finding[]): void {
  const { screen } = call;
  const c = screen.colours;
  const paints: Record<Verdict, (text: string) => string> = {
    ok: c.green,
    warn: c.yellow,
    fail: c.red,
  };
  for (const { check, verdict, says, todo } of checks) {
    screen.line(`${paints[verdict](verdict.padEnd(4))} ${check.padEnd(28)} ${safeLine(says)}`);
    if (todo !== null) screen.line(`${" ".repeat(34)}${c.bold("→")} ${safeLine(todo)}`);
  }
}
