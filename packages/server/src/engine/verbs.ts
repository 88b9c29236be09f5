// The verbs of the engine, each a line: which command does it.
// Promises: nothing is decided here.
// Leaves to others: doing it (commands/), assembling the parts (engine.ts).

import * as accounts from "./commands/accounts.ts";
import * as agents from "./commands/agents.ts";
import * as allowances from "./commands/allowances.ts";
import { bulk } from "./commands/bulk.ts";
import * as approvals from "./commands/approvals.ts";
import { claim } from "./commands/claim.ts";
import * as letters from "./commands/dead-letters.ts";
import { exhausted } from "./commands/exhausted.ts";
import { heartbeat } from "./commands/heartbeat.ts";
import * as operate from "./commands/operate.ts";
import { append, report } from "./commands/report.ts";
import { changeSlot, createSlot } from "./commands/slots.ts";
import { setEverything } from "./commands/stop-everything.ts";
import { setStop } from "./commands/stop-project.ts";
import { cancel, kill } from "./commands/stop-run.ts";
import { submit } from "./commands/submit.ts";
import * as webhooks from "./commands/webhooks.ts";
import type { Engine } from "./contract.ts";
import type { Parts } from "./parts.ts";

/** Every verb of the engine. */
export function verbsOf(parts: Parts) {
  return {
    submit: (projectId, specs, origin) => submit(parts, projectId, specs, origin),
    claim: (projectId, input, origin, signal) => claim(parts, projectId, input, { origin, signal }),
    heartbeat: (projectId, input, origin) => heartbeat(parts, projectId, input, origin),
    report: (projectId, items, origin) => report(parts, projectId, items, origin),
    append: (projectId, items, origin) => append(parts, projectId, items, origin),
    cancel: (projectId, runId, input, origin) =>
      cancel(parts, projectId, runId, { ...input, origin }),
    kill: (projectId, runId, reason, origin) => kill(parts, projectId, runId, { reason, origin }),
    bulk: (projectId, which, act, origin) => bulk(parts, projectId, { which, act, origin }),
    redrive: (projectId, runId, changes, origin) =>
      letters.redrive(parts, projectId, runId, { changes, origin }),
    discard: (projectId, runId, note, origin) =>
      letters.discard(parts, projectId, runId, { note, origin }),
    registerRuntime: (projectId, name, registration, origin) =>
      operate.registerRuntime(parts, projectId, name, { registration, origin }),
    drainRuntime: (projectId, name, reason, origin) =>
      operate.drainRuntime(parts, projectId, name, { reason, origin }),
    exhausted: (projectId, item, origin) => exhausted(parts, projectId, item, origin),
    ask: (projectId, input, origin) => approvals.ask(parts, projectId, input, origin),
    answerApproval: (projectId, id, answer, origin) =>
      approvals.answerApproval(parts, projectId, id, { answer, origin }),
    executed: (projectId, input, origin) => approvals.executed(parts, projectId, input, origin),
    linkApproval: (projectId, id, origin) => approvals.linkApproval(parts, projectId, id, origin),
    answerByLink: (token, answer, origin) => approvals.answerByLink(parts, token, answer, origin),
    registerAgent: (projectId, name, registration, origin) =>
      agents.registerAgent(parts, projectId, name, { registration, origin }),
    pauseAgent: (projectId, name, reason, origin) =>
      agents.pauseAgent(parts, projectId, name, { pause: true, reason, origin }),
    resumeAgent: (projectId, name, reason, origin) =>
      agents.pauseAgent(parts, projectId, name, { pause: false, reason, origin }),
    registerAccount: (projectId, name, registration, origin) =>
      accounts.registerAccount(parts, projectId, name, { registration, origin }),
    reportExhaustion: (projectId, account, sent, origin) =>
      accounts.reportExhaustion(parts, projectId, account, { report: sent, origin }),
    recoverAccount: (projectId, account, input, origin) =>
      accounts.recoverAccount(parts, projectId, account, { ...input, origin }),
    createAllowance: (projectId, input, origin) =>
      allowances.createAllowance(parts, projectId, input, origin),
    updateAllowance: (projectId, id, change, origin) =>
      allowances.updateAllowance(parts, projectId, id, { change, origin }),
    deleteAllowance: (projectId, id, origin) =>
      allowances.deleteAllowance(parts, projectId, id, origin),
    createSlot: (projectId, input, origin) => createSlot(parts, projectId, input, origin),
    changeSlot: (projectId, id, change, origin) =>
      changeSlot(parts, projectId, id, { ...change, origin }),
    pauseQueue: (projectId, name, reason, origin) =>
      operate.pauseQueue(parts, projectId, name, { pause: true, reason, origin }),
    resumeQueue: (projectId, name, reason, origin) =>
      operate.pauseQueue(parts, projectId, name, { pause: false, reason, origin }),
    stopProject: (projectId, input, origin) =>
      setStop(parts, projectId, { ...input, stop: true, origin }),
    resumeProject: (projectId, reason, origin) =>
      setStop(parts, projectId, { reason, stop: false, cancelLive: false, origin }),
    stopEverything: (input, origin) => setEverything(parts, { ...input, stop: true, origin }),
    resumeEverything: (reason, origin) =>
      setEverything(parts, { reason, stop: false, cancelLive: false, origin }),
    createProject: (name, origin) => operate.createProject(parts, name, origin),
    setRetention: (projectId, change, origin) =>
      operate.changeRetention(parts, projectId, change, origin),
    createWebhook: (projectId, call) => webhooks.createWebhook(parts, projectId, call),
    updateWebhook: (ref, call) => webhooks.updateWebhook(parts, ref, call),
    deleteWebhook: (ref, origin) => webhooks.deleteWebhook(parts, ref, origin),
    rotateWebhook: (ref, call) => webhooks.rotateWebhook(parts, ref, call),
    switchWebhook: (ref, call) => webhooks.switchWebhook(parts, ref, call),
    testWebhook: (projectId, id) => webhooks.testWebhook(parts, projectId, id),
    redeliver: (projectId, id) => webhooks.redeliverOnce(parts, projectId, id),
  } satisfies Partial<Engine>;
}
