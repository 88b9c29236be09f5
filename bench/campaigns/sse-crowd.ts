// 500 SSE clients on the feed of one project, 200 events a second for 20 s.
// Promises: clients in processes of their own over real connections; the delay is from the instant
// that an event carries, the database's, to its arrival at a client on the same machine; that one
// tail reads for all is what the server counts: rounds of reading, and events it has read.
// Leaves to others: clients that are cut (sse-cuts.ts).

import { inOneHouse, never, sound } from "../stage/campaign.ts";
import type { Campaign, House } from "../stage/campaign.ts";
import { quantile } from "../stage/figures.ts";
import type { Measured } from "../stage/figures.ts";
import { workerProgram } from "../stage/places.ts";
import type { Server } from "../stage/server.ts";
import { sleep } from "../stage/until.ts";
import type { Heard, ListenersSettings } from "../workers/listeners.ts";

const PROCESSES = 2;
const PER_SECOND = 200;
const EVERY_MS = 50;

async function metric(server: Server, name: string): Promise<number> {
  const headers = { authorization: `Bearer ${server.ownerKey()}` };
  const text = await (await fetch(`${server.url}/metrics`, { headers })).text();
  const [, value] = new RegExp(`^${name} (\\d+)$`, "m").exec(text) ?? [];
  return Number(value ?? NaN);
}

/** Submissions, one event each, evenly over the time. Returns how many. */
async function load(server: Server, queue: string, seconds: number): Promise<number> {
  const wire = server.wire("load", false);
  const each = (PER_SECOND * EVERY_MS) / 1_000;
  const items = Array.from({ length: each }, () => ({ queue }));
  const began = performance.now();
  const sent: Promise<unknown>[] = [];
  let events = 0;
  while (performance.now() - began < seconds * 1_000) {
    sent.push(wire.must("POST /v1/runs/batch", { body: { items } }));
    events += each;
    await sleep(Math.max(0, began + (events / PER_SECOND) * 1_000 - performance.now()));
  }
  await Promise.all(sent);
  return events;
}

async function repetition({ stage, server, register }: House, n: number): Promise<Measured> {
  const head = async (): Promise<number> => {
    const [row] = await register.rows<{ n: number }>(
      `select f.n::integer as n from signalbox.feed_counter f join signalbox.project p
         on p.id = f.project_id where p.name = 'default'`,
    );
    return row?.n ?? NaN;
  };
  const clients = stage.size(500, 40);
  const seconds = stage.size(20, 2);
  const settings: ListenersSettings = {
    url: server.url,
    key: server.credentials.key,
    clients: clients / PROCESSES,
    after: String(await head()),
  };
  const crowd = Array.from({ length: PROCESSES }, (_, at) =>
    stage.processes.start({
      name: `listeners-${n}-${at}`,
      command: process.execPath,
      args: [workerProgram("listeners"), JSON.stringify(settings)],
      listens: true,
    }),
  );
  await Promise.all(crowd.map((one) => one.saysLine("ready")));
  const names = ["followers", "tail_rounds_total", "tail_events_total"] as const;
  const look = () => Promise.all(names.map((name) => metric(server, `signalbox_feed_${name}`)));
  const first = await head();
  const [followers = NaN, roundsBefore = NaN, readBefore = NaN] = await look();
  const events = await load(server, `crowd-${n}`, seconds);
  const last = await head();
  const [, rounds = NaN, read = NaN] = await look();
  for (const one of crowd) one.tell(`end ${last}`);
  await Promise.all(crowd.map((one) => one.exited));
  const heard = crowd.map((one) => JSON.parse(one.output.at(-1) ?? "{}") as Heard);
  const delays = heard.flatMap((one) => one.delays);
  const messages = heard.reduce((sum, one) => sum + one.messages, 0);
  return {
    clients: heard.reduce((sum, one) => sum + one.clients, 0),
    followers,
    events,
    incomplete_clients: clients - heard.reduce((sum, one) => sum + one.complete, 0),
    messages_amiss: Math.abs(messages - clients * (last - Number(settings.after))),
    delivery_p50_ms: quantile(delays, 0.5),
    delivery_p99_ms: quantile(delays, 0.99),
    delivery_most_ms: quantile(delays, 1),
    tail_rounds_per_s: (rounds - roundsBefore) / seconds,
    // Of all that the feed got meanwhile: the house has its own to say of what was left over.
    read_per_event: (read - readBefore) / (last - first),
  };
}

export const sseCrowd: Campaign = {
  name: "sse-crowd",
  row: "500 SSE clients on one project, 200 events/s for 20 s, frames coalesced per 50 ms",
  asked: "p99 delivery ≤ 300 ms, one database tail, nothing missed",
  step: "step-4",
  reps: 5,
  quickReps: 1,
  limitS: 600,
  figures: {
    clients: { unit: "", least: 40, headline: true },
    followers: { unit: "", least: 40 },
    events: { unit: "", least: 200, summed: true, headline: true },
    incomplete_clients: { ...never, headline: true },
    messages_amiss: { ...never, headline: true },
    delivery_p50_ms: { unit: "ms" },
    delivery_p99_ms: { unit: "ms", most: 300, timed: true, headline: true },
    delivery_most_ms: { unit: "ms" },
    tail_rounds_per_s: { unit: "/s", most: 22, timed: true, headline: true },
    // A second tail would make it 2; the two looks are not cut to the event.
    read_per_event: { unit: "", most: 1.05, headline: true },
    ...sound,
  },
  open: inOneHouse(repetition),
};
