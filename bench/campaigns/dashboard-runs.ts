// The list of runs of a project that has a million: first pages by every filter, the counts beside
// them, and how long until the rows stand on the screen.
// Promises: the filters are those of the screen and of the API, each about common runs, about a few
// that lie beneath all others, and about none; also pairs that are common alone and seldom meet.
// Before each round the server forgets nothing and the database is warm, as in use; answers are
// measured from outside, over HTTP, one after the other.
// Leaves to others: the indexes by name (packages/server/test/store/plans-lists.test.ts).

import type { Page as ListPage, RunSummary } from "@signalbox/sdk";

import type { Campaign, Play } from "../stage/campaign.ts";
import { never } from "../stage/campaign.ts";
import { openBrowser, Seat } from "../stage/browser.ts";
import { quantile } from "../stage/figures.ts";
import type { Measured } from "../stage/figures.ts";
import { fillWithRuns } from "../stage/many-runs.ts";
import type { Server } from "../stage/server.ts";
import type { Stage } from "../stage/stage.ts";
import type { Wire } from "../stage/wire.ts";

/** Query → the least number of runs that its first page must hold. */
const filters: readonly (readonly [string, number])[] = [
  ["", 50],
  ...["pending", "completed", "failed"].map((state) => [`state=${state}`, 50] as const),
  ["state=cancelled", 20],
  ["state=timeout", 0],
  ["state=claimed,running,waiting_tool,waiting_approval", 0],
  ["agent=ada", 50],
  ["agent=eve", 20],
  ["agent=nobody", 0],
  ["runtime=filler", 50],
  ["runtime=nobody", 0],
  ["queue=mail", 50],
  ["queue=seldom", 20],
  ["queue=none", 0],
  ["tag=nightly", 50],
  ["tag=seldom", 20],
  ["tag=none", 0],
  ["error_code=boom", 50],
  ["error_code=seldom", 20],
  ["error_code=none", 0],
  ["runner=default", 50],
  ["runner=seldom", 20],
  ["conversation_id=seldom", 20],
  ["workspace_id=seldom", 20],
  ["bot_id=seldom", 20],
  ["thread_id=seldom", 0],
  ["text=run_0", 50],
  ["text=7zzz", 0],
  ["created_after=2000-01-01T00:00:00Z", 50],
  ["created_after=2199-01-01T00:00:00Z", 0],
  ["created_before=2000-01-01T00:00:00Z", 0],
  ["finished_after=2000-01-01T00:00:00Z", 50],
  ["finished_before=2000-01-01T00:00:00Z", 0],
  ["agent=ada&state=failed", 50],
  ["agent=eve&state=failed", 20],
  ["agent=bob&tag=daily&state=completed", 50],
];
/** Each is common, both together are none: a page may say that it looks on. */
const seldomMet = ["agent=bob&state=failed", "agent=bob&queue=default", "tag=nightly&queue=mail"];

const LIMIT = 100;

type Asked = { readonly query: string; readonly ms: number; readonly isShort: boolean };

async function ask(wire: Wire, query: string, least: number): Promise<Asked> {
  const began = performance.now();
  const page = await wire.must<ListPage<RunSummary>>(`GET /v1/runs?limit=${LIMIT}&${query}`);
  const ms = performance.now() - began;
  const isShort = page.items.length < least || (page.items.length < LIMIT && page.has_more);
  return { query, ms, isShort };
}

/** Pages until there are no more; how many, and the longest of them. */
async function toTheEnd(wire: Wire, query: string): Promise<{ pages: number; mostMs: number }> {
  let cursor: string | null = "";
  const took: number[] = [];
  while (cursor !== null) {
    const began = performance.now();
    const next: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const line = `GET /v1/runs?limit=${LIMIT}&${query}${next}`;
    const page: ListPage<RunSummary> = await wire.must(line);
    took.push(performance.now() - began);
    cursor = page.next_cursor;
  }
  return { pages: took.length, mostMs: Math.max(...took) };
}

type House = { readonly stage: Stage; readonly server: Server; readonly seat: Seat };

