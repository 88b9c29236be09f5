// kill -9 of the server and of its database in mid-load, again and again on one data folder.
// Promises: load goes on all the time, from clients that note what was acknowledged; the moment of
// each kill is drawn at random; after each restart every promise made so far is looked up in the
// register. In even repetitions every process of the database is killed, in odd ones the
// postmaster.
// Leaves to others: power loss and lying disks; outages with live process agents (outage.ts).

import type { Campaign } from "../stage/campaign.ts";
import { never, sound } from "../stage/campaign.ts";
import type { Measured } from "../stage/figures.ts";
import { brokenPromises } from "../stage/kept.ts";
import { Load } from "../stage/load.ts";
import type { Server } from "../stage/server.ts";
import type { Stage } from "../stage/stage.ts";
import { allEnded } from "../stage/submit.ts";
import { sleep } from "../stage/until.ts";

const QUEUE = "server-kill";
const LEASE_MS = 5_000;

async function repetition(at: { stage: Stage; server: Server; load: Load }, n: number) {
  const { stage, server, load } = at;
  const before = countOf(load);
  await sleep(stage.random(n).between(600, 1_800));
  await server.kill9(n % 2 === 0 ? "every process" : "server and postmaster");
  const promised = {
    submits: [...load.promised.submits],
    events: [...load.promised.events],
    completions: [...load.promised.completions],
  };
  const acknowledged = countOf(load) - before;
  await server.restart();
  const register = server.register();
  const broken = await brokenPromises(register, promised);
  await register.close();
  return {
    acknowledged,
    restart_ms: server.readyMs,
    lost_submits: broken.submits,
    lost_events: broken.events,
    lost_completions: broken.completions,
    doubled_keys: broken.doubled,
  };
}

function countOf({ promised }: Load): number {
  return promised.submits.length + promised.events.length + promised.completions.length;
}

/** The load ends, what is open is done, and everything is looked up once more. */
async function finish(at: { stage: Stage; server: Server; load: Load }): Promise<Measured> {
  const { stage, server, load } = at;
  await load.stopSubmitting();
  const register = server.register();
  await allEnded(register, QUEUE, 120_000);
  await load.stop();
  const broken = await brokenPromises(register, load.promised);
  const histories = await register.histories(QUEUE);
  const violations = await stage.checkRegister(register);
  await register.close();
  return {
    ...violations,
    runs: histories.length,
    not_completed: histories.filter(({ state }) => state !== "completed").length,
    not_one_terminal: histories.filter((run) => run.terminal_events !== 1).length,
    lost_submits: broken.submits,
    lost_events: broken.events,
    lost_completions: broken.completions,
    doubled_keys: broken.doubled,
  };
}

export const serverKill: Campaign = {
  name: "server-kill",
  row: "kill -9 of the server (and its database) in mid-load, 20 times",
  asked: "every acknowledged submit, event and completion is there afterwards; restart ≤ 3 s",
  reps: 20,
  quickReps: 1,
  limitS: 600,
  figures: {
    acknowledged: { unit: "", least: 1, summed: true, headline: true },
    restart_ms: { unit: "ms", most: 3_000, timed: true, headline: true },
    lost_submits: { ...never, headline: true },
    lost_events: { ...never, headline: true },
    lost_completions: { ...never, headline: true },
    doubled_keys: never,
    runs: { unit: "" },
    not_completed: never,
    not_one_terminal: never,
    ...sound,
  },
  open: async (stage) => {
    const server = await stage.startServer();
    const load = new Load({
      queue: QUEUE,
      seed: stage.options.seed,
      submitters: 4,
      workers: 4,
      leaseMs: LEASE_MS,
      thinkMs: 10,
      wire: (name) => server.wire(name),
    });
    stage.beforehand(() => load.halt());
    const at = { stage, server, load };
    return { repeat: (n) => repetition(at, n), close: () => finish(at) };
  },
};
