// Events inside the process: nobody who writes waits, what does not fit is counted and told, and a
// listener that fails takes nothing from the others.

import type { Event } from "@signalbox/sdk";
import { expect, test } from "vitest";
import { CHANNEL_SIZE, EventChannel } from "../../src/engine/services/tail/live-events.ts";
import type { LiveItem } from "../../src/engine/services/tail/live-events.ts";
import { newRunOf, origin } from "./fixtures.ts";
import { useStage } from "./stage.ts";

const stage = useStage();
const submit = (projectId: string): Promise<unknown> =>
  stage.engine.submit(projectId, [newRunOf()], origin);
const numbered = (feed: number): Event => ({ feed: String(feed), type: "x.test" }) as Event;

test("a channel holds 64, counts the rest, and tells its reader where to go on", async () => {
  const channel = new EventChannel();
  for (let feed = 1; feed <= 100; feed++) channel.push(numbered(feed));
  expect(channel.dropped).toBe(100 - CHANNEL_SIZE);
  const items: LiveItem[] = [];
  for await (const item of channel) {
    items.push(item);
    if (item.type === "dropped") {
      channel.push(numbered(101));
      channel.close();
    }
  }
  expect(items).toHaveLength(CHANNEL_SIZE + 2);
  expect(items.at(-2)).toEqual({ type: "dropped", dropped: 36, after_feed: "64" });
  expect(items.at(-1)).toMatchObject({ feed: "101" });
});

test("a channel without room for anything says so before the first item", async () => {
  const channel = new EventChannel(() => {}, 0);
  channel.push(numbered(1));
  channel.close();
  const items: LiveItem[] = [];
  for await (const item of channel) items.push(item);
  expect(items).toEqual([{ type: "dropped", dropped: 1, after_feed: null }]);
});

test("a channel of a project hears every event from then on, in order", async () => {
  const projectId = await stage.project();
  await submit(projectId);
  const channel = await stage.engine.events.channel(projectId);
  for (let n = 0; n < 5; n++) await submit(projectId);
  const feeds: number[] = [];
  for await (const item of channel) {
    if ("feed" in item) feeds.push(Number(item.feed));
    if (feeds.length === 5) break;
  }
  const [first = 0] = feeds;
  expect(feeds).toEqual(Array.from({ length: 5 }, (_, n) => first + n));
});

test("a listener that throws is counted, and the others hear everything", async () => {
  const projectId = await stage.project();
  const before = stage.engine.events.failures;
  const leaveBad = await stage.engine.events.on(projectId, () => {
    throw new Error("a sink that fails");
  });
  const channel = await stage.engine.events.channel(projectId);
  await submit(projectId);
  await submit(projectId);
  let heard = 0;
  for await (const item of channel) {
    if ("feed" in item) heard += 1;
    if (heard === 2) break;
  }
  expect(stage.engine.events.failures).toBe(before + 2);
  leaveBad();
});
