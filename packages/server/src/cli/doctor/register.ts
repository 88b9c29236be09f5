// The register at work: sweeps, overdue runs, stuck leases, long snapshots, reservations, versions.
// Promises: asks only; says of each finding what to do.
// Leaves to others: asking (store/house/checkup.ts), what can be seen at once (engine), the
// database itself (database.ts), every rule of the register (`verify`).

import { findingsOf as seenFindings } from "../../engine/services/health-findings.ts";
import type { CheckUp } from "../../store/house/checkup.ts";
import { version } from "../../version.ts";
import { fail, type Finding, ok, warn } from "./check.ts";

export async function lookAtRegister(url: string): Promise<Finding[]> {
  const { checkUp } = await import("../../store/house/checkup.ts");
  return findingsOf(await checkUp({ connectionString: url }));
}

/** What is right and wrong with a register, from what it answered. */
export function findingsOf(found: CheckUp): Finding[] {
  const asker = { who: "this command", version, all: true };
  return [...seenFindings(found, asker), ...reservations(found)];
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
