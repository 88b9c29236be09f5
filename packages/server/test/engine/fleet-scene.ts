// A crew of two servers on one database: the same project through either of them, an owner's
// session that holds locks, and the ledger at the end.
// Leaves to others: verbs of one server (crew.ts), the engines themselves (duo.ts).

import { afterAll } from "vitest";
import type { RunItem } from "../../src/engine/services/flush/items.ts";
import type { ClaimItem } from "../../src/engine/services/flush/items.ts";
import type { Held } from "./crew.ts";
import { Crew } from "./crew.ts";
import type { Duo } from "./duo.ts";
import { useDuo } from "./duo.ts";
import { origin } from "./fixtures.ts";
import { expectBalanced } from "./ledger.ts";
import type { Stage } from "./stage.ts";

export type Fleet = { readonly duo: Duo; crews(): Promise<[Crew, Crew]> };

/** Two servers; the ledger is read when the file is done. */
export function useFleet(): Fleet {
  const duo = useDuo();
  // Runs before the duo closes: hooks after all tests go in reverse order.
  afterAll(() => expectBalanced(duo.owner));
  const crewOf = (engine: Duo["a"], projectId: string): Crew =>
    new Crew({ engine } as unknown as Stage, projectId);
  return {
    duo,
    async crews() {
      const projectId = await duo.project();
      return [crewOf(duo.a, projectId), crewOf(duo.b, projectId)];
    },
  };
}

/** A claim as the batcher takes it. */
export function claimOf(projectId: string, agents: string[], free = 1): ClaimItem {
  const seats = agents.map((name) => ({ name, free }));
  const which = { queues: null, runners: ["default"], free, leaseMs: 60_000 };
  return { kind: "claim", projectId, runtime: "w1", agents: seats, ...which, origin };
}

/** A fenced command as the batcher takes it. */
export function commandOf(
  crew: Crew,
  held: Held,
  command: Extract<RunItem["what"], { command: unknown }>["command"],
): RunItem {
  const { projectId } = crew;
  const { runId } = held;
  return { kind: "run", projectId, runId, fence: crew.fence(held), what: { command }, origin };
}

/** Usage that was said late or by a child, as the batcher takes it. */
export function usageOf(crew: Crew, held: Held, producerSeq: number, inputTokens: number): RunItem {
  const { projectId } = crew;
  const { runId, claim } = held;
  const records = [{ producerSeq, usage: { inputTokens } }];
  const who = { token: claim.fencing_token, agent: claim.agent, account: claim.account };
  const command = { kind: "record_usage", late: true, records, ...who } as const;
  return { kind: "run", projectId, runId, what: { command }, origin };
}

/** The only one there is. */
export function single<T>(list: readonly T[]): T {
  if (list.length !== 1) throw new Error(`expected one, got ${list.length}`);
  return list[0] as T;
}
