// The register, read from behind: with SQL, past the program that is being judged.
// Promises: reads only; one connection, ended by `close`; the histories are counted from the
// event log, not from the rows that the log explains.
// Leaves to others: what a campaign expects; the general invariants (`signalbox verify`'s).

import { pathToFileURL } from "node:url";

import { serverModule } from "./places.ts";
import { Client } from "./postgres.ts";

/** What the register says about one run. */
export type History = {
  id: string;
  state: string;
  end_cause: string | null;
  error_code: string | null;
  dead_lettered: boolean;
  fencing_token: number;
  attempts_used: number;
  /** Rows of attempts, how many of them count, and how many an outage of the house excused. */
  attempts: number;
  counted: number;
  excused: number;
  /** Events of the log by what they did. */
  claims: number;
  terminal_events: number;
  lost: number;
  output: unknown;
  has_output: boolean;
};

/** One end of a lease: when, by the database's clock, and which claim followed it. */
export type Handover = { run: string; ended_at: number; claimed_again_at: number | null };

/** A rule of the register that does not hold, and where. */
export type Violation = { invariant: string; subject: string; seq: number | null; detail: string };

type Reader = { end: () => Promise<void> };
type ReaderModule = { Reader: new (connection: object, session: object, size: number) => Reader };
type InvariantsModule = { checkInvariants: (reader: Reader) => Promise<Violation[]> };

/** A module of the built server. Its types are its own; what is used of it stands above. */
async function built<Module>(path: string): Promise<Module> {
  return (await import(pathToFileURL(serverModule(path)).href)) as Module;
}

const TERMINAL = "('completed', 'failed', 'cancelled', 'timeout')";

const histories = `
  select r.id, r.state, r.end_cause, r.error ->> 'code' as error_code,
    r.dead_lettered_at is not null as dead_lettered, r.fencing_token, r.attempts_used,
    a.attempts, a.counted, a.excused, e.claims, e.terminal_events, e.lost,
    r.output, r.output_sha256 is not null as has_output
  from signalbox.run r
  join signalbox.run_spec s on s.run_id = r.id
  cross join lateral (
    select count(*)::integer as attempts, (count(*) filter (where t.counted))::integer as counted,
      (count(*) filter (where not t.counted and t.cause = 'outage'))::integer as excused
    from signalbox.attempt t where t.run_id = r.id) a
  cross join lateral (
    select (count(*) filter (where v.lease_delta = 1))::integer as claims,
      (count(*) filter (where v.to_state in ${TERMINAL}))::integer as terminal_events,
      (count(*) filter (where v.type = 'attempt.lost' or 'attempt.lost' = any (v.also)))::integer
        as lost
    from signalbox.event v where v.stream_id = r.id) e
  where s.queue = $1
  order by r.id`;

const handovers = `
  select e.stream_id as run, extract(epoch from e.at) * 1000 as ended_at,
    (select extract(epoch from min(c.at)) * 1000 from signalbox.event c
      where c.stream_id = e.stream_id and c.seq > e.seq and c.lease_delta = 1) as claimed_again_at
  from signalbox.event e
  join signalbox.run_spec s on s.run_id = e.stream_id
  where s.queue = $1 and e.lease_delta = -1
    and (e.type = 'attempt.lost' or 'attempt.lost' = any (e.also))
  order by e.stream_id, e.seq`;

/** A reader of one server's register. Connects again when a campaign has killed the database. */
export class Register {
  readonly #databaseUrl: string;
  #connection: Promise<Client> | null = null;

  constructor(databaseUrl: string) {
    this.#databaseUrl = databaseUrl;
  }

  async rows<T extends object>(sql: string, values: unknown[] = []): Promise<T[]> {
    const client = await this.#client();
    return (await client.query<T>(sql, values)).rows;
  }

  #client(): Promise<Client> {
    return (this.#connection ??= this.#connect());
  }

  async #connect(): Promise<Client> {
    const client = new Client({ connectionString: this.#databaseUrl });
    client.on("error", () => (this.#connection = null));
    client.on("end", () => (this.#connection = null));
    await client.connect();
    return client;
  }

  /** Every run of a queue. */
  histories(queue: string): Promise<History[]> {
    return this.rows<History>(histories, [queue]);
  }

  /** Every lease of a queue that was lost. */
  async handovers(queue: string): Promise<Handover[]> {
    const rows = await this.rows<Record<keyof Handover, string | null>>(handovers, [queue]);
    return rows.map((row) => ({
      run: row.run ?? "",
      ended_at: Number(row.ended_at),
      claimed_again_at: row.claimed_again_at === null ? null : Number(row.claimed_again_at),
    }));
  }

  /** What the database says about itself: version and the settings durability rests on. */
  async facts(): Promise<Record<string, string>> {
    const rows = await this.rows<{ name: string; setting: string }>(
      `select name, setting from pg_settings
       where name in ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes')
       order by name`,
    );
    return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  }

  /** Every general rule of the register that does not hold: what `signalbox verify` asks. */
  async violations(): Promise<Violation[]> {
    const db = await built<ReaderModule>("store/db.js");
    const { checkInvariants } = await built<InvariantsModule>("store/house/invariants.js");
    const session = {
      role: "signalbox_house",
      applicationName: "signalbox campaign",
      statementTimeoutMs: 120_000,
      lockTimeoutMs: 2_000,
    };
    const reader = new db.Reader({ connectionString: this.#databaseUrl }, session, 1);
    try {
      return await checkInvariants(reader);
    } finally {
      await reader.end();
    }
  }

  async close(): Promise<void> {
    const client = await this.#connection;
    this.#connection = null;
    await client?.end();
  }
}
