// The database behind every floor above: connections as the two roles, statements by name, pools.
// Promises: no statement without a deadline; int8 and timestamptz arrive as numbers
// (milliseconds), never as Date; a connection acts as `signalbox_app` or `signalbox_house`, never
// as its login role.
// Leaves to others: what is asked (one file per aggregate) and when (engine).

import type { Writable } from "node:stream";
import pg from "pg";
import { Refused, refuse } from "../domain/refusal.ts";

/** Where the database is: a connection string, or the parts of a socket. */
export type Connection =
  | { readonly connectionString: string }
  | {
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly password: string;
      readonly database: string;
    };

export type RoleName = "signalbox_app" | "signalbox_house";

/** A statement with a name, prepared once per connection. */
export type Statement = { readonly name: string; readonly text: string };

/** Declares a statement. Text is fixed: values only ever come as parameters (F-73). */
export function statement(name: string, text: string): Statement {
  return { name, text };
}

export type Row = { readonly [column: string]: unknown };

/** What a statement is sent through: a flush connection, a transaction of a pool. */
export interface Runner {
  query<R extends Row>(what: Statement, values?: readonly unknown[]): Promise<R[]>;
}

const INT8 = 20;
const TIMESTAMPTZ = 1184;
const INT8_ARRAY = 1016;
const NUMERIC = 1700;

const numeric = (text: string): number => Number(text);

/** `2026-11-20 23:45:03.123456+00` (DateStyle ISO, time zone UTC) to whole milliseconds. */
function parseInstant(text: string): number {
  return Date.parse(`${text.slice(0, 10)}T${text.slice(11).replace(/\+00$/, "Z")}`);
}

function int8s(text: string): number[] {
  return text === "{}" ? [] : text.slice(1, -1).split(",").map(Number);
}

/** How values arrive: numbers for int8 and instants, what pg makes of all others. */
export const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") => {
    if (oid === INT8 || oid === NUMERIC) return numeric;
    if (oid === TIMESTAMPTZ) return parseInstant;
    if (oid === INT8_ARRAY) return int8s;
    return pg.types.getTypeParser(oid, format ?? "text");
  }) as pg.CustomTypesConfig["getTypeParser"],
};

export type SessionOptions = {
  readonly role: RoleName | null;
  readonly applicationName: string;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly settings?: Readonly<Record<string, string>>;
  /** The database refuses to write, and an answer need not wait for the end of its transaction. */
  readonly readOnly?: boolean;
};

