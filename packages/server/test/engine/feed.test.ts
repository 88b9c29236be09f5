// The feed of a project, as pages and live: filters, one tail for all who follow, from any number
// on; who takes too little reads on from the register.
import { describe, expect, test } from "vitest";
import type { Event, FeedItem } from "@signalbox/sdk";
import type { FeedFilter } from "../../src/engine/contract.ts";
import { toTypeId } from "../../src/std/ids.ts";
import { ok, submitAll, useDuo } from "./duo.ts";
import { origin } from "./fixtures.ts";

const duo = useDuo();
/** Forty followers begin one after the other, and this machine may be busy. */
const POLL = { timeout: 30_000 };

/** Two agents' runs: one of them claimed by `ada`, one meant for `bob`, one for anybody. */
async function furnished() {
  const project = await duo.project();
  for (const name of ["ada", "bob"]) ok(await duo.a.registerAgent(project, name, {}, origin));
  const [first = ""] = await submitAll(duo.a, project, 1, { queue: "ada" });
  const input = {
    runtime: "w1",
    agents: [{ name: "ada", free: 1 }],
    queues: ["ada"],
    runners: ["default"],
    free: 1,
    leaseMs: 60_000,
    waitMs: 0,
  };
  ok(await duo.a.claim(project, input, origin, new AbortController().signal));
  const [second = ""] = await submitAll(duo.a, project, 1, { agent: "bob" });
  const [third = ""] = await submitAll(duo.a, project, 1);
  ok(await duo.a.cancel(project, third, { reason: null, cascade: false }, origin));
  await duo.a.parts.after.settled();
  return { project, first, second, third };
}

const all = async (project: string, filter: FeedFilter): Promise<Event[]> =>
  (await duo.a.projectEvents(project, { afterFeed: 0, limit: 500, ...filter })).items;

/** Follows until so many have come. */
async function followed(project: string, from: { afterFeed: number } & FeedFilter, count: number) {
  const stop = new AbortController();
  const seen: Event[] = [];
  for await (const events of duo.b.followProject(project, from, stop.signal)) {
    seen.push(...(events as readonly Event[]));
    if (seen.length >= count) break;
  }
  stop.abort();
  return seen;
}

test("who stands behind the end of a restored feed is told so, and hears what comes", async () => {
  const project = await duo.project();
  await submitAll(duo.a, project, 3);
  const head = (await all(project, {})).at(-1)?.feed;
  const stop = new AbortController();
  const from = { afterFeed: Number(head) + 1000 };
  const heard: FeedItem[] = [];
  for await (const items of duo.b.followProject(project, from, stop.signal)) {
    heard.push(...items);
    if (heard.length === 1) await submitAll(duo.a, project, 1);
    if (heard.length >= 2) break;
  }
  expect(heard[0]).toEqual({ type: "resync", after_feed: head });
  expect(heard[1]).toMatchObject({ type: "run.submitted", feed: String(Number(head) + 1) });
});

test("who stands where another server has been told is not mistaken for that", async () => {
  const project = await duo.project();
  const stop = new AbortController();
  const first = duo.b.followProject(project, { afterFeed: 0 }, stop.signal);
  const reader = first[Symbol.asyncIterator]();
  await reader.next();
  // The tail of the one server has not read this yet; whoever comes from the other has.
  for (let n = 0; n < 20; n += 1) {
    await submitAll(duo.a, project, 1);
    const head = Number((await all(project, {})).at(-1)?.feed);
    const second = followed(project, { afterFeed: head }, 1);
    await submitAll(duo.a, project, 1);
    expect((await second).map(({ feed }) => feed)).toEqual([String(head + 1)]);
  }
  stop.abort();
  await reader.return?.();
});

