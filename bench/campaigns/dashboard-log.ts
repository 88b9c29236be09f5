// The page of a run with 100,000 events that goes on talking, 200 events a second for a minute.
// Promises: the page follows in a real browser while its main thread is traced; what it holds is
// compared with the API, number by number; memory is that of the page's heap after collection and
// of the process that draws it. An empty page of the same browser is the measure of frames.
// Leaves to others: how late an event comes (dashboard-live.ts).

import type { Event, Page as ListPage } from "@signalbox/sdk";
import type { Browser } from "playwright-core";

import type { Campaign, Play } from "../stage/campaign.ts";
import { never } from "../stage/campaign.ts";
import { openBrowser, rendererMib, Seat } from "../stage/browser.ts";
import { quantile } from "../stage/figures.ts";
import type { Measured } from "../stage/figures.ts";
import type { Server } from "../stage/server.ts";
import type { Stage } from "../stage/stage.ts";
import { Talker } from "../stage/talker.ts";
import { traced } from "../stage/trace.ts";
import { until } from "../stage/until.ts";

const PER_SECOND = 200;
const NEEDLE = "a needle that was said once";
const MIB = 2 ** 20;
/** The newest events that are read back from the screen. */
const READ_BACK = 2_000;

type House = { readonly stage: Stage; readonly server: Server; readonly browser: Browser };

/** Notes the number of every line that is ever put into the page. */
const observe = `window.__seen = new Set();
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) {
      if (node.dataset?.seq !== undefined) window.__seen.add(node.dataset.seq);
    }
  }).observe(document.querySelector(".sb-log-body"), { childList: true });`;

/** Numbers of the lines that stand in the page, scrolled back until one is this old. */
const readBack = (oldest: number): string => `new Promise((resolve) => {
    const box = document.querySelector(".sb-log");
    const seen = new Set();
    let still = 0;
    const step = () => {
      const drawn = [...box.querySelectorAll("[data-seq]")];
      const lines = drawn.map(({ dataset }) => Number(dataset.seq));
      const before = seen.size;
      for (const seq of lines) seen.add(seq);
      still = seen.size === before ? still + 1 : 0;
      if (Math.min(...lines) <= ${oldest} || still > 600) return resolve([...seen]);
      box.scrollTop -= 300;
      requestAnimationFrame(step);
    };
    step();
  })`;

/** Times between frames that a page is asked for all the time. */
const frameTimes = (ms: number): string => `new Promise((resolve) => {
    const spans = [];
    const began = performance.now();
    let last = began;
    const step = (now) => {
      spans.push(now - last);
      last = now;
      if (now - began < ${ms}) requestAnimationFrame(step);
      else resolve(spans.slice(2));
    };
    requestAnimationFrame(step);
  })`;

/** Events of the run that have a line of their own. */
const hasLine = ({ type }: Event): boolean =>
  type !== "message.delta" && type !== "tool.call.completed";

async function eventsAfter(server: Server, id: string, after: number): Promise<Event[]> {
  const wire = server.wire("checker", false);
  const events: Event[] = [];
  let cursor: string | null = String(after);
  while (cursor !== null) {
    const line = `GET /v1/runs/${id}/events?limit=500&after_seq=${cursor}`;
    const page: ListPage<Event> = await wire.must(line);
    events.push(...page.items);
    cursor = page.next_cursor;
  }
  return events;
}

/** What the page shows of these, following and read back; and what it does not. */
async function lostOf(seat: Seat, events: readonly Event[]): Promise<Measured> {
  const drawn = new Set(await seat.page.evaluate<string[]>("[...window.__seen]"));
  await seat.page.getByLabel("Follow").uncheck();
  const last = Number(events.at(-1)?.seq ?? 0);
  const oldest = Math.max(Number(events[0]?.seq ?? 0), last - READ_BACK);
  const back = new Set(await seat.page.evaluate<number[]>(readBack(oldest)));
  const lines = events.filter(hasLine);
  return {
    not_drawn_while_following: lines.filter(({ seq }) => !drawn.has(seq)).length,
    lost: lines.filter(({ seq }) => Number(seq) > oldest && !back.has(Number(seq))).length,
    read_back: lines.filter(({ seq }) => back.has(Number(seq))).length,
  };
}

/** From the keys typed until the only line that has it stands there. */
async function search({ page }: Seat): Promise<number> {
  const began = performance.now();
  await page.getByRole("textbox", { name: "Search the log" }).fill(NEEDLE);
  await page.locator(".sb-log").getByText(NEEDLE).waitFor();
  return performance.now() - began;
}

