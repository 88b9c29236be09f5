// A trace of the browser, read: what the main thread of the page did, frame by frame.
// Promises: a frame is what lies between two beginnings of a frame on the main thread, so a page
// that draws seldom has few and full ones, and none is diluted; the work of a frame is what all
// tasks in it took, whoever asked for them (script, layout, paint, timers, messages, collection):
// the thread's own time, and beside it the time that went by, which holds what others took.
// Leaves to others: what may be (campaigns).

import type { Browser, Page } from "playwright-core";

type TraceEvent = {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
};

const categories = [
  "devtools.timeline",
  "disabled-by-default-devtools.timeline",
  "devtools.timeline.frame",
  "disabled-by-default-devtools.timeline.frame",
];

/** Traces while `act` goes on. */
export async function traced(browser: Browser, page: Page, act: () => Promise<void>) {
  await browser.startTracing(page, { categories, screenshots: false });
  let text = "";
  try {
    await act();
  } finally {
    text = (await browser.stopTracing()).toString("utf8");
  }
  return framesOf((JSON.parse(text) as { traceEvents: TraceEvent[] }).traceEvents);
}

export type Frames = {
  /** Milliseconds of work on the main thread, per frame: of its processor. */
  readonly work: number[];
  /** The same by the clock on the wall. */
  readonly elapsed: number[];
  /** Milliseconds from the beginning of a frame to that of the next. */
  readonly spans: number[];
  /** The longest single task, in milliseconds. */
  readonly longestTask: number;
};

function framesOf(events: readonly TraceEvent[]): Frames {
  const isMain = (one: TraceEvent): boolean =>
    one.name === "thread_name" && one.args?.name === "CrRendererMain";
  const threads = new Set(events.filter(isMain).map(({ pid, tid }) => `${pid} ${tid}`));
  const busy = new Map<string, TraceEvent[]>();
  for (const event of events) {
    const thread = `${event.pid} ${event.tid}`;
    const isOurs = event.name === "RunTask" || event.name === "BeginMainThreadFrame";
    if (!isOurs || !threads.has(thread)) continue;
    const list = busy.get(thread) ?? [];
    list.push(event);
    busy.set(thread, list);
  }
  // One page is looked at: of several that draw it is the one that draws most.
  const ours = [...busy.values()].toSorted((a, b) => b.length - a.length)[0] ?? [];
  const sorted = ours.toSorted((a, b) => a.ts - b.ts);
  const begins = sorted.filter(({ name }) => name === "BeginMainThreadFrame").map(({ ts }) => ts);
  const tasks = sorted.filter(({ name, dur }) => name === "RunTask" && dur !== undefined);
  const work = begins.slice(1).map(() => 0);
  const elapsed = begins.slice(1).map(() => 0);
  let place = 0;
  for (const { ts, dur = 0, tdur = dur } of tasks) {
    while (place < work.length && (begins[place + 1] ?? Infinity) <= ts + dur) place += 1;
    // A task that holds the beginning of a frame belongs to that frame.
    if (place < work.length && ts + dur >= (begins[place] ?? Infinity)) {
      work[place] = (work[place] ?? 0) + tdur / 1_000;
      elapsed[place] = (elapsed[place] ?? 0) + dur / 1_000;
    }
  }
  const spans = begins.slice(1).map((ts, n) => (ts - (begins[n] ?? ts)) / 1_000);
  const longestTask = Math.max(0, ...tasks.map(({ dur = 0 }) => dur / 1_000));
  return { work, elapsed, spans, longestTask };
}
