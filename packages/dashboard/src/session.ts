// Who is signed in: the one place that knows how this page proves who it is.
// Promises: a key lives in memory, and in sessionStorage only when the person chose so; it is never
// part of an address, a log or a message; signing out forgets both.
// Leaves to others: what the key may do (server). A session by cookie replaces this file alone: the
// rest of the dashboard sees a client, a project and how to leave.

import { isSignalboxError, Signalbox } from "@signalbox/sdk";
import type { Project } from "@signalbox/sdk";
import { useSyncExternalStore } from "react";

/** A signed-in page. `projects` are those the person can change to; empty with a project's key. */
export type Session = {
  readonly client: Signalbox;
  readonly project: Project;
  readonly projects: readonly Project[];
  /** Changes whenever another project or key is used: names what is remembered of the server. */
  readonly number: number;
};

const STORE = "signalbox.key";
const PROJECT_STORE = "signalbox.project";

let current: Session | null = null;
let key: string | null = null;
let count = 0;
const listeners = new Set<() => void>();

function change(next: Session | null): void {
  current = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The session, or null while nobody is signed in. */
export function useSession(): Session | null {
  return useSyncExternalStore(subscribe, () => current);
}

/** The session of a page that is only shown to who is signed in. */
export function useSignedIn(): Session {
  const session = useSession();
  if (session === null) throw new Error("a page was shown without a session");
  return session;
}

const clientOf = (secret: string, project?: string): Signalbox =>
  new Signalbox({
    url: window.location.origin,
    key: secret,
    ...(project === undefined ? {} : { project }),
  });

/** Signs in with a key; throws what the server refused. `keep`: until this tab is closed. */
export async function signIn(secret: string, keep: boolean): Promise<void> {
  const wanted = window.sessionStorage.getItem(PROJECT_STORE) ?? undefined;
  const session = await open(secret, wanted);
  key = secret;
  if (keep) window.sessionStorage.setItem(STORE, secret);
  change(session);
}

/** Signs in again with the key of this tab, if one was kept and still opens something. */
export async function resume(): Promise<void> {
  const kept = window.sessionStorage.getItem(STORE);
  if (kept !== null) await signIn(kept, true);
}

/** Acts in another project from now on. */
export async function changeProject(name: string): Promise<void> {
  if (key === null) return;
  const session = await open(key, name);
  window.sessionStorage.setItem(PROJECT_STORE, name);
  change(session);
}

/** Forgets the key. */
export function signOut(): void {
  key = null;
  window.sessionStorage.removeItem(STORE);
  window.sessionStorage.removeItem(PROJECT_STORE);
  change(null);
}

async function open(secret: string, wanted: string | undefined): Promise<Session> {
  const projects = await projectsOf(clientOf(secret));
  const isChosen = wanted !== undefined && projects.some(({ name }) => name === wanted);
  const client = isChosen ? clientOf(secret, wanted) : clientOf(secret);
  const project = await client.projects.current();
  return { client, project, projects, number: (count += 1) };
}

/** All projects with the owner's key; none with the key of one project, which cannot change. */
async function projectsOf(client: Signalbox): Promise<readonly Project[]> {
  try {
    return (await client.projects.list({ limit: 100 })).items;
  } catch (error) {
    if (isSignalboxError(error, "forbidden")) return [];
    throw error;
  }
}
