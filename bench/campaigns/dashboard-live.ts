// How late an event is on the screen: a line of a run that is followed, and a run in the list.
// Promises: the instant is the one the event carries, the database's on the same machine; on the
// screen is the frame after the one in which the page holds it, by the browser's clock of the same
// machine; other events come at a pace meanwhile, so that the page has work.
// Leaves to others: what a frame costs (dashboard-log.ts).

import type { RunSummary } from "@signalbox/sdk";
import type { Browser, Page } from "playwright-core";

import type { Campaign, Play } from "../stage/campaign.ts";
import { never } from "../stage/campaign.ts";
import { openBrowser, Seat } from "../stage/browser.ts";
import { quantile } from "../stage/figures.ts";
import type { Measured } from "../stage/figures.ts";
import type { Random } from "../stage/random.ts";
import type { Server } from "../stage/server.ts";
import type { Stage } from "../stage/stage.ts";
import { Talker } from "../stage/talker.ts";
import { sleep, until } from "../stage/until.ts";

type House = { readonly stage: Stage; readonly server: Server; readonly browser: Browser };

/**
 * Notes when a word that begins like this is first drawn anywhere in the screen. Words end in `;`:
 * what stands beside them may begin with a digit.
 */
const watch = (beginning: string): string => `window.__drawn = new Map();
  {
    const word = /${beginning}-\\d+;/g;
    const look = () => {
      for (const [found] of document.querySelector("#screen").textContent.matchAll(word)) {
        if (window.__drawn.has(found)) continue;
        window.__drawn.set(found, Infinity);
        requestAnimationFrame(() => window.__drawn.set(found, Date.now()));
      }
    };
    new MutationObserver(look).observe(document.querySelector("#screen"), {
      childList: true, characterData: true, subtree: true,
    });
  }`;

/** Milliseconds from the instant of each word to its drawing; null for what never came. */
async function delays(page: Page, made: ReadonlyMap<string, number>): Promise<(number | null)[]> {
  const last = [...made.keys()].at(-1);
  // A word that is there still waits for its frame.
  const all = (): Promise<boolean> =>
    page.evaluate<boolean>(`window.__drawn.get(${JSON.stringify(last)}) < Infinity`);
  // What never comes is a figure, not a fault.
  await until("the last one on the screen", all, { limitMs: 15_000 }).catch(() => {});
  const drawn = new Map(
    await page.evaluate<[string, number][]>(
      "[...window.__drawn].filter(([, at]) => at < Infinity)",
    ),
  );
  return [...made].map(([word, at]) => {
    const seen = drawn.get(word);
    return seen === undefined ? null : seen - at;
  });
}

/** A line now and then, among twenty others a second. */
async function ofLines({ stage, server, browser }: House, random: Random) {
  const talker = await Talker.start(server, random, `lines-${random.between(0, 1e9)}`);
  await talker.say(500);
  const seat = await Seat.take(browser, server);
  await seat.signIn(server);
  await seat.page.goto(`/runs/${talker.id}`);
  await seat.page.getByText("· live").waitFor();
  await seat.page.evaluate(watch("line"));
  const wire = server.wire("reader", false);
  const made = new Map<string, number>();
  for (let n = 0; n < stage.size(200, 10); n += 1) {
    await sleep(random.between(20, 180));
    await talker.say(2);
    const text = `line-${n};`;
    await talker.send([{ type: "log.line", data: { text } }]);
    const page = await wire.must<{ items: { at: string }[] }>(
      `GET /v1/runs/${talker.id}/events?order=desc&limit=1`,
    );
    made.set(text, Date.parse(page.items[0]?.at ?? ""));
  }
  const found = await delays(seat.page, made);
  await seat.leave();
  await talker.end();
  return found;
}

/** A submission now and then; the list is told by the feed and asks. */
async function ofRuns({ stage, server, browser }: House, random: Random) {
  const seat = await Seat.take(browser, server);
  await seat.signIn(server);
  await seat.page.goto("/runs");
  await seat.page.getByText("live", { exact: true }).waitFor();
  await seat.page.getByText(/shown/).waitFor();
  await seat.page.evaluate(watch("task"));
  const wire = server.wire("submitter", false);
  const made = new Map<string, number>();
  const first = random.between(1_000, 9_000) * 1_000;
  for (let n = 0; n < stage.size(60, 5); n += 1) {
    await sleep(random.between(100, 900));
    const title = `task-${first + n};`;
    const body = { queue: "nobody", metadata: { title } };
    const run = await wire.must<RunSummary>("POST /v1/runs", { body });
    made.set(title, Date.parse(run.created_at));
  }
  const found = await delays(seat.page, made);
  await seat.leave();
  return found;
}

function figures(name: string, found: readonly (number | null)[]): Measured {
  const there = found.filter((one) => one !== null);
  return {
    [`${name}_p50_ms`]: quantile(there, 0.5),
    [`${name}_p95_ms`]: quantile(there, 0.95),
    [`${name}_most_ms`]: quantile(there, 1),
    [`${name}_never_shown`]: found.length - there.length,
  };
}

async function repetition(house: House, n: number): Promise<Measured> {
  const random = house.stage.random(n);
  return {
    ...figures("line", await ofLines(house, random)),
    ...figures("run", await ofRuns(house, random)),
  };
}

async function open(stage: Stage): Promise<Play> {
  const server = await stage.startServer();
  await server.wire("first", false).must("POST /v1/runs", { body: { queue: "nobody" } });
  const browser = await openBrowser(stage);
  return { repeat: (n) => repetition({ stage, server, browser }, n) };
}

export const dashboardLive: Campaign = {
  name: "dashboard-live",
  row: "event → on screen: a line of a followed run, a run in the list",
  asked: "p95 ≤ 500 ms",
  step: "step-5",
  needs: ["chromium"],
  reps: 3,
  quickReps: 1,
  limitS: 600,
  figures: {
    line_p50_ms: { unit: "ms" },
    line_p95_ms: { unit: "ms", most: 500, timed: true, headline: true },
    line_most_ms: { unit: "ms" },
    line_never_shown: { ...never, headline: true },
    run_p50_ms: { unit: "ms" },
    run_p95_ms: { unit: "ms", most: 500, timed: true, headline: true },
    run_most_ms: { unit: "ms" },
    run_never_shown: { ...never, headline: true },
  },
  open,
};
