// Sixteen writers with transactions of random length and rollbacks, eight followers of one feed.
// Promises: writers are sessions of their own that append with the product's statement and then
// wait, commit or roll back, as they are drawn; half of the followers are on a server that hears
// nothing of the commits; followers leave and come back where they were, at random.
// Leaves to others: HTTP (sse-cuts.ts, sse-crowd.ts).

import { pathToFileURL } from "node:url";

import { never, sound } from "../stage/campaign.ts";
import type { Campaign } from "../stage/campaign.ts";
import { Embedding, origin } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { serverModule } from "../stage/places.ts";
import { migrate, newUuid, startEngine } from "../stage/product.ts";
import type { Engine } from "../stage/product.ts";
import type { Random } from "../stage/random.ts";
import type { Stage } from "../stage/stage.ts";
import { sleep } from "../stage/until.ts";

const WRITERS = 16;
const FOLLOWERS = 8;

type Runner = { query: (what: object, values?: unknown[]) => Promise<unknown[]> };
type Pool = {
  within: <T>(projects: string[], use: (runner: Runner) => Promise<T>) => Promise<T>;
  end: () => Promise<void>;
};
type DbModule = { Reader: new (connection: object, session: object, size: number) => Pool };
type EventsModule = { appendEvents: (runner: Runner, events: object[]) => Promise<void> };

const built = async <M>(path: string): Promise<M> =>
  (await import(pathToFileURL(serverModule(path)).href)) as M;

/** What a writer's transaction does at the end. */
class RolledBack extends Error {}

type Play = { project: string; left: number; rolledBack: number; committed: number };

/** A queue of its own, so that its stream has one writer. */
async function write(
  pool: Pool,
  append: EventsModule["appendEvents"],
  { play, random, name }: { play: Play; random: Random; name: string },
): Promise<void> {
  const id = newUuid();
  const { project } = play;
  const insert = {
    name: "campaign_queue",
    text: `insert into signalbox.queue (id, project_id, name) values ($1, $2, $3)`,
  };
  await pool.within([project], (runner) => runner.query(insert, [id, project, name]));
  const number = {
    name: "campaign_number",
    text: `update signalbox.queue q set last_seq = q.last_seq + $2 where q.id = $1
      returning q.last_seq`,
  };
  while (play.left > 0) {
    const count = Math.min(play.left, random.between(1, 50));
    play.left -= count;
    const [before, after] = [random.between(0, 4), random.between(0, 2)];
    const isKept = random.next() >= 0.2;
    const transaction = pool.within([project], async (runner) => {
      const [row] = (await runner.query(number, [id, count])) as { last_seq: number }[];
      if (before > 0) await sleep(before);
      const first = (row?.last_seq ?? 0) - count;
      const events = Array.from({ length: count }, (_, at) => ({
        stream: "queue",
        streamId: id,
        seq: first + at + 1,
        projectId: project,
        fact: { type: "queue.paused", source: "operator", at: Date.now(), data: {} },
        ...origin,
      }));
      await append(runner, events);
      if (after > 0) await sleep(after);
      if (!isKept) throw new RolledBack();
    });
    try {
      await transaction;
      play.committed += count;
    } catch (error) {
      if (!(error instanceof RolledBack)) throw error;
      play.left += count;
      play.rolledBack += 1;
    }
  }
}

type Followed = { missed: number; twice: number; disordered: number; returns: number };

/** Follows to `end()`, leaving now and then; what was wrong with what it heard. */
async function follow(
  engine: Engine,
  project: string,
  { random, end }: { random: Random; end: () => number },
): Promise<Followed> {
  const found = { missed: 0, twice: 0, disordered: 0, returns: 0 };
  const seqs = new Map<string, number>();
  let cursor = 0;
  while (cursor < end()) {
    const leaving = new AbortController();
    let left = random.between(200, 20_000);
    const stream = engine.followProject(project, { afterFeed: cursor }, leaving.signal);
    for await (const items of stream) {
      // Nothing is removed here: no item is a `resync`.
      const events = items.filter((item) => "feed" in item);
      for (const { feed, seq, stream_id } of events) {
        const n = Number(feed);
        if (n <= cursor) found.twice += 1;
        else found.missed += n - cursor - 1;
        cursor = Math.max(cursor, n);
        const at = Number(seq);
        if (at !== (seqs.get(stream_id) ?? 0) + 1) found.disordered += 1;
        seqs.set(stream_id, at);
      }
      left -= events.length;
      if (left <= 0 || cursor >= end()) break;
    }
    leaving.abort();
    found.returns += 1;
  }
  return found;
}