/** The configuration of one session; timeouts are set by the server side and doubled on ours. */
export function sessionConfig(connection: Connection, session: SessionOptions): pg.ClientConfig {
  const settings: Record<string, string> = {
    ...(session.role === null ? {} : { role: session.role }),
    statement_timeout: String(session.statementTimeoutMs),
    lock_timeout: String(session.lockTimeoutMs),
    idle_in_transaction_session_timeout: "5000",
    ...(session.readOnly === true ? { default_transaction_read_only: "on" } : {}),
    TimeZone: "UTC",
    DateStyle: "ISO",
    // Statements take milliseconds; compiling one takes a tenth of a second.
    jit: "off",
    ...session.settings,
  };
  const ours = Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/([\\ ])/g, "\\$1")}`)
    .join(" ");
  const { address, given } = withoutOptions(connection);
  return {
    ...address,
    // Options of the connection string come first, so that none of them undoes the role.
    options: given === null ? ours : `${given} ${ours}`,
    types,
    application_name: session.applicationName,
    connectionTimeoutMillis: 5000,
    query_timeout: session.statementTimeoutMs + 5000,
    keepAlive: true,
    pipeline: true,
  };
}

/** Takes `?options=` out of a connection string: the driver would let it replace ours. */
function withoutOptions(connection: Connection): { address: Connection; given: string | null } {
  if (!("connectionString" in connection) || !connection.connectionString.includes("options=")) {
    return { address: connection, given: null };
  }
  const url = new URL(connection.connectionString);
  const given = url.searchParams.get("options");
  url.searchParams.delete("options");
  return { address: { connectionString: url.toString() }, given };
}

/** SQLSTATE classes that pass by themselves: serialisation, deadlock, lock wait, shutdown, full. */
export function isTransient(error: unknown): boolean {
  const code = sqlState(error);
  if (code !== null) return /^(?:08|40001|40P01|55P03|57P0|53|25006|25P03)/.test(code);
  return isConnectionLoss(error);
}

/** Whether the error says that the connection is gone (the outcome of a commit may be unknown). */
export function isConnectionLoss(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === "string" && /^(?:ECONN|EPIPE|ENOENT|ETIMEDOUT|57P0|25P03|08)/.test(code))
    return true;
  const message = error instanceof Error ? error.message : "";
  return /connection|not queryable|timeout expired|Query read timeout|was closed/i.test(message);
}

export function sqlState(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : null;
}

/** A pool whose every use is one short transaction that names the projects it may see. */
export class Reader {
  readonly #pool: pg.Pool;
  readonly #readOnly: boolean;

  constructor(connection: Connection, session: SessionOptions, size: number) {
    this.#readOnly = session.readOnly === true;
    this.#pool = new pg.Pool({
      ...sessionConfig(connection, session),
      max: size,
      idleTimeoutMillis: 30_000,
      allowExitOnIdle: true,
    });
    // A broken idle connection is replaced at the next use; the error itself says nothing new.
    this.#pool.on("error", () => {});
  }

  /** Runs `use` in a transaction that sees `projects` only. No waiting for anything else inside. */
  async within<T>(projects: readonly string[], use: (runner: Runner) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    try {
      // Sent together with the first statement of `use`: one round trip.
      const begun = Promise.all([client.query("begin"), client.query(nameProjects(projects))]);
      const [result] = await Promise.all([use(runnerOf(client)), begun]);
      if (this.#readOnly) releaseAfter(client, client.query("commit"));
      else {
        await client.query("commit");
        client.release();
      }
      return result;
    } catch (error) {
      client.release(await rollback(client, error));
      if (isConnectionLoss(error)) throw unreachable(error);
      throw error;
    }
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw unreachable(error);
    }
  }

  /** Connections that are open and idle, and callers that wait for one. */
  get load(): { readonly open: number; readonly idle: number; readonly waiting: number } {
    const { totalCount: open, idleCount: idle, waitingCount: waiting } = this.#pool;
    return { open, idle, waiting };
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }
}

/** What was only read is not made truer by the end of its transaction: nobody waits for it. */
function releaseAfter(client: pg.PoolClient, committed: Promise<unknown>): void {
  committed.then(
    () => client.release(),
    (error: Error) => client.release(error),
  );
}

/** What a caller is told while the database cannot be reached; the cause goes to the log. */
function unreachable(cause: unknown): Refused {
  const refusal = refuse("unavailable", "The database cannot be reached right now; try again.", {
    retry_after_ms: 1000,
  });
  const refused = new Refused(refusal);
  refused.cause = cause;
  return refused;
}

async function rollback(client: pg.PoolClient, cause: unknown): Promise<Error | undefined> {
  if (isConnectionLoss(cause)) return cause as Error;
  try {
    await client.query("rollback");
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** Names the projects of the transaction; row-level security shows nothing else (F-72). */
function nameProjects(projects: readonly string[]): pg.QueryConfig {
  return {
    name: "name_projects",
    text: "select set_config('app.projects', $1, true)",
    values: [`{${projects.join(",")}}`],
  };
}

export function runnerOf(client: pg.ClientBase): Runner {
  const stream = streamOf(client);
  let corked = false;
  // Statements sent in one turn of the event loop leave in one write instead of one each.
  const cork = (): void => {
    if (corked || stream === null) return;
    corked = true;
    stream.cork();
    process.nextTick(() => {
      corked = false;
      stream.uncork();
    });
  };
  return {
    async query<R extends Row>(what: Statement, values: readonly unknown[] = []): Promise<R[]> {
      cork();
      const result = await client.query<R & pg.QueryResultRow>({
        name: what.name,
        text: what.text,
        values: values as unknown[],
      });
      return result.rows;
    },
  };
}

/** The socket below a client; null where the driver does not show it (then nothing is corked). */
function streamOf(client: pg.ClientBase): Pick<Writable, "cork" | "uncork"> | null {
  const { connection } = client as unknown as { connection?: { stream?: Writable } };
  return connection?.stream ?? null;
}
