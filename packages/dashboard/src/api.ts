// What the screens ask the server: one hook per question, one for every action.
// Promises: all data goes through the SDK; nothing is asked again by the clock more often than
// every 10 s (the feed says when, see `live.ts`); what another project said is never shown in this.
// Leaves to others: who asks (`session.ts`), when an answer is out of date (`live.ts`).

import type { Page, PageQuery, Signalbox } from "@signalbox/sdk";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { UseQueryResult } from "@tanstack/react-query";
import { notifications } from "@mantine/notifications";
import { adviceOn } from "./parts/advice.ts";
import { useSignedIn } from "./session.ts";

/** Subjects of what is remembered; the feed makes them stale by name. */
export type Subject =
  | "accounts"
  | "agents"
  | "allowances"
  | "approvals"
  | "audit"
  | "counts"
  | "health"
  | "keys"
  | "letters"
  | "project"
  | "queues"
  | "run"
  | "runs"
  | "runtimes"
  | "sessions"
  | "slots"
  | "usage"
  | "webhooks";

/** The clock's share: in case a doorbell was missed, and for what changes without an event. */
const CLOCK_MS = 30_000;

type Asked<T> = {
  readonly of: readonly [Subject, ...unknown[]];
  readonly ask: (client: Signalbox) => Promise<T>;
  /** Default every 30 s, never under 10. */
  readonly everyMs?: number;
  readonly enabled?: boolean;
};

/** One question to the server, remembered under its subject. */
export function useAsked<T>({ of, ask, everyMs, enabled }: Asked<T>): UseQueryResult<T> {
  const { client, number } = useSignedIn();
  return useQuery({
    queryKey: [number, ...of],
    queryFn: () => ask(client),
    refetchInterval: Math.max(10_000, everyMs ?? CLOCK_MS),
    // While another page of the same list is asked for, the one before stays on the screen.
    placeholderData: (before, query) => {
      const [of, subject] = query?.queryKey ?? [];
      return of === number && subject === "runs" ? before : undefined;
    },
    enabled: enabled ?? true,
  });
}

/** Most of a short list that a screen shows: 10 pages of 100. */
const MOST = 1_000;

/** All items of a list, up to 1,000. */
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const taken: T[] = [];
  for await (const item of items) {
    taken.push(item);
    if (taken.length >= MOST) break;
  }
  return taken;
}

/** The same for a list that has pages alone. */
async function allPages<T>(list: (query: PageQuery) => Promise<Page<T>>): Promise<T[]> {
  const taken: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await list({ limit: 100, ...(cursor === undefined ? {} : { cursor }) });
    taken.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && taken.length < MOST);
  return taken;
}

export const useAgents = () =>
  useAsked({ of: ["agents"], ask: (client) => all(client.agents.iterate({ limit: 100 })) });

export const useAccounts = () =>
  useAsked({ of: ["accounts"], ask: (client) => all(client.accounts.iterate({ limit: 100 })) });

export const useAllowances = () =>
  useAsked({ of: ["allowances"], ask: (client) => all(client.allowances.iterate({ limit: 100 })) });

export const useRuntimes = () =>
  useAsked({ of: ["runtimes"], ask: (client) => all(client.runtimes.iterate({ limit: 100 })) });

export const useProject = () =>
  useAsked({ of: ["project"], ask: (client) => client.projects.current(), everyMs: 10_000 });

export const useWebhooks = () =>
  useAsked({
    of: ["webhooks"],
    // A project has at most 100.
    ask: async (client) => (await client.webhooks.list({ limit: 100 })).items,
    everyMs: 10_000,
  });

export const useWebhook = (id: string) =>
  useAsked({ of: ["webhooks", id], ask: (client) => client.webhooks.get(id), everyMs: 10_000 });

/** Whose keys or sessions: the project's, or the owner's above all projects. */
export type Whose = "project" | "installation";

const whose = (of: Whose): { installation?: true } =>
  of === "installation" ? { installation: true } : {};

export const useKeys = (of: Whose) =>
  useAsked({
    of: ["keys", of],
    ask: (client) => allPages((query) => client.keys.list({ ...query, ...whose(of) })),
  });

export const useSessions = (of: Whose) =>
  useAsked({
    of: ["sessions", of],
    ask: (client) => allPages((query) => client.sessions.list({ ...query, ...whose(of) })),
    everyMs: 10_000,
  });

type Readiness = {
  readonly ready: boolean;
  readonly database: string;
  readonly sweep_lag_ms: number | null;
  readonly version: string;
  readonly started_at: string;
};

/** What the server says of itself; a server that is not ready says so with 503. */
export const useReadiness = () =>
  useAsked({
    of: ["health", "ready"],
    ask: (client) => client.http.get<Readiness>("/readyz"),
    everyMs: 10_000,
  });

export const useHouse = () =>
  useAsked({ of: ["health", "house"], ask: (client) => client.house(), everyMs: 10_000 });

/** Runs that are being done now: at most 500. */
export const useLiveRuns = () =>
  useAsked({
    of: ["runs", "live"],
    ask: async (client) => {
      const state = ["claimed", "running", "waiting_tool", "waiting_approval"] as const;
      return (await client.runs.list({ state, limit: 500 })).items;
    },
  });

/** Questions that wait for an answer, the oldest first: at most 100. */
export const useWaitingApprovals = () =>
  useAsked({
    of: ["approvals", "waiting"],
    ask: (client) => client.approvals.list({ status: "pending", limit: 100 }),
  });

/** An action: does it, says how it went, and asks again for what it changed. */
export function useAction<Given>(action: {
  readonly act: (client: Signalbox, given: Given) => Promise<unknown>;
  readonly changes: readonly Subject[];
  /** Said when it is done. */
  readonly done: (given: Given) => string;
  /** Whoever asks says itself what was refused, beside what was asked. */
  readonly saysRefusals?: true;
}) {
  const { client, number } = useSignedIn();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (given: Given) => action.act(client, given),
    onSuccess: (_answer, given) =>
      notifications.show({ message: action.done(given), color: "green", autoClose: 4_000 }),
    onError: (error) => {
      if (action.saysRefusals === true) return;
      const { title, advice } = adviceOn(error);
      notifications.show({ title, message: advice, color: "red", autoClose: 10_000 });
    },
    onSettled: async () => {
      const asked = action.changes.map((subject) =>
        queries.invalidateQueries({ queryKey: [number, subject] }),
      );
      // A dialog closes when the server has done it; a button waits until the screen shows it.
      if (action.saysRefusals !== true) await Promise.all(asked);
    },
  });
}
