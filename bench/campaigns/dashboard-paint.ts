// How soon a screen of the dashboard is there, what it weighs, and whether it jumps.
// Promises: the production build as the server of the product serves it, over loopback, nothing
// cached; the sign-in, and each screen opened at its own address by somebody who is signed in, with
// a fleet to show. Paint and shift are the browser's own measures; bytes are those that came over
// the connection.
// Leaves to others: networks (none is simulated), lists of a million (dashboard-runs.ts).

import type { Campaign, Play } from "../stage/campaign.ts";
import { openBrowser, Seat } from "../stage/browser.ts";
import type { Measured } from "../stage/figures.ts";
import type { Server } from "../stage/server.ts";
import type { Stage } from "../stage/stage.ts";
import { Talker } from "../stage/talker.ts";

const KB = 1_000;
const AGENTS = 40;
const RUNS = 300;

type Look = { readonly path: string; readonly ready: string };

/** Runs in each page before anything of it. */
const observe = `
  window.__shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.__shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });`;

const paint = `performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN`;

/** When nothing has moved for a while: shifts come late. */
const quiet = `new Promise((resolve) => {
    let since = performance.now();
    let before = window.__shift;
    const look = () => {
      if (window.__shift !== before) [since, before] = [performance.now(), window.__shift];
      if (performance.now() - since > 1500) resolve(window.__shift);
      else requestAnimationFrame(look);
    };
    look();
  })`;

type Seen = { readonly paintMs: number; readonly shift: number; readonly js: number; all: number };

/** Opens one screen with an empty cache. */
async function open({ cdp, page }: Seat, { path, ready }: Look): Promise<Seen> {
  const kinds = new Map<string, string>();
  const bytes = new Map<string, number>();
  const began = (one: { requestId: string; type: string }): void =>
    void kinds.set(one.requestId, one.type);
  const ended = (one: { requestId: string; encodedDataLength: number }): void =>
    void bytes.set(one.requestId, one.encodedDataLength);
  cdp.on("Network.responseReceived", began);
  cdp.on("Network.loadingFinished", ended);
  await cdp.send("Network.clearBrowserCache");
  await page.goto(path);
  await page.locator(ready).first().waitFor();
  const shift = await page.evaluate<number>(quiet);
  const paintMs = await page.evaluate<number>(paint);
  cdp.off("Network.responseReceived", began);
  cdp.off("Network.loadingFinished", ended);
  let js = 0;
  let all = 0;
  for (const [id, length] of bytes) {
    all += length;
    if (kinds.get(id) === "Script") js += length;
  }
  return { paintMs, shift, js, all };
}

async function furnish(server: Server, stage: Stage): Promise<string> {
  const wire = server.wire("furnisher", false);
  for (let n = 0; n < stage.size(AGENTS, 4); n += 1) {
    const body = { accounts: [`account-${n % 3}`], description: `Agent number ${n}` };
    await wire.must(`PUT /v1/agents/agent-${n}`, { body });
  }
  const items = Array.from({ length: stage.size(RUNS, 20) }, (_, n) => ({
    agent: `agent-${n % stage.size(AGENTS, 4)}`,
    metadata: { title: `Task ${n}` },
  }));
  await wire.must("POST /v1/runs/batch", { body: { items } });
  const talker = await Talker.start(server, stage.random(0), "talker");
  await talker.say(1_000);
  return talker.id;
}

async function repetition(browser: Parameters<typeof Seat.take>[0], server: Server, run: string) {
  const seat = await Seat.take(browser, server);
  await seat.page.addInitScript(observe);
  await seat.cdp.send("Network.enable");
  const looks: Record<string, Look> = {
    sign_in: { path: "/", ready: "text=Sign in" },
    fleet: { path: "/", ready: "text=agent-1" },
    runs: { path: "/runs", ready: "[role=rowgroup] [data-item]" },
    run: { path: `/runs/${run}`, ready: ".sb-log [data-seq]" },
    usage: { path: "/usage", ready: "h1" },
    queues: { path: "/queues", ready: "text=talker" },
  };
  const measured: Measured = {};
  for (const [name, look] of Object.entries(looks)) {
    if (name === "fleet") await seat.signIn(server);
    const { paintMs, shift, js, all } = await open(seat, look);
    measured[`${name}_paint_ms`] = paintMs;
    measured[`${name}_shift`] = shift;
    measured[`${name}_js_kb`] = js / KB;
    measured[`${name}_all_kb`] = all / KB;
  }
  await seat.leave();
  return measured;
}

async function openPlay(stage: Stage): Promise<Play> {
  const server = await stage.startServer();
  const run = await furnish(server, stage);
  const browser = await openBrowser(stage);
  return { repeat: () => repetition(browser, server, run) };
}

const screens = ["sign_in", "fleet", "runs", "run", "usage", "queues"];

export const dashboardPaint: Campaign = {
  name: "dashboard-paint",
  row: "screens of the production build, cold cache, loopback",
  asked: "first contentful paint ≤ 1.0 s, JavaScript ≤ 400 kB compressed, no layout shift > 0.05",
  step: "step-5",
  needs: ["chromium"],
  reps: 5,
  quickReps: 1,
  limitS: 600,
  figures: Object.fromEntries(
    screens.flatMap((name) => [
      [`${name}_paint_ms`, { unit: "ms", most: 1_000, timed: true, headline: true }],
      [`${name}_js_kb`, { unit: "kB", most: 400, headline: true }],
      [`${name}_shift`, { unit: "", most: 0.05, headline: true }],
      [`${name}_all_kb`, { unit: "kB" }],
    ]),
  ),
  open: openPlay,
};