async function repetition({ stage, server, browser }: House, n: number): Promise<Measured> {
  const talker = await Talker.start(server, stage.random(n), `talker-${n}`);
  await talker.say(stage.size(100_000, 3_000), NEEDLE);
  const empty = await Seat.take(browser, server);
  const emptySpans = await empty.page.evaluate<number[]>(frameTimes(stage.size(5_000, 500)));
  await empty.leave();
  const seat = await Seat.take(browser, server);
  const { page } = seat;
  await seat.signIn(server);
  const [heapBefore, mibBefore] = [await seat.heapBytes(), await rendererMib(browser)];
  const opening = performance.now();
  await page.goto(`/runs/${talker.id}`);
  const shown = (seq: number) => page.locator(`.sb-log [data-seq="${seq}"]`);
  await shown(talker.last).waitFor();
  const opened = performance.now() - opening;
  await page.getByText("· live").waitFor();
  await page.evaluate(observe);
  const from = talker.last;
  let talked = { said: 0, seconds: 0 };
  const { work, elapsed, spans, longestTask } = await traced(browser, page, async () => {
    talked = await talker.talk(PER_SECOND, stage.size(60, 3));
  });
  const measuring = page.evaluate<number[]>(frameTimes(stage.size(5_000, 500)));
  await talker.talk(PER_SECOND, stage.size(5, 1));
  const following = await measuring;
  await talker.send([{ type: "log.line", data: { text: "the last line" } }]);
  const isThere = () => shown(talker.last).count();
  await until("the newest event on the screen", async () => (await isThere()) > 0, {
    limitMs: 20_000,
  });
  const [heapAfter, mibAfter] = [await seat.heapBytes(), await rendererMib(browser)];
  const lost = await lostOf(seat, await eventsAfter(server, talker.id, from));
  const found = await search(seat);
  await seat.leave();
  await talker.end();
  return {
    events: talker.last,
    followed: talked.said,
    per_second: talked.said / talked.seconds,
    opened_ms: opened,
    frames: work.length,
    frames_per_s: work.length / talked.seconds,
    work_per_frame_p50_ms: quantile(work, 0.5),
    work_per_frame_p95_ms: quantile(work, 0.95),
    work_per_frame_most_ms: quantile(work, 1),
    elapsed_per_frame_p95_ms: quantile(elapsed, 0.95),
    longest_task_ms: longestTask,
    busy_share: work.reduce((sum, one) => sum + one, 0) / spans.reduce((sum, one) => sum + one, 1),
    frame_time_p95_ms: quantile(following, 0.95),
    empty_frame_time_p95_ms: quantile(emptySpans, 0.95),
    frame_time_ratio: quantile(following, 0.95) / quantile(emptySpans, 0.95),
    heap_growth_mb: (heapAfter - heapBefore) / MIB,
    process_growth_mb: mibAfter - mibBefore,
    ...lost,
    search_ms: found,
  };
}

async function open(stage: Stage): Promise<Play> {
  const server = await stage.startServer();
  const browser = await openBrowser(stage);
  stage.notes.push(
    "Work is the time of the main thread's processor by trace, all tasks between two frames; " +
      "elapsed is the same by the clock on the wall, with what other processes took.",
  );
  stage.notes.push(
    "The browser draws by software on the cores that also serve and load. Growth is from the " +
      "board of the fleet, signed in, to the end of following.",
  );
  return { repeat: (n) => repetition({ stage, server, browser }, n) };
}

export const dashboardLog: Campaign = {
  name: "dashboard-log",
  row: "run page with 100,000 events, following 200 events/s for 60 s",
  asked:
    "work per frame p95 ≤ 16 ms and ≤ 2 × an empty page's frame time, " +
    "growth ≤ 100 MB, nothing lost",
  step: "step-5",
  needs: ["chromium"],
  reps: 3,
  quickReps: 1,
  limitS: 900,
  figures: {
    events: { unit: "", least: 3_000, headline: true },
    followed: { unit: "", least: 300 },
    per_second: { unit: "/s", least: 180, timed: true, headline: true },
    opened_ms: { unit: "ms" },
    frames: { unit: "", least: 10 },
    frames_per_s: { unit: "/s" },
    work_per_frame_p50_ms: { unit: "ms" },
    work_per_frame_p95_ms: { unit: "ms", most: 16, timed: true, speed: true, headline: true },
    work_per_frame_most_ms: { unit: "ms" },
    elapsed_per_frame_p95_ms: { unit: "ms", headline: true },
    longest_task_ms: { unit: "ms" },
    busy_share: { unit: "" },
    frame_time_p95_ms: { unit: "ms" },
    empty_frame_time_p95_ms: { unit: "ms" },
    frame_time_ratio: { unit: "×", most: 2, timed: true, headline: true },
    heap_growth_mb: { unit: "MB", most: 100, headline: true },
    process_growth_mb: { unit: "MB", most: 100, timed: true, headline: true },
    lost: { ...never, headline: true },
    not_drawn_while_following: { unit: "", headline: true },
    read_back: { unit: "", least: 100 },
    search_ms: { unit: "ms" },
  },
  open,
};
