// A reader of the feed whose connection is cut 200 times at random: it comes back with
// `Last-Event-ID` and has in the end every event once.
// Promises: cut by destroying the socket, at random instants, so also in the middle of a frame; one
// reader follows everything, one a filter; submissions and cancels go on all the time.
// Leaves to others: many readers (sse-crowd.ts), the SDK's own follower.

import { inOneHouse, never, sound } from "../stage/campaign.ts";
import type { Campaign, House } from "../stage/campaign.ts";
import { EventSource } from "../stage/event-source.ts";
import type { Measured } from "../stage/figures.ts";
import type { Random } from "../stage/random.ts";
import type { Server } from "../stage/server.ts";
import { sleep, until } from "../stage/until.ts";

type Seen = { ids: number[]; cuts: number };

/** Reads and is cut until `phase.isOver`; then reads to the end of the feed. */
async function readCut(
  server: Server,
  path: string,
  { random, cuts, head }: { random: Random; cuts: number; head: () => Promise<number> },
): Promise<Seen> {
  const seen: Seen = { ids: [], cuts: 0 };
  const connect = (): EventSource => {
    const last = seen.ids.at(-1);
    return new EventSource({
      url: server.url,
      key: server.credentials.key,
      path,
      ...(last === undefined ? {} : { lastEventId: String(last) }),
      onMessage: ({ id }) => seen.ids.push(Number(id)),
    });
  };
  while (seen.cuts < cuts) {
    const stream = connect();
    await stream.opened;
    await sleep(random.between(0, 60));
    stream.cut();
    await stream.ended;
    seen.cuts += 1;
  }
  const last = await head();
  const stream = connect();
  await until("the end of the feed", () => (seen.ids.at(-1) ?? 0) >= last, { limitMs: 30_000 });
  stream.cut();
  return seen;
}

/** Submits and cancels until it is over. */
async function disturb(server: Server, queue: string, phase: { isOver: boolean }): Promise<void> {
  const wire = server.wire("load", false);
  while (!phase.isOver) {
    const items = Array.from({ length: 5 }, () => ({ queue }));
    const { results } = await wire.must<{ results: { run: { id: string } }[] }>(
      "POST /v1/runs/batch",
      { body: { items } },
    );
    for (const { run } of results) {
      await wire.must(`POST /v1/runs/${run.id}/cancel`, { body: { reason: "enough" } });
    }
    await sleep(5);
  }
}

async function repetition({ stage, server, register }: House, n: number): Promise<Measured> {
  const cuts = stage.size(200, 30);
  const phase = { isOver: false };
  const load = disturb(server, `cuts-${n}`, phase);
  const feeds = async (type: string | null): Promise<number[]> => {
    const rows = await register.rows<{ feed: number }>(
      `select e.feed::integer as feed from signalbox.event e
       where e.project_id = (select p.id from signalbox.project p where p.name = 'default')
         and ($1::text is null or e.type = $1) order by e.feed`,
      [type],
    );
    return rows.map(({ feed }) => feed);
  };
  // Load ends before the last look, so that there is an end to read to.
  const settled = async (): Promise<void> => {
    phase.isOver = true;
    await load;
  };
  const head = (type: string | null) => async (): Promise<number> => {
    await settled();
    return (await feeds(type)).at(-1) ?? 0;
  };
  const [whole, part] = await Promise.all([
    readCut(server, "/v1/events", { random: stage.random(n), cuts, head: head(null) }),
    readCut(server, "/v1/events?type=run.cancelled", {
      random: stage.random(n + 1_000),
      cuts,
      head: head("run.cancelled"),
    }),
  ]);
  const wanted = [await feeds(null), await feeds("run.cancelled")];
  const read = [whole.ids, part.ids];
  const twice = read.map((ids) => ids.length - new Set(ids).size);
  const missed = read.map((ids, at) => {
    const had = new Set(ids);
    return (wanted[at] ?? []).filter((feed) => !had.has(feed)).length;
  });
  const disordered = read.map((ids) => ids.filter((one, at) => one <= (ids[at - 1] ?? 0)).length);
  const total = (counts: number[]): number => counts.reduce((sum, count) => sum + count, 0);
  return {
    cuts: whole.cuts + part.cuts,
    events: whole.ids.length,
    filtered_events: part.ids.length,
    missed: total(missed),
    twice: total(twice),
    out_of_order: total(disordered),
  };
}

export const sseCuts: Campaign = {
  name: "sse-cuts",
  row: "SSE clients of the feed, cut at random 200 times each",
  asked: "contiguous, no duplicate id",
  step: "step-4",
  reps: 5,
  quickReps: 1,
  limitS: 600,
  figures: {
    cuts: { unit: "", least: 60, summed: true, headline: true },
    events: { unit: "", least: 50, headline: true },
    filtered_events: { unit: "", least: 10 },
    missed: { ...never, headline: true },
    twice: { ...never, headline: true },
    out_of_order: never,
    ...sound,
  },
  open: inOneHouse(repetition),
};
