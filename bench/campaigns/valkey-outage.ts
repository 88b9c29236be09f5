// A Valkey or Redis that gets every event is killed under load and comes back: the stream then has
// every event once and in order, and no submit waited for it.
// Promises: its own server process, killed with SIGKILL; what must be in the stream is read from
// the register.
// Leaves to others: a sink restored from an older state (tests of the engine).

import type { Campaign } from "../stage/campaign.ts";
import { never, sound } from "../stage/campaign.ts";
import type { Measured } from "../stage/figures.ts";
import { Load } from "../stage/load.ts";
import type { Server } from "../stage/server.ts";
import type { Stage } from "../stage/stage.ts";
import { allEnded } from "../stage/submit.ts";
import { sleep, until } from "../stage/until.ts";
import { OwnValkey } from "../stage/valkey.ts";

const ARRIVE_MS = 180_000;
const LEASE_MS = 20_000;
const behind = `
  select count(*)::integer as n from signalbox.feed_counter f
  left join signalbox.sink_cursor c on c.project_id = f.project_id
  where f.n > coalesce(c.cursor, 0)`;
const feeds = "select e.feed::integer as feed from signalbox.event e order by e.feed";

type At = { stage: Stage; server: Server; valkey: OwnValkey };

async function repetition({ stage, server, valkey }: At, n: number): Promise<Measured> {
  const queue = `valkey-outage-${n}`;
  const load = new Load({
    queue,
    seed: stage.options.seed + n,
    submitters: 2,
    workers: 3,
    leaseMs: LEASE_MS,
    thinkMs: 50,
    wire: (name) => server.wire(name, false),
  });
  stage.beforehand(() => load.halt());
  await sleep(stage.random(n).between(800, 1600));
  await valkey.kill9();
  const before = load.promised.submits.length;
  await sleep(stage.size(60_000, 3000));
  const whileAway = load.promised.submits.length - before;
  await valkey.start();
  const backAt = performance.now();
  await sleep(1000);
  await load.stopSubmitting();
  const register = server.register();
  await allEnded(register, queue, 120_000);
  await load.stop();
  const isDone = async (): Promise<boolean> =>
    (await register.rows<{ n: number }>(behind))[0]?.n === 0;
  await until("the last event in the sink", isDone, { limitMs: ARRIVE_MS });
  const caughtUpMs = performance.now() - backAt;
  const wanted = (await register.rows<{ feed: number }>(feeds)).map(({ feed }) => feed);
  await register.close();
  const there = await valkey.feeds();
  const known = new Set(there);
  return {
    events: there.length,
    submits_while_away: whileAway,
    lost: wanted.filter((feed) => !known.has(feed)).length,
    more_than_once: there.length - known.size,
    out_of_order: there.filter((feed, index) => feed <= (there[index - 1] ?? 0)).length,
    caught_up_ms: caughtUpMs,
  };
}

export const valkeyOutage: Campaign = {
  name: "valkey-outage",
  step: "step-4",
  row: "a Valkey or Redis that gets every event is killed for a minute under load",
  asked: "every event is in its stream afterwards, once and in order; submits go on",
  needs: ["redis-server", "redis-cli"],
  reps: 3,
  quickReps: 1,
  limitS: 900,
  figures: {
    events: { unit: "", least: 10, headline: true },
    submits_while_away: { unit: "", least: 10, headline: true },
    lost: { ...never, headline: true },
    more_than_once: { ...never, headline: true },
    out_of_order: { ...never, headline: true },
    caught_up_ms: { unit: "ms", most: ARRIVE_MS, timed: true, headline: true },
    ...sound,
  },
  open: async (stage) => {
    const valkey = await OwnValkey.start(stage);
    const server = await stage.startServer("house", { eventsUrl: valkey.url });
    return {
      repeat: (n) => repetition({ stage, server, valkey }, n),
      close: async () => {
        const register = server.register();
        const measured = await stage.checkRegister(register);
        await register.close();
        return measured;
      },
    };
  },
};