type House = { stage: Stage; embedding: Embedding; deaf: Engine; pools: Pool[] };

async function repetition(house: House, n: number): Promise<Measured> {
  const { stage, embedding, deaf, pools } = house;
  const { appendEvents } = await built<EventsModule>("store/events.js");
  const project = await embedding.project(`feed-${n}`);
  const wanted = stage.size(100_000, 4_000);
  const random = stage.random(n);
  const play: Play = { project, left: wanted, rolledBack: 0, committed: 0 };
  const [head] = await headOf(embedding, project);
  // The runtime of the project and the project itself were told before.
  const end = (): number => (head?.n ?? 0) + wanted;
  const following = Promise.all(
    Array.from({ length: FOLLOWERS }, (_, at) =>
      follow(at % 2 === 0 ? embedding.engine : deaf, project, {
        random: stage.random(n * 100 + at + 1),
        end,
      }),
    ),
  );
  const ringing = { isOver: false };
  const bell = (async () => {
    while (!ringing.isOver) {
      embedding.engine.parts.hub.ring(`project/${project}`);
      await sleep(random.between(1, 30));
    }
  })();
  const began = performance.now();
  await Promise.all(
    pools.map((pool, at) =>
      write(pool, appendEvents, {
        play,
        random: stage.random(n * 1_000 + at),
        name: `queue-${n}-${at}`,
      }),
    ),
  );
  const wroteMs = performance.now() - began;
  const followed = await following;
  ringing.isOver = true;
  await bell;
  const sum = (of: (one: Followed) => number): number =>
    followed.reduce((total, one) => total + of(one), 0);
  return {
    events: play.committed,
    rolled_back: play.rolledBack,
    followers: followed.length,
    returns: sum(({ returns }) => returns),
    missed: sum(({ missed }) => missed),
    twice: sum(({ twice }) => twice),
    out_of_order: sum(({ disordered }) => disordered),
    wrote_s: wroteMs / 1_000,
  };
}

async function headOf({ register }: Embedding, project: string): Promise<{ n: number }[]> {
  return register.rows<{ n: number }>(
    "select n::integer as n from signalbox.feed_counter where project_id = $1",
    [project],
  );
}

async function open(stage: Stage) {
  const embedding = await Embedding.open(stage, { max_connections: "60" });
  const connection = { connectionString: embedding.url };
  await migrate(connection);
  const deaf = await startEngine({ connection, version: "bench" });
  stage.afterwards(() => deaf.stop());
  const { Reader } = await built<DbModule>("store/db.js");
  const session = {
    role: "signalbox_app",
    applicationName: "signalbox campaign",
    statementTimeoutMs: 60_000,
    lockTimeoutMs: 60_000,
  };
  const pools = Array.from({ length: WRITERS }, () => new Reader(connection, session, 1));
  stage.afterwards(async () => void (await Promise.all(pools.map((pool) => pool.end()))));
  const house = { stage, embedding, deaf, pools };
  return {
    repeat: (n: number) => repetition(house, n),
    close: () => stage.checkRegister(embedding.register),
  };
}

export const feedWriters: Campaign = {
  name: "feed-writers",
  row: "16 writers, random transaction lengths and rollbacks, 8 followers of the feed",
  asked: "100,000 events: 0 missed, 0 twice, the order of every stream kept",
  step: "step-4",
  reps: 5,
  quickReps: 1,
  limitS: 900,
  figures: {
    events: { unit: "", least: 4_000, summed: true, headline: true },
    rolled_back: { unit: "", least: 1, summed: true, headline: true },
    followers: { unit: "", exactly: FOLLOWERS, headline: true },
    returns: { unit: "", least: FOLLOWERS, summed: true },
    missed: { ...never, headline: true },
    twice: { ...never, headline: true },
    out_of_order: { ...never, headline: true },
    wrote_s: { unit: "s" },
    ...sound,
  },
  open,
};
