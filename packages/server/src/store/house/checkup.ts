// What a doctor asks of a register at work: is anybody sweeping, is anything overdue or stuck, who
// holds the past open, do reservations add up, which versions are up.
// Promises: reads only, as `house`; each question is one short statement with a deadline of its
// own, so that a large register costs an answer and not a wait.
// Leaves to others: what is wrong with an answer (cli/doctor/register.ts), every rule of the
// register (`invariants*.ts`).

import type { Connection } from "../db.ts";
import type { Runner } from "../db.ts";
import { Reader, statement } from "../db.ts";
import type { Violation } from "./invariant.ts";
import { invariants, violationsOf } from "./invariants.ts";

/** A server that has said within 15 s that it is up. */
export type ServerSeen = {
  readonly version: string;
  readonly seen_ms: number;
  readonly started_at: number;
};

/** Somebody whose open transaction keeps the database from forgetting. */
export type Holder = { readonly who: string; readonly age_s: number };

export type Seen = {
  readonly servers: readonly ServerSeen[];
  /** Milliseconds since a server last said that the house is up; null: never. */
  readonly pulse_ms: number | null;
  /** Runs whose instant passed 5 s ago or more, and the first of them. */
  readonly overdue: { readonly n: number; readonly first: string | null };
  /** Leases that ended 5 s ago or more and were not taken back. */
  readonly stuck: { readonly n: number; readonly first: string | null };
  /** Transactions that have been open for a minute or more. */
  readonly holders: readonly Holder[];
};

export type CheckUp = Seen & {
  /** Rules of reservations that do not hold; null: it took too long to ask. */
  readonly amiss: readonly Violation[] | null;
};

const LONGEST_MS = 10_000;
const CANCELLED = "57014";
const aboutReservations = ["I-18 reserved", "I-18 spent", "I-19 reservations"];

const servers = statement(
  "checkup_servers",
  `select s.version, (extract(epoch from clock_timestamp() - s.seen_at) * 1000)::bigint as seen_ms,
     s.started_at
   from signalbox.server s where s.seen_at > clock_timestamp() - interval '15 seconds'
   order by s.version, s.id limit 100`,
);
const pulse = statement(
  "checkup_pulse",
  `select (extract(epoch from clock_timestamp() - h.at) * 1000)::bigint as pulse_ms
   from signalbox.control_heartbeat h where h.id = 1`,
);
const overdue = statement(
  "checkup_overdue",
  `select count(*)::integer as n, min(x.id::text) as first from (select r.id from signalbox.run r
     where r.due_at < clock_timestamp() - interval '5 seconds' limit 10000) x`,
);
const stuck = statement(
  "checkup_stuck",
  `select count(*)::integer as n, min(x.id::text) as first from (select r.id from signalbox.run r
     where r.due_at is not null
       and r.lease_expires_at < clock_timestamp() - interval '5 seconds' limit 10000) x`,
);
const holders = statement(
  "checkup_holders",
  `select x.who, x.age_s from (
     select coalesce(nullif(a.application_name, ''), 'somebody') || ' (process ' || a.pid || ')'
       as who, extract(epoch from clock_timestamp() - a.xact_start)::bigint as age_s
     from pg_stat_activity a where a.datname = current_database() and a.xact_start is not null
       and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
     union all select 'prepared transaction ' || p.gid,
       extract(epoch from clock_timestamp() - p.prepared)::bigint from pg_prepared_xacts p
     where p.database = current_database()) x
   where x.age_s >= 60 order by x.age_s desc, x.who limit 20`,
);

const patience = statement(
  "checkup_patience",
  "select set_config('statement_timeout', '2000', true)",
);

/** The same for a screen, which asks again: gives up after two seconds a statement. */
export async function readSeenSoon(runner: Runner): Promise<Seen> {
  await runner.query(patience);
  return readSeen(runner);
}

/** What can be seen at once, at any size of the register: five short statements. */
async function readSeen(runner: Runner): Promise<Seen> {
  const found = {
    servers: await runner.query<ServerSeen>(servers),
    pulse: await runner.query<{ pulse_ms: number }>(pulse),
    overdue: await runner.query<Seen["overdue"]>(overdue),
    stuck: await runner.query<Seen["stuck"]>(stuck),
    holders: await runner.query<Holder>(holders),
  };
  const none = { n: 0, first: null };
  return {
    servers: found.servers,
    pulse_ms: found.pulse[0]?.pulse_ms ?? null,
    overdue: found.overdue[0] ?? none,
    stuck: found.stuck[0] ?? none,
    holders: found.holders,
  };
}

/** Looks at a register, with its schema as this program knows it. */
export async function checkUp(connection: Connection): Promise<CheckUp> {
  const reader = new Reader(
    connection,
    {
      role: "signalbox_house",
      applicationName: "signalbox doctor",
      statementTimeoutMs: LONGEST_MS,
      lockTimeoutMs: 2_000,
      readOnly: true,
    },
    1,
  );
  try {
    const seen = await reader.within([], readSeen);
    return { ...seen, amiss: await reservationsOf(reader) };
  } finally {
    await reader.end();
  }
}

async function reservationsOf(reader: Reader): Promise<Violation[] | null> {
  const found: Violation[] = [];
  for (const one of invariants.filter(({ name }) => aboutReservations.includes(name))) {
    try {
      found.push(...(await reader.within([], (runner) => violationsOf(runner, one))));
    } catch (error) {
      if ((error as { code?: unknown }).code === CANCELLED) return null;
      throw error;
    }
  }
  return found;
}