describe("filters", () => {
  test("by the beginning of types, run and agent: the same as pages and live", async () => {
    const { project, first, second, third } = await furnished();
    const whole = await all(project, {});
    const wanted: [FeedFilter, (event: Event) => boolean][] = [
      [{ type: "run." }, ({ type }) => type.startsWith("run.")],
      [{ type: "run.cancelled" }, ({ type }) => type === "run.cancelled"],
      [{ run: third }, ({ stream_id }) => stream_id === toTypeId("run", third)],
      [
        { run: first, type: "run.claimed" },
        ({ stream_id, type }) => stream_id === toTypeId("run", first) && type === "run.claimed",
      ],
    ];
    for (const [filter, fits] of wanted) {
      const expected = whole.filter(fits).map(({ feed }) => feed);
      expect(expected.length).toBeGreaterThan(0);
      expect((await all(project, filter)).map(({ feed }) => feed)).toEqual(expected);
      const live = await followed(project, { afterFeed: 0, ...filter }, expected.length);
      expect(live.map(({ feed }) => feed)).toEqual(expected);
    }
    const ofAda = await all(project, { agent: "ada" });
    expect(ofAda.some(({ stream }) => stream === "agent")).toBe(true);
    expect(ofAda.some(({ type }) => type === "run.claimed")).toBe(true);
    const runs = (events: Event[]) => new Set(events.map((one) => one.stream_id));
    expect(runs(ofAda)).not.toContain(toTypeId("run", second));
    expect(runs(await all(project, { agent: "bob" }))).toContain(toTypeId("run", second));
  });

  test("hold for what comes while somebody follows", async () => {
    const project = await duo.project();
    const [head] = (await all(project, {})).slice(-1);
    const from = { afterFeed: Number(head?.feed ?? 0), type: "run.cancelled" };
    const following = followed(project, from, 3);
    const ids = await submitAll(duo.a, project, 3);
    for (const id of ids)
      ok(await duo.a.cancel(project, id, { reason: null, cascade: false }, origin));
    expect((await following).map(({ type }) => type)).toEqual(Array(3).fill("run.cancelled"));
  });
});

test("pages go on where they ended, whatever the filter", async () => {
  const { project } = await furnished();
  const expected = (await all(project, { type: "run." })).map(({ feed }) => feed);
  const seen: string[] = [];
  let after = "0";
  for (;;) {
    const page = { afterFeed: Number(after), limit: 2, type: "run." };
    const { items, next_cursor } = await duo.a.projectEvents(project, page);
    seen.push(...items.map(({ feed }) => feed));
    if (next_cursor === null) break;
    after = next_cursor;
  }
  expect(seen).toEqual(expected);
});

test("forty followers of three projects are told by one tail", async () => {
  const projects = [await duo.project(), await duo.project(), await duo.project()];
  const before = { ...duo.b.parts.tail.figures };
  const followers = Array.from({ length: 40 }, async (_, n) => {
    const stop = new AbortController();
    const feeds: number[] = [];
    const from = { afterFeed: 0 };
    const project = projects[n % 3] as string;
    for await (const events of duo.b.followProject(project, from, stop.signal)) {
      feeds.push(...(events as readonly Event[]).map(({ feed }) => Number(feed)));
      if (feeds.length >= 102) return feeds;
    }
    return feeds;
  });
  await expect.poll(() => duo.b.parts.tail.followers, POLL).toBe(40);
  await Promise.all(projects.map((project) => submitAll(duo.b, project, 100)));
  const expected = Array.from({ length: 102 }, (_, n) => n + 1);
  for (const feeds of await Promise.all(followers)) expect(feeds).toEqual(expected);
  const { figures } = duo.b.parts.tail;
  // Each event was read at most once, however many followed.
  expect(figures.events - before.events).toBeLessThanOrEqual(306);
  await expect.poll(() => duo.b.parts.tail.followers, POLL).toBe(0);
});

test("a follower that takes nothing is let go, and misses nothing", async () => {
  const project = await duo.project();
  const stop = new AbortController();
  const followed = duo.b.followProject(project, { afterFeed: 0 }, stop.signal);
  const stream = followed[Symbol.asyncIterator]();
  const feeds: number[] = [];
  const take = async (): Promise<void> => {
    const { value } = await stream.next();
    feeds.push(...(value as readonly Event[]).map(({ feed }) => Number(feed)));
  };
  await take();
  const more = 6_000;
  const pending = take();
  for (let n = 0; n < more; n += 500) await submitAll(duo.b, project, 500);
  await pending;
  await expect.poll(() => duo.b.parts.tail.followers, POLL).toBe(0);
  while (feeds.length < more + 2) await take();
  expect(feeds).toEqual(Array.from({ length: more + 2 }, (_, n) => n + 1));
  stop.abort();
  await stream.return?.(undefined);
});
