// Every campaign, in the order of the table of promises.

import type { Campaign } from "../stage/campaign.ts";
import { approvalRace } from "./approval-race.ts";
import { approvalRestart } from "./approval-restart.ts";
import { budget } from "./budget.ts";
import { cancelRace } from "./cancel-race.ts";
import { claims } from "./claims.ts";
import { curlWorker } from "./curl-worker.ts";
import { dashboardLive } from "./dashboard-live.ts";
import { dashboardLog } from "./dashboard-log.ts";
import { dashboardPaint } from "./dashboard-paint.ts";
import { dashboardRuns } from "./dashboard-runs.ts";
import { emergencyStop } from "./emergency-stop.ts";
import { exhaustion } from "./exhaustion.ts";
import { feedWriters } from "./feed-writers.ts";
import { killedWorkers } from "./killed-workers.ts";
import { limit100 } from "./limit-100.ts";
import { limitParser } from "./limit-parser.ts";
import { lowPriority } from "./low-priority.ts";
import { maxConcurrent } from "./max-concurrent.ts";
import { noAgent } from "./no-agent.ts";
import { outage } from "./outage.ts";
import { poison } from "./poison.ts";
import { reads } from "./reads.ts";
import { runCommand } from "./run-command.ts";
import { serverKill } from "./server-kill.ts";
import { silentAgent } from "./silent-agent.ts";
import { sseCrowd } from "./sse-crowd.ts";
import { sseCuts } from "./sse-cuts.ts";
import { staleWrites } from "./stale-writes.ts";
import { start } from "./start.ts";
import { treeKill } from "./tree-kill.ts";
import { twoServers } from "./two-servers.ts";
import { valkeyOutage } from "./valkey-outage.ts";
import { webhookOutage } from "./webhook-outage.ts";
import { weeklyModel } from "./weekly-model.ts";
import { workerKill } from "./worker-kill.ts";

export const campaigns: readonly Campaign[] = [
  start,
  claims,
  workerKill,
  staleWrites,
  outage,
  serverKill,
  cancelRace,
  poison,
  treeKill,
  runCommand,
  curlWorker,
  twoServers,
  exhaustion,
  silentAgent,
  weeklyModel,
  limitParser,
  limit100,
  maxConcurrent,
  killedWorkers,
  budget,
  lowPriority,
  noAgent,
  reads,
  emergencyStop,
  feedWriters,
  sseCuts,
  sseCrowd,
  approvalRestart,
  approvalRace,
  webhookOutage,
  valkeyOutage,
  dashboardPaint,
  dashboardRuns,
  dashboardLog,
  dashboardLive,
];
