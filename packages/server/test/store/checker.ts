// The checker: asks every invariant of the register after a test file is done with its database.
// Leaves to others: the questions themselves (src/store/house/invariants.ts).

import { expect } from "vitest";
import { Reader } from "../../src/store/db.ts";
import type { Violation } from "../../src/store/house/invariants.ts";
import { checkInvariants } from "../../src/store/house/invariants.ts";
import type { Connection } from "../setup/database.ts";

/** What the register of this database violates. */
async function violationsOf(connection: Connection): Promise<Violation[]> {
  const reader = new Reader(
    connection,
    {
      role: "signalbox_house",
      applicationName: "signalbox checker",
      statementTimeoutMs: 30_000,
      lockTimeoutMs: 2000,
    },
    1,
  );
  try {
    return await checkInvariants(reader);
  } finally {
    await reader.end();
  }
}

/** Fails with everything that is wrong. Call it in `afterAll`, before the database is dropped. */
export async function expectNoViolations(connection: Connection): Promise<void> {
  expect(await violationsOf(connection)).toEqual([]);
}
