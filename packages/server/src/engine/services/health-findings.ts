// What is right and wrong with a register at work: sweeps, overdue runs, stuck leases, long
// snapshots, versions.
// Promises: says of each finding what to do; how many runs of all projects together, and which,
// only to whom that may be told.
// Leaves to others: reading (store/house/checkup.ts), reservations (`doctor`), every rule of the
// register (`verify`).

import { fail, ok, warn } from "../../domain/finding.ts";
import type { Finding } from "../../domain/finding.ts";
import type { Seen } from "../../store/house/checkup.ts";

/** A server sweeps every second; after this long it is late. */
const LATE_MS = 10_000;

export type Asker = {
  /** Who compares versions: `this command`, `this server`. */
  readonly who: string;
  readonly version: string;
  /** Whether it may know about all projects together. */
  readonly all: boolean;
};

export function findingsOf(seen: Seen, asker: Asker): Finding[] {
  return [
    ...versions(seen, asker),
    ...sweeps(seen, asker),
    ...leases(seen, asker),
    ...snapshots(seen),
  ];
}

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`;

function versions({ servers }: Seen, { who, version }: Asker): Finding[] {
  const all = [...new Set(servers.map((one) => one.version))];
  if (all.length === 0) return [];
  const others = all.filter((one) => one !== version);
  const says = `${servers.length} server(s) up, version ${all.join(", ")}`;
  if (others.length === 0) return [ok("register.servers", says)];
  const todo = `bring all to one version; ${who} is ${version}`;
  return [warn("register.servers", says, todo)];
}

function sweeps({ servers, pulse_ms: pulseMs, overdue }: Seen, { all }: Asker): Finding[] {
  const first = overdue.first === null ? "" : `, the first is ${overdue.first}`;
  const told = overdue.n > 0 ? "runs are overdue" : "no run is overdue";
  const waiting = all ? `${overdue.n} run(s) are overdue${first}` : told;
  if (servers.length === 0) {
    if (overdue.n === 0) return [ok("register.sweeps", "no server is up, and nothing is overdue")];
    return [warn("register.sweeps", `no server is up; ${waiting}`, "start a server: `up`")];
  }
  const todo = "look at the servers' logs: is the database slow, are rows locked?";
  if (pulseMs === null || pulseMs > LATE_MS) {
    const since = pulseMs === null ? "never" : `${seconds(pulseMs)} ago`;
    return [fail("register.sweeps", `the last sweep was ${since}; ${waiting}`, todo)];
  }
  if (overdue.n > 0) return [fail("register.sweeps", waiting, todo)];
  return [ok("register.sweeps", "servers sweep, and nothing is overdue")];
}

function leases({ servers, stuck }: Seen, { all }: Asker): Finding[] {
  if (stuck.n === 0) return [ok("register.leases", "no lease is held past its end")];
  const says = all
    ? `${stuck.n} lease(s) ended and were not taken back, first ${stuck.first ?? ""}`
    : "leases ended and were not taken back";
  if (servers.length === 0) {
    return [warn("register.leases", says, "start a server: it takes them back within seconds")];
  }
  const todo = "look who locks these runs (pg_locks), and at the servers' logs";
  return [fail("register.leases", says, todo)];
}

function snapshots({ holders }: Seen): Finding[] {
  const [oldest] = holders;
  if (oldest === undefined) {
    return [ok("register.snapshots", "no transaction is older than a minute")];
  }
  const says =
    `${oldest.who} has had a transaction open for ${oldest.age_s} s` +
    (holders.length > 1 ? `, and ${holders.length - 1} more` : "");
  const todo = "end it: while it stands nothing can be cleaned up and claims get slower";
  return [warn("register.snapshots", says, todo)];
}
