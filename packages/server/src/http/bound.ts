// Keys bound to agents: a worker's key that may work as some agents only.
// Promises: it claims and beats as its agents alone, and writes for attempts of its agents alone; a
// key that is not bound costs nothing here.
// Leaves to others: fences and leases (domain), which keys are bound (`routes/keys.ts`).

import type { Engine } from "../engine/contract.ts";
import { refuse } from "../domain/refusal.ts";
import type { Refusal } from "../domain/refusal.ts";
import type { Caller } from "./auth.ts";
import type { FencedRun } from "./mapping/fence.ts";

type Where = { readonly engine: Engine; readonly projectId: string; readonly caller: Caller };

/** The agents the caller may work as; null = any. */
function agentsOf(caller: Caller): readonly string[] | null {
  return caller.kind === "key" ? caller.principal.agents : null;
}

function outside(agents: readonly string[]): Refusal {
  return refuse("forbidden", `This key works as ${agents.join(", ")} only.`, {
    agents: [...agents],
  });
}

/** The refusal of a request that names agents which the key is not bound to, or none at all. */
export function wrongAgents(
  caller: Caller,
  named: readonly string[],
  need: "some" | "any_number" = "any_number",
): Refusal | null {
  const agents = agentsOf(caller);
  if (agents === null) return null;
  const isWrong =
    (need === "some" && named.length === 0) || named.some((one) => !agents.includes(one));
  return isWrong ? outside(agents) : null;
}

/** For each write its refusal, if its attempt is not one of an agent of the key. */
export async function wrongFences(
  { engine, projectId, caller }: Where,
  writes: readonly FencedRun[],
): Promise<(Refusal | null)[]> {
  const agents = agentsOf(caller);
  if (agents === null || writes.length === 0) return writes.map(() => null);
  const attempts = writes.map(({ runId, fence }) => ({ runId, token: fence.token }));
  const found = await engine.agentsOfAttempts(projectId, attempts);
  // Where there is no attempt the law refuses, in its own words.
  return found.map((agent) => {
    if (agent === undefined) return null;
    return agent !== null && agents.includes(agent) ? null : outside(agents);
  });
}

/** Writes with those refused that are not for attempts of the key's agents. */
export async function withinBounds<T extends FencedRun>(
  where: Where,
  items: readonly (T | Refusal)[],
): Promise<(T | Refusal)[]> {
  if (agentsOf(where.caller) === null) return [...items];
  const writes = items.filter((item): item is T => !("refused" in item));
  const wrong = await wrongFences(where, writes);
  let next = 0;
  return items.map((item) => {
    if ("refused" in item) return item;
    const refusal = wrong[next++] ?? null;
    return refusal ?? item;
  });
}
