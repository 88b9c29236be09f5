// Every campaign, in the order of the table of promises.

import type { Campaign } from "../stage/campaign.ts";
import { cancelRace } from "./cancel-race.ts";
import { claims } from "./claims.ts";
import { curlWorker } from "./curl-worker.ts";
import { outage } from "./outage.ts";
import { poison } from "./poison.ts";
import { runCommand } from "./run-command.ts";
import { serverKill } from "./server-kill.ts";
import { staleWrites } from "./stale-writes.ts";
import { start } from "./start.ts";
import { treeKill } from "./tree-kill.ts";
import { twoServers } from "./two-servers.ts";
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
];
