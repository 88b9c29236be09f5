// The register at work: sweeps, overdue runs, stuck leases, long snapshots, reservations, versions.
// Promises: asks only; says of each finding what to do.
// Leaves to others: asking (store/house/checkup.ts), the database itself (database.ts), every rule
// of the register (`verify`).

import type { CheckUp } from "../../store/house/checkup.ts";
import { version } from "../../version.ts";
import { fail, type Finding, ok, warn } from "./check.ts";

/** A server sweeps every second; after this long it is late. */
const LATE_MS = 10_000;

export async function lookAtRegister(url: string): Promise<Finding[]> {
  const { checkUp } = await import("../../store/house/checkup.ts");
  return findingsOf(await checkUp({ connectionString: url }));
}

/** What is right and wrong with a register, from what it answered. */
export function findingsOf(found: CheckUp): Finding[] {
  const findings = [
    versions(found),
    sweeps(found),
    leases(found),
    snapshots(found),
    reservations(found),
  ];
  return findings.flat();
}

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`;

function versions({ servers }: CheckUp): Finding[] {
  const all = [...new Set(servers.map((one) => one.version))];
  if (all.length === 0) return [];
  const others = all.filter((one) => one !== version);
  const says = `${servers.length} server(s) up, version ${all.join(", ")}`;
  if (others.length === 0) return [ok("register.servers", says)];
  const todo = `bring all to one version; this command is ${version}`;
  return [warn("register.servers", says, todo)];
}

function sweeps({ servers, pulse_ms: pulseMs, overdue }: CheckUp): Finding[] {
  const first = overdue.first === null ? "" : `, the first is ${overdue.first}`;
  const waiting = `${overdue.n} run(s) are overdue${first}`;
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

function leases({ servers, stuck }: CheckUp): Finding[] {
  if (stuck.n === 0) return [ok("register.leases", "no lease is held past its end")];
  const says = `${stuck.n} lease(s) ended and were not taken back, first ${stuck.first ?? ""}`;
  if (servers.length === 0) {
    return [warn("register.leases", says, "start a server: it takes them back within seconds")];
  }
  const todo = "look who locks these runs (pg_locks), and at the servers' logs";
  return [fail("register.leases", says, todo)];
}

function snapshots({ holders }: CheckUp): Finding[] {
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

function reservations({ amiss }: CheckUp): Finding[] {
  const todo = "`signalbox verify` names every one of them";
  if (amiss === null) {
    return [warn("register.reservations", "it took too long to add them up", todo)];
  }
  const [first] = amiss;
  if (first === undefined) return [ok("register.reservations", "reservations add up")];
  const says = `${amiss.length} do not add up, first ${first.subject}: ${first.detail}`;
  return [fail("register.reservations", says, todo)];
}
