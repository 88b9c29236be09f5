// The questions of the engine, each a line: which query answers it.
// Promises: nothing is decided and nothing written here.
// Leaves to others: reading (queries/), assembling the parts (engine.ts).

import { listQueues, readProjects } from "../store/projects.ts";
import * as accounts from "./commands/accounts.ts";
import * as agents from "./commands/agents.ts";
import * as allowances from "./commands/allowances.ts";
import * as approvals from "./commands/approvals.ts";
import * as operate from "./commands/operate.ts";
import * as slots from "./commands/slots.ts";
import type { Engine } from "./contract.ts";
import type { Parts } from "./parts.ts";
import { readEverythingStop } from "./commands/stop-everything.ts";
import * as deadLetters from "./queries/dead-letters.ts";
import { explain } from "./queries/explain.ts";
import { followFeed, readFeedPage } from "./queries/feed.ts";
import * as fleet from "./queries/fleet.ts";
import * as follow from "./queries/follow.ts";
import * as lists from "./queries/lists.ts";
import { attemptPrincipal } from "./queries/principals.ts";
import { readRunEvents } from "./queries/run-events.ts";
import { projectOf } from "./queries/views.ts";
import * as webhooks from "./queries/webhooks.ts";

/** Every question the engine answers. */
export function questionsOf(parts: Parts) {
  const { reader } = parts;
  const run = (projectId: string, runId: string) => lists.readRun(parts, projectId, runId);
  return {
    attemptPrincipal: (key) => attemptPrincipal(parts, key),
    findProject: (idOrName) => fleet.findProject(parts, idOrName),
    run,
    runs: (projectId, filter, page) => lists.readRunPage(parts, projectId, filter, page),
    attempts: (projectId, runId) => lists.readAttempts(parts, projectId, runId),
    runCounts: (projectId) => lists.readRunCounts(parts, projectId),
    runEvents: (projectId, runId, page) => readRunEvents(parts, projectId, runId, page),
    projectEvents: (projectId, page) => readFeedPage(parts, projectId, page),
    letterGroups: (projectId, filter, page) =>
      deadLetters.readGroups(parts, projectId, filter, page),
    letters: (projectId, filter, page) => deadLetters.readLetters(parts, projectId, filter, page),
    everything: () => readEverythingStop(parts),
    explain: (projectId, runId) => explain(parts, projectId, runId),
    waitForRun: (projectId, runId, timeoutMs, signal) =>
      follow.waitForRun(parts, () => run(projectId, runId), runId, { timeoutMs, signal }),
    approvals: (projectId, filter, page) =>
      approvals.readApprovalPage(parts, projectId, filter, page),
    approval: (projectId, id, wait) => approvals.waitForApproval(parts, projectId, id, wait),
    approvalByLink: (token) => approvals.readByLink(parts, token),
    agents: (projectId, filter, page) => agents.readAgentPage(parts, projectId, filter, page),
    agent: (projectId, name) => agents.readAgent(parts, projectId, name),
    agentEvents: (projectId, name, page) => agents.readAgentEvents(parts, projectId, name, page),
    accounts: (projectId, page) => accounts.readAccountPage(parts, projectId, page),
    account: (projectId, name) => accounts.readAccount(parts, projectId, name),
    allowances: (projectId, page) => allowances.readAllowancePage(parts, projectId, page),
    allowance: (projectId, id) => allowances.readAllowance(parts, projectId, id),
    slots: (projectId, filter, page) => slots.readSlotPage(parts, projectId, filter, page),
    slot: (projectId, id) => slots.readOneSlot(parts, projectId, id),
    usage: (projectId, filter) => allowances.readUsage(parts, projectId, filter),
    runtimes: (projectId, filter, page) => lists.readRuntimePage(parts, projectId, filter, page),
    runtime: (projectId, name) => lists.readRuntime(parts, projectId, name),
    queues: async (projectId) => {
      const rows = await reader.within([projectId], (runner) => listQueues(runner, projectId));
      return rows.map(operate.queueOf);
    },
    projects: () => fleet.listProjects(parts),
    project: async (projectId) => {
      const rows = await reader.within([projectId], (r) => readProjects(r, [projectId]));
      return rows[0] === undefined ? null : projectOf(rows[0]);
    },
    webhooks: (projectId, page) => webhooks.readWebhookPage(parts, projectId, page),
    webhook: (projectId, id) => webhooks.readWebhook(parts, projectId, id),
    deliveries: (projectId, asked) => webhooks.readDeliveryPage(parts, projectId, asked),
    followRun: (projectId, runId, afterSeq, signal) =>
      follow.followRun(parts, projectId, runId, { afterSeq, signal }),
    followProject: (projectId, from, signal) => followFeed(parts, projectId, from, signal),
    directives: (projectId, runtime, signal) =>
      follow.followDirectives(parts, projectId, runtime, signal),
  } satisfies Partial<Engine>;
}
