// Verifying a whole register: every invariant, asked of a database that may be at work.
// Promises: reads only; refuses (`SchemaRefused`, exit code 78) a database of another schema, and
// sessions that would see nothing and so find nothing; each invariant is asked in a transaction of
// its own, so no snapshot is held for longer than one question takes.
// Leaves to others: finding the database, telling the result (cli).

import type { Connection, RoleName } from "../db.ts";
import { Reader, statement } from "../db.ts";
import { programVersion, SchemaRefused } from "../migrate.ts";
import { checkIsolation } from "../self-check.ts";
import type { Violation } from "./invariant.ts";
import { invariants, violationsOf } from "./invariants.ts";

/** What was asked, and what was found. */
export type Verification = {
  /** Events of the register: an empty one shows nothing. */
  readonly events: number;
  readonly invariants: number;
  /** At most 100 of each invariant, in the order in which they were asked. */
  readonly violations: readonly Violation[];
};

/** A question over a large register takes its time; longer than this is no answer. */
const LONGEST_MS = 600_000;

const there = statement(
  "schema_there",
  "select to_regclass('signalbox.schema_migration') is not null as there",
);
const version = statement(
  "schema_version",
  "select coalesce(max(m.version), 0) as version from signalbox.schema_migration m",
);
const events = statement(
  "count_events",
  "select coalesce(sum(f.n), 0)::bigint as n from signalbox.feed_counter f",
);

/** Asks every invariant; `tell` hears the name of each before it is asked. */
export async function verifyRegister(
  connection: Connection,
  tell: (name: string) => void,
): Promise<Verification> {
  const readers = [null, "signalbox_app", "signalbox_house"] as const;
  const [owner, app, house] = readers.map((role) => readerOf(connection, role)) as [
    Reader,
    Reader,
    Reader,
  ];
  try {
    await checkSchema(owner);
    await checkIsolation(app, house);
    const found: Violation[] = [];
    for (const one of invariants) {
      tell(one.name);
      found.push(...(await house.within([], (runner) => violationsOf(runner, one))));
    }
    const counted = await house.within([], (runner) => runner.query<{ n: number }>(events));
    return { events: counted[0]?.n ?? 0, invariants: invariants.length, violations: found };
  } finally {
    await Promise.all([owner, app, house].map((reader) => reader.end()));
  }
}

function readerOf(connection: Connection, role: RoleName | null): Reader {
  const session = { role, applicationName: "signalbox verify", lockTimeoutMs: 10_000 };
  return new Reader(connection, { ...session, statementTimeoutMs: LONGEST_MS, readOnly: true }, 1);
}

async function checkSchema(owner: Reader): Promise<void> {
  const found = await owner.within([], async (runner) => {
    const [schema] = await runner.query<{ there: boolean }>(there);
    if (schema?.there !== true) return 0;
    return (await runner.query<{ version: number }>(version))[0]?.version ?? 0;
  });
  const known = programVersion();
  if (found === known) return;
  const todo =
    found > known
      ? "use a newer signalbox"
      : "`signalbox db migrate` brings the database up to date";
  throw new SchemaRefused(
    `The database has schema ${found}, this program knows ${known}; ${todo}.`,
  );
}
