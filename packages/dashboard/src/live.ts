// Live: one stream of the project's feed per browser, which says what has to be asked again.
// Promises: starts where the feed stands and misses nothing after that, also over broken
// connections (the SDK resumes by number); however many events come, what is watched is asked for
// four times a second at most and the rest once; a server that was away for long is tried again
// every 10 s.
// Leaves to others: showing it (pages), telling people of news (`shell/news.tsx`), the events of
// one run (`pages/run/`).

import { isSignalboxError } from "@signalbox/sdk";
import type { Event, Signalbox } from "@signalbox/sdk";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Subject } from "./api.ts";
import { expired, useSession } from "./session.ts";

const letters = ["letters", "runs", "run", "counts"] as const;

/** Beginning of an event's type → what it makes stale. The first that fits counts. */
const stale: readonly (readonly [string, readonly Subject[]])[] = [
  ["run.dead_lettered", letters],
  ["run.redriven", letters],
  ["run.discarded", letters],
  ["approval.", ["approvals", "run", "runs"]],
  ["run.", ["runs", "run", "counts", "queues", "agents", "allowances"]],
  ["attempt.", ["runs", "run", "agents"]],
  ["usage.", ["usage", "allowances"]],
  ["quota.", ["allowances", "agents"]],
  ["allowance.", ["allowances", "agents", "run"]],
  ["dispatch.", ["run"]],
  ["agent.", ["agents", "audit"]],
  ["account.", ["accounts", "agents", "audit"]],
  ["runtime.", ["runtimes", "agents", "audit"]],
  ["queue.", ["queues", "run", "audit"]],
  ["project.", ["project", "runs", "run", "agents", "queues", "counts", "approvals", "audit"]],
  ["slot.", ["agents", "slots"]],
  ["webhook.", ["webhooks", "audit"]],
  ["key.", ["keys", "sessions", "audit"]],
  ["session.", ["sessions", "audit"]],
  ["access.", ["audit"]],
];

/** What an event makes stale, with the further facts it carries. */
const staleAfter = ({ type, also }: Event): readonly Subject[] =>
  [type, ...also].flatMap(
    (one) => stale.find(([beginning]) => one.startsWith(beginning))?.[1] ?? [],
  );

/** What people are told of, wherever they are in the dashboard. */
const isNews = ({ type, data }: Event): boolean =>
  type === "approval.requested" || (type === "agent.status_changed" && data["to"] === "exhausted");

/** Hears of an event; `first` in the one tab that follows the feed for all. */
type NewsListener = (event: Event, first: boolean) => void;
const newsListeners = new Set<NewsListener>();
/** Events that were told; where each tab follows for itself, others tell of them once more. */
const toldIds = new Set<string>();

function tellNews(event: Event, first: boolean): void {
  if (toldIds.has(event.id)) return;
  if (toldIds.size > 1_000) toldIds.clear();
  toldIds.add(event.id);
  for (const tell of newsListeners) tell(event, first);
}

/** Listens for what people are told of. */
export function onNews(listener: NewsListener): () => void {
  newsListeners.add(listener);
  return () => newsListeners.delete(listener);
}

const COALESCE_MS = 1_000;
const AGAIN_MS = 10_000;

export type Link = "connecting" | "live" | "away";

/** What the tab that follows tells the others of the same project. */
type Told =
  | { readonly link: Link }
  | { readonly subjects: readonly Subject[] }
  | { readonly news: Event }
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
    const ask = async (subjects: ReadonlySet<Subject>): Promise<void> => {
      const asked = [...subjects].map((subject) =>
        queries.invalidateQueries({ queryKey: [number, subject] }),
      );
      await Promise.allSettled(asked);
    };
    const [soon, later] = [coalesced(ask, WATCHED_MS), coalesced(ask, COALESCE_MS)];
    const waiting = {
      add: (subjects: readonly Subject[]): void => {
        soon.add(subjects.filter((subject) => watched.has(subject)));
        later.add(subjects.filter((subject) => !watched.has(subject)));
      },
      clear: (): void => {
        soon.clear();
        later.clear();
      },
    };
    /** Of the stream in this tab; null while another tab follows. */
    let own: Link | null = null;
    const hear = (told: Told): void => {
      if ("link" in told) setLink(told.link);
      else if ("subjects" in told) waiting.add(told.subjects);
      else if ("news" in told) tellNews(told.news, own !== null);
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

/** What people watch is asked for this often at most, and everything else once a second. */
const WATCHED_MS = 250;
const watched: ReadonlySet<Subject> = new Set(["run", "runs"]);

/**
 * Collects subjects: the first is passed on at once, what follows together after a while, and never
 * before the one before was answered: a slow server is not asked more, it is asked less.
 */
function coalesced(pass: (subjects: ReadonlySet<Subject>) => Promise<void>, everyMs: number) {
  let subjects = new Set<Subject>();
  let timer: number | undefined;
  let isPassing = false;
  let passedAt = 0;
  const flush = async (): Promise<void> => {
    timer = undefined;
    isPassing = true;
    passedAt = performance.now();
    const taken = subjects;
    subjects = new Set();
    await pass(taken);
    isPassing = false;
    arm();
  };
  const arm = (): void => {
    if (isPassing || subjects.size === 0) return;
    const waitMs = Math.max(50, everyMs - (performance.now() - passedAt));
    timer ??= window.setTimeout(() => void flush(), waitMs);
  };
  return {
    add: (more: readonly Subject[]) => {
      for (const subject of more) subjects.add(subject);
      arm();
    },
    clear: () => {
      subjects = new Set();
      window.clearTimeout(timer);
    },
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
    const subjects = staleAfter(event);
    if (subjects.length > 0) tell({ subjects });
    if (isNews(event)) tell({ news: event });
  };
  const askAll = (): void => tell({ subjects: stale.flatMap(([, subjects]) => subjects) });
  let afterFeed: string | null = null;
  while (!signal.aborted) {
    try {
      setLink(afterFeed === null ? "connecting" : "away");
      if (afterFeed === null) {
        afterFeed = await lastFeed(client);
        // What happened up to this number since somebody followed last is in no stream.
        askAll();
      }
      const onLink = (isUp: boolean): void => setLink(isUp ? "live" : "away");
      // Events that were removed meanwhile: everything is asked for anew.
      const way = { signal, onLink, onResync: askAll };
      for await (const event of client.events.follow({ afterFeed, ...way })) {
        afterFeed = event.feed;
        take(event);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isSignalboxError(error, "unauthorized")) return expired();
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
