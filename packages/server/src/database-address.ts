// What can be said of an external database without its password: where it is, and why it cannot be
// used. Promises: sentences that name host, user or database and say what to correct.
// Leaves to others: connecting (store/), which database is used (index.ts, cli/).

import { createHash } from "node:crypto";
import pg from "pg";
import { codeOf, type StartRefusal, StartRefused } from "./start-refused.ts";

export type DatabaseAddress = { where: string; user: string; database: string };

/** Where a DATABASE_URL leads, without its password. Throws what cannot be read as one. */
export function describeDatabase(url: string): DatabaseAddress {
  try {
    const { host, port, user = "", database = "" } = new pg.Client(url);
    return { where: host.startsWith("/") ? host : `${host}:${port}`, user, database };
  } catch {
    throw new StartRefused(
      "bad_database_url",
      "DATABASE_URL cannot be read as an address of PostgreSQL; " +
        "it looks like postgres://user:password@host:5432/database.",
    );
  }
}

/** A short name for a database, the same for every user of it: local keys are kept under it. */
export function databaseName(url: string): string {
  const { where, database } = describeDatabase(url);
  return createHash("sha256").update(`${where}/${database}`).digest("hex").slice(0, 8);
}

const passing = /^(?:53|55P03|57P0|40)/;
const network = /^(?:E[A-Z_]+)$/;

/** What a failed first contact with an external database means, in a sentence. */
export function asDatabaseRefusal(error: unknown, url: string): unknown {
  if (error instanceof Error && "exitCode" in error) return error; // it is one already
  const { where, user, database } = describeDatabase(url);
  const code = codeOf(error);
  const said = error instanceof Error ? error.message : String(error);
  const refused = (kind: StartRefusal, text: string): StartRefused =>
    new StartRefused(kind, text, error);
  if (code === "53100") {
    return refused("disk_full", `The disk of the PostgreSQL at ${where} is full; make room on it.`);
  }
  if (code === "28P01" || code === "28000") {
    return refused(
      "database_refused",
      `The PostgreSQL at ${where} does not let ${user} in (${said}); correct DATABASE_URL.`,
    );
  }
  if (code === "3D000") {
    return refused(
      "database_refused",
      `The PostgreSQL at ${where} has no database ${database}; create it, or correct DATABASE_URL.`,
    );
  }
  if (code === "42501") {
    return refused(
      "database_refused",
      `${user} may not do what the schema needs (${said}); let an owner of the database run ` +
        "`signalbox db migrate` once, or grant it.",
    );
  }
  if (passing.test(code)) {
    return refused("database_busy", `The PostgreSQL at ${where} is busy (${said}); try again.`);
  }
  if (/SSL/i.test(said) || /CERT|TLS/.test(code)) {
    return refused(
      "database_refused",
      `The PostgreSQL at ${where} and this program do not agree on TLS (${said}); ` +
        "correct sslmode in DATABASE_URL.",
    );
  }
  if (network.test(code) || /timeout|terminated|closed/i.test(said)) {
    return refused(
      "database_unreachable",
      `No PostgreSQL answers at ${where} (${code || said}); start it, or correct DATABASE_URL.`,
    );
  }
  return error;
}
