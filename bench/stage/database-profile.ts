// Where the database spends its time: by statement (pg_stat_statements, where the server has it
// loaded), by what its backends wait for, and the processor time of each kind of backend.
// Promises: counts only what happened between `begin` and `end`; looking costs one short query
// every 20 ms. Processor time is read from /proc, so only of a server on this machine.
// Leaves to others: the load meanwhile (benches/profile.ts).

import { readFileSync } from "node:fs";

import type { Register } from "./register.ts";

/** One statement over the whole time: calls, milliseconds in all, rows. */
export type StatementTime = { text: string; calls: number; ms: number; rows: number };

/** What a backend of this name was found doing: shares of the looks. */
export type Doing = { backend: string; what: string; share: number };

export type DatabaseProfile = {
  /** Null: the server has not loaded pg_stat_statements. */
  statements: StatementTime[] | null;
  doing: Doing[];
  /** Cores used by the backends of each name. */
  cores: { backend: string; cores: number }[];
};

const LOOK_MS = 20;
const TICKS_PER_SECOND = 100;

const looks = `
  select pid, application_name as backend,
    case when state = 'active' and wait_event is null then 'on the processor'
      when state = 'active' then wait_event_type || ': ' || wait_event
      else coalesce(state, 'in the background') || ', waits for us' end as what
  from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid()
    and application_name like 'signalbox %'`;

const statementTimes = `
  select regexp_replace(query, '\\s+', ' ', 'g') as text, calls::integer, total_exec_time as ms,
    rows::integer
  from pg_stat_statements s join pg_database d on d.oid = s.dbid
  where d.datname = current_database() and query not like '%pg_stat_%'
  order by total_exec_time desc, queryid limit 25`;

type Look = { pid: number; backend: string; what: string };

/** A look at the database that goes on until it is ended. */
export class DatabaseWatch {
  readonly #register: Register;
  readonly #hasStatements: boolean;
  readonly #counts = new Map<string, number>();
  readonly #perBackend = new Map<string, number>();
  readonly #ticksBefore = new Map<number, number>();
  readonly #backends = new Map<number, string>();
  readonly #began = performance.now();
  readonly #looking: Promise<void>;
  #isOver = false;

  private constructor(register: Register, hasStatements: boolean) {
    this.#register = register;
    this.#hasStatements = hasStatements;
    this.#looking = this.#look();
  }

  static async begin(register: Register): Promise<DatabaseWatch> {
    return new DatabaseWatch(register, await resetStatements(register));
  }

  async end(): Promise<DatabaseProfile> {
    this.#isOver = true;
    await this.#looking;
    const seconds = (performance.now() - this.#began) / 1_000;
    const cores = new Map<string, number>();
    for (const [pid, backend] of this.#backends) {
      const used = (ticksOf(pid) - (this.#ticksBefore.get(pid) ?? 0)) / TICKS_PER_SECOND / seconds;
      cores.set(backend, (cores.get(backend) ?? 0) + used);
    }
    const doing = [...this.#counts].map(([name, count]) => {
      const [backend = "", what = ""] = name.split("\t");
      return { backend, what, share: count / (this.#perBackend.get(backend) ?? 1) };
    });
    return {
      statements: this.#hasStatements
        ? await this.#register.rows<StatementTime>(statementTimes)
        : null,
      doing: doing.toSorted((a, b) => a.backend.localeCompare(b.backend) || b.share - a.share),
      cores: [...cores].map(([backend, used]) => ({ backend, cores: used })),
    };
  }

  async #look(): Promise<void> {
    while (!this.#isOver) {
      for (const { pid, backend, what } of await this.#register.rows<Look>(looks)) {
        if (!this.#backends.has(pid)) {
          this.#backends.set(pid, backend);
          this.#ticksBefore.set(pid, ticksOf(pid));
        }
        const name = `${backend}\t${what}`;
        this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
        this.#perBackend.set(backend, (this.#perBackend.get(backend) ?? 0) + 1);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

/** Forgets what was counted before; false where the extension is not loaded. */
async function resetStatements(register: Register): Promise<boolean> {
  try {
    await register.rows("create extension if not exists pg_stat_statements");
    await register.rows("select pg_stat_statements_reset()");
    return true;
  } catch {
    return false;
  }
}

/** Processor time of a process, in hundredths of a second; 0 when it is not on this machine. */
function ticksOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  } catch {
    return 0;
  }
}
