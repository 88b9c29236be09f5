// The first start, the second start, and what an idle server weighs.
// Promises: measured from outside: from the spawn of `signalbox up` to the first 200 of /readyz.
// Cold is a folder that did not exist (the database is made), warm the next start after a clean
// stop. Memory is the proportional share (PSS) of the whole tree: server, watcher, database.
// Leaves to others: the page cache, which is warm in both; starts after a kill (server-kill.ts).

import type { Campaign } from "../stage/campaign.ts";
import type { Measured } from "../stage/figures.ts";
import { sharedMemoryKib } from "../stage/proc.ts";

import type { Stage } from "../stage/stage.ts";
import { sleep } from "../stage/until.ts";

const IDLE_MS = 5_000;

async function repetition(stage: Stage, n: number): Promise<Measured> {
  const server = await stage.startServer(`start-${n}`);
  const coldMs = server.readyMs;
  await sleep(stage.size(IDLE_MS, 1_000));
  const tree = server.tree().map(({ pid }) => sharedMemoryKib(pid) / 1_024);
  const [own = 0] = tree;
  const first = await server.stop();
  await server.restart();
  const warmMs = server.readyMs;
  const second = await server.stop();
  return {
    cold_ms: coldMs,
    warm_ms: warmMs,
    memory_mib: tree.reduce((sum, one) => sum + one, 0),
    server_mib: own,
    processes: tree.length,
    unclean_stops: [first, second].filter(({ code }) => code !== 0).length,
  };
}

export const start: Campaign = {
  name: "start",
  row: "first start cold / warm; memory of server + database, idle (PSS of the tree)",
  asked: "≤ 2 s / ≤ 0.5 s, ≤ 200 MiB",
  reps: 7,
  quickReps: 1,
  limitS: 200,
  figures: {
    cold_ms: { unit: "ms", most: 2_000, timed: true, speed: true, headline: true },
    warm_ms: { unit: "ms", most: 500, timed: true, speed: true, headline: true },
    memory_mib: { unit: "MiB", most: 200, headline: true },
    server_mib: { unit: "MiB" },
    processes: { unit: "" },
    unclean_stops: { unit: "", exactly: 0 },
  },
  open: async (stage) => ({ repeat: (n) => repetition(stage, n) }),
};