async function overHttp({ stage, server }: House): Promise<Measured> {
  const wire = server.wire("reader", false);
  const asked: Asked[] = [];
  for (let round = 0; round < stage.size(10, 1); round += 1) {
    for (const [query, least] of filters) {
      const few = stage.quick ? Math.min(least, 20) : least;
      asked.push(await ask(wire, query, few));
    }
  }
  const slowest = asked.toSorted((a, b) => b.ms - a.ms)[0];
  stage.say(`  slowest: ${slowest?.query} ${Math.round(slowest?.ms ?? 0)} ms`);
  const pairs = [];
  for (const query of seldomMet) pairs.push(await toTheEnd(wire, query));
  const counted: number[] = [];
  for (let n = 0; n < stage.size(30, 2); n += 1) {
    const began = performance.now();
    await wire.must("GET /v1/runs/counts");
    counted.push(performance.now() - began);
  }
  const all = asked.map(({ ms }) => ms);
  return {
    filters: filters.length,
    first_page_p50_ms: quantile(all, 0.5),
    first_page_p95_ms: quantile(all, 0.95),
    first_page_most_ms: quantile(all, 1),
    wrong_pages: asked.filter(({ isShort }) => isShort).length,
    seldom_met_page_most_ms: Math.max(...pairs.map(({ mostMs }) => mostMs)),
    seldom_met_pages: Math.max(...pairs.map(({ pages }) => pages)),
    counts_p95_ms: quantile(counted, 0.95),
  };
}

/** From the key that leads to the list until its rows stand there, by the page's own clock. */
async function onScreen({ stage, seat }: House): Promise<Measured> {
  const { page } = seat;
  const took: number[] = [];
  for (let n = 0; n < stage.size(20, 2); n += 1) {
    await page.goto("/queues");
    await page.getByRole("heading", { name: "Queues" }).waitFor();
    took.push(
      await page.evaluate<number>(`new Promise((resolve) => {
        const began = performance.now();
        const look = () => document.querySelector("[role=rowgroup] [data-item]")
          ? requestAnimationFrame(() => resolve(performance.now() - began))
          : requestAnimationFrame(look);
        document.querySelector('nav a[href="/runs"]').click();
        look();
      })`),
    );
  }
  return { on_screen_p50_ms: quantile(took, 0.5), on_screen_p95_ms: quantile(took, 0.95) };
}

async function open(stage: Stage): Promise<Play> {
  const server = await stage.startServer();
  const began = performance.now();
  await fillWithRuns(server, stage.size(1_000_000, 2_000));
  stage.say(`  filled in ${Math.round((performance.now() - began) / 1_000)} s`);
  await server.stop();
  await server.restart();
  const browser = await openBrowser(stage);
  const seat = await Seat.take(browser, server);
  await seat.signIn(server);
  const register = server.register();
  const [row] = await register.rows<{ n: number }>(
    "select count(*)::integer as n from signalbox.run",
  );
  stage.notes.push("The runs were copied by SQL from ones the product made; a page asks for 100.");
  const house = { stage, server, seat };
  return {
    repeat: async () => ({
      runs: row?.n ?? NaN,
      ...(await overHttp(house)),
      ...(await onScreen(house)),
    }),
    close: async () => {
      await seat.leave();
      await register.close();
      return {};
    },
  };
}

export const dashboardRuns: Campaign = {
  name: "dashboard-runs",
  row: "list of runs with 1 M runs: every filter, counts by state, and the screen",
  asked: "first page ≤ 300 ms at p95",
  step: "step-5",
  needs: ["chromium"],
  reps: 3,
  quickReps: 1,
  limitS: 1_500,
  figures: {
    runs: { unit: "", least: 2_000, headline: true },
    filters: { unit: "", least: 30 },
    first_page_p50_ms: { unit: "ms" },
    first_page_p95_ms: { unit: "ms", most: 300, timed: true, headline: true },
    first_page_most_ms: { unit: "ms", headline: true },
    wrong_pages: never,
    seldom_met_page_most_ms: { unit: "ms", headline: true },
    seldom_met_pages: { unit: "" },
    counts_p95_ms: { unit: "ms", most: 300, timed: true, headline: true },
    on_screen_p50_ms: { unit: "ms" },
    on_screen_p95_ms: { unit: "ms", most: 300, timed: true, headline: true },
  },
  open,
};
