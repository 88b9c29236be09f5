// The situation of a project as admission would see it, read without locks: for explain and for
// telling why runs wait.
// Promises: reads only; the same shapes as the claim's, so the same law answers.
// Leaves to others: deciding (`domain/why.ts`), the claim's own reading (services/flush).

import type { AdmitFacts, Offer } from "../../domain/admission.ts";
import type { LaneKey } from "../../domain/submission.ts";
import { readExhaustions } from "../../store/accounts.ts";
import { readClaimAgents } from "../../store/agents.ts";
import { readAllowanceUses } from "../../store/allowances.ts";
import type { Runner } from "../../store/db.ts";
import { readNow } from "../../store/flushes.ts";
import { readPausedQueues, readProjects } from "../../store/projects.ts";
import type { RuntimeRow } from "../../store/runtimes.ts";
import { listRuntimes, readPresence } from "../../store/runtimes.ts";
import { accountNamesOf, agentFactsOf } from "../services/flush/read-scopes.ts";

export type Situation = { readonly offers: readonly Offer[]; readonly facts: AdmitFacts };

const MAX_RUNTIMES = 500;

/** Agents and accounts that runs ask for, whether or not a worker works as them. */
export type Named = { readonly agents: readonly string[]; readonly accounts: readonly string[] };

/** What these lanes name. */
export function namedBy(lanes: Iterable<LaneKey>): Named {
  const all = [...lanes];
  return {
    agents: all.flatMap((lane) => lane.agent ?? []),
    accounts: [...new Set(all.flatMap((lane) => lane.account ?? []))],
  };
}

export async function readSituation(
  runner: Runner,
  projectId: string,
  { named, offsetMs }: { named: Named; offsetMs: number },
): Promise<Situation> {
  const [projects, paused, runtimes, presence, at] = await Promise.all([
    readProjects(runner, [projectId]),
    readPausedQueues(runner, [projectId]),
    listRuntimes(runner, projectId, {}, { after: "", limit: MAX_RUNTIMES }),
    readPresence(runner, projectId, offsetMs),
    readNow(runner, offsetMs),
  ]);
  const online = runtimes.filter(
    (row) => row.state === "online" && row.last_heartbeat_at + row.deadline_s * 1000 > at,
  );
  const present = online.flatMap((row) => presence.get(row.id) ?? []);
  const refs = [...new Set([...named.agents, ...present])].map((name) => ({ projectId, name }));
  const agents = refs.length === 0 ? [] : await readClaimAgents(runner, refs);
  const accounts = [...agents.flatMap((row) => accountNamesOf(row)), ...named.accounts].map(
    (account) => ({ projectId, account }),
  );
  const asked = named.accounts.map((account) => ({ projectId, account }));
  const [limits, allowances] = await Promise.all([
    accounts.length === 0 ? [] : readExhaustions(runner, accounts),
    readAllowanceUses(runner, [projectId], { agents: refs, accounts: asked, offsetMs }),
  ]);
  const rowsOf = (account: string) =>
    limits.filter(({ row }) => row.account === account).map(({ row }) => row);
  const project = projects[0];
  const stopped =
    project === undefined || project.stopped_at === null
      ? null
      : { reason: project.stop_reason ?? "", by: project.stopped_by ?? "" };
  return {
    offers: online.map((row) => offerOf(row, presence.get(row.id) ?? [])),
    facts: {
      at,
      stopped,
      pausedQueues: new Map(
        paused.map((queue) => [
          queue.name,
          { reason: queue.pause_reason ?? "", by: queue.paused_by ?? "" },
        ]),
      ),
      liveByKey: new Map(),
      agents: new Map(agents.map((row) => [row.name, agentFactsOf(row, rowsOf)])),
      accounts: new Map(named.accounts.map((account) => [account, rowsOf(account)])),
      allowances,
    },
  };
}

/**
 * What a registered runtime offers as far as it has said. Queues come with each claim and are taken
 * as fitting here; a registration without runners stands for the default runner.
 */
function offerOf(row: RuntimeRow, agents: readonly string[]): Offer {
  return {
    id: 0,
    runtime: row.name,
    agents: agents.map((name) => ({ name, free: 1 })),
    queues: null,
    runners: new Set(row.runners.length === 0 ? ["default"] : row.runners),
    capabilities: new Set(row.capabilities),
    free: 1,
  };
}
