// Live: one stream of the project's feed per browser, which says what has to be asked again.
// Promises: starts where the feed stands and misses nothing after that, also over broken
// connections (the SDK resumes by number); however many events come, each subject is asked for at
// most once a second; a server that was away for long is tried again every 10 s.
// Leaves to others: showing it (pages), the events of one run (`pages/run/`).

import type { Event, Signalbox } from "@signalbox/sdk";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Subject } from "./api.ts";
import { useSession } from "./session.ts";

/** Beginning of an event's type → what it makes stale. The first that fits counts. */
const stale: readonly (readonly [string, readonly Subject[]])[] = [
  ["run.", ["runs", "run", "counts", "queues", "agents", "allowances"]],
  ["attempt.", ["runs", "run", "agents"]],
  ["usage.", ["usage", "allowances"]],
  ["quota.", ["allowances", "agents"]],
  ["dispatch.", ["run"]],
  ["agent.", ["agents"]],
  ["account.", ["accounts", "agents"]],
  ["runtime.", ["runtimes", "agents"]],
  ["queue.", ["queues", "run"]],
  ["project.", ["project", "runs", "run", "agents"]],
  ["slot.", ["agents"]],
];

const COALESCE_MS = 1_000;
const AGAIN_MS = 10_000;

export type Link = "connecting" | "live" | "away";

/** What the tab that follows tells the others of the same project. */
type Told =
  | { readonly link: Link }
  | { readonly subjects: readonly Subject[] }
  /** A tab that has just come asks how it stands. */
  | { readonly asks: true };

/** Follows the feed of the session's project while somebody is signed in. */
export function useLive(): Link {
  const session = useSession();
  const queries = useQueryClient();
  const [link, setLink] = useState<Link>("connecting");
  useEffect(() => {
    if (session === null) return;
    const stop = new AbortController();
    const { number, client, project } = session;
    const waiting = coalesced((subjects) => {
      for (const subject of subjects) {
        void queries.invalidateQueries({ queryKey: [number, subject] });
      }
    });
    /** Of the stream in this tab; null while another tab follows. */
    let own: Link | null = null;
    const hear = (told: Told): void => {
      if ("link" in told) setLink(told.link);
      else if ("subjects" in told) waiting.add(told.subjects);
      else if (own !== null) say({ link: own });
    };
    const name = `signalbox.feed.${project.id}`;
    const others = new BroadcastChannel(name);
    others.addEventListener("message", ({ data }: MessageEvent<Told>) => hear(data));
    const say = (told: Told): void => {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it has one origin
      others.postMessage(told);
    };
    say({ asks: true });
    const tell = (told: Told): void => {
      if ("link" in told) own = told.link;
      hear(told);
      say(told);
    };
    void alone(name, stop.signal, () => followForEver(client, { tell, signal: stop.signal }));
    return () => {
      stop.abort();
      waiting.clear();
      others.close();
    };
  }, [session, queries]);
  return link;
}

/**
 * Does the work in one tab at a time: browsers open six connections to a server, so a stream per
 * tab would leave none for anything else. The next tab takes over when this one is closed. Where
 * there are no locks (plain HTTP from another machine) each tab follows for itself.
 */
async function alone(name: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  if (!window.isSecureContext) return work();
  // Refused when the page is left while it waits.
  await navigator.locks.request(name, { signal }, work).catch(() => undefined);
}

/** Collects subjects: the first is passed on at once, what follows together after a second. */
function coalesced(pass: (subjects: ReadonlySet<Subject>) => void) {
  let subjects = new Set<Subject>();
  let timer: number | undefined;
  let passedAt = 0;
  const flush = (): void => {
    timer = undefined;
    passedAt = performance.now();
    const taken = subjects;
    subjects = new Set();
    pass(taken);
  };
  return {
    add: (more: readonly Subject[]) => {
      for (const subject of more) subjects.add(subject);
      const waitMs = Math.max(100, COALESCE_MS - (performance.now() - passedAt));
      timer ??= window.setTimeout(flush, waitMs);
    },
    clear: () => window.clearTimeout(timer),
  };
}

type Following = { readonly tell: (told: Told) => void; readonly signal: AbortSignal };

async function followForEver(client: Signalbox, { tell, signal }: Following): Promise<void> {
  let last: Link = "connecting";
  const setLink = (link: Link): void => {
    // What was asked for while nobody answered has failed.
    if (link === "live" && last === "away") askAll();
    last = link;
    tell({ link });
  };
  const take = (event: Event): void => {
    const row = stale.find(([beginning]) => event.type.startsWith(beginning));
    if (row !== undefined) tell({ subjects: row[1] });
  };
  // What happened between the tab that followed before and this one is in no stream: ask anew.
  const askAll = (): void => tell({ subjects: stale.flatMap(([, subjects]) => subjects) });
  askAll();
  let afterFeed: string | null = null;
  while (!signal.aborted) {
    try {
      setLink(afterFeed === null ? "connecting" : "away");
      afterFeed ??= await lastFeed(client);
      const onLink = (isUp: boolean): void => setLink(isUp ? "live" : "away");
      // Events that were removed meanwhile: everything is asked for anew.
      const way = { signal, onLink, onResync: askAll };
      for await (const event of client.events.follow({ afterFeed, ...way })) {
        afterFeed = event.feed;
        take(event);
      }
    } catch {
      if (signal.aborted) return;
      setLink("away");
    }
    await new Promise((resolve) => window.setTimeout(resolve, AGAIN_MS));
  }
}

/**
 * Number of the newest event of the project. The feed is read forward only, so it is searched for
 * by halving, from what the newest run's events say: some 20 short questions for a million events.
 */
async function lastFeed(client: Signalbox): Promise<string> {
  const isBeyond = async (feed: number): Promise<boolean> =>
    (await client.events.list({ after_feed: String(feed), limit: 1 })).items.length === 0;
  const [newest] = (await client.runs.list({ limit: 1 })).items;
  const last =
    newest && (await client.runs.events(newest.id, { order: "desc", limit: 1 })).items[0];
  let low = Number(last?.feed ?? 0);
  if (await isBeyond(low)) return String(low);
  let step = 64;
  while (!(await isBeyond(low + step))) {
    low += step;
    step *= 8;
  }
  let high = low + step;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await isBeyond(middle)) high = middle;
    else low = middle;
  }
  return String(high);
}
