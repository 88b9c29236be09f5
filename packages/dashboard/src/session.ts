// Who is signed in: the one place that knows how this page proves who it is.
// Promises: the browser's cookie, which no script reads, is all that proves it; a pasted key is
// exchanged for a session at once and kept nowhere; the code of a login link leaves the address
// before anything else runs; an ended session leads to the sign-in and back to where one was.
// Leaves to others: what a session may do (server), asking for a key or a press (`sign-in.tsx`).

import { notifications } from "@mantine/notifications";
import { isSignalboxError, Signalbox } from "@signalbox/sdk";
import type { OwnSession, Permission, Project } from "@signalbox/sdk";
import { useSyncExternalStore } from "react";
import { adviceOn } from "./parts/advice.ts";

/** A signed-in page. `projects` are those the person can change to; empty with a project's key. */
export type Session = {
  readonly client: Signalbox;
  readonly own: OwnSession;
  readonly project: Project;
  readonly projects: readonly Project[];
  /** Another for each project and session: names what is remembered of the server. */
  readonly number: number;
};

/** Why nobody is signed in: nobody was, the person left, or the session was ended. */
export type Farewell = "nobody" | "left" | "ended";

const PROJECT_STORE = "signalbox.project";
const RETURN_STORE = "signalbox.return";
const LOGIN = "/login";

let current: Session | null = null;
let farewell: Farewell = "nobody";
let count = 0;
const listeners = new Set<() => void>();
/** Tells the other tabs that somebody came or left: they share the cookie. */
const tabs = new BroadcastChannel("signalbox.session");

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

/** Why nobody is signed in. */
export function useFarewell(): Farewell {
  return useSyncExternalStore(subscribe, () => farewell);
}

/** The session of a page that is only shown to who is signed in. */
export function useSignedIn(): Session {
  const session = useSession();
  if (session === null) throw new Error("a page was shown without a session");
  return session;
}

/** Whether the session may do what needs this permission. */
export function useMay(permission: Permission): boolean {
  return useSignedIn().own.permissions.includes(permission);
}

/** The code of the login link by which this page was opened; null: it was opened without one. */
export const linkCode: string | null = takeCode();

function takeCode(): string | null {
  const { pathname, hash } = window.location;
  if (pathname !== LOGIN) return null;
  window.history.replaceState(null, "", LOGIN);
  return hash.length > 1 ? hash.slice(1) : null;
}

const clientOf = (project?: string): Signalbox =>
  new Signalbox({
    url: window.location.origin,
    session: true,
    ...(project === undefined ? {} : { project }),
  });

/**
 * Signs in with a key, or with a login link or its code; throws what the server refused. The key is
 * used to make a link, which is opened, and is then forgotten.
 */
export async function signIn(secret: string): Promise<void> {
  const isKey = secret.startsWith("sbx_");
  const code = isKey ? await codeOf(secret) : secret.slice(secret.indexOf("#") + 1);
  await clientOf().sessions.open(code);
  await enter();
  tell();
}

async function codeOf(key: string): Promise<string> {
  const asKey = new Signalbox({ url: window.location.origin, key });
  return (await asKey.sessions.link()).code;
}

/** Takes up the session of this browser, if there is one; without an answer nobody is signed in. */
export async function resume(): Promise<void> {
  try {
    await enter();
  } catch (error) {
    if (isSignalboxError(error, "unauthorized")) leave(current === null ? farewell : "ended");
    else if (current === null) throw error;
  }
}

/** What every screen needs to know of the session, then the screen. */
async function enter(): Promise<void> {
  const wanted = window.sessionStorage.getItem(PROJECT_STORE) ?? undefined;
  const session = await open(wanted);
  const back = window.sessionStorage.getItem(RETURN_STORE);
  window.sessionStorage.removeItem(RETURN_STORE);
  if (window.location.pathname === LOGIN) {
    // Loaded anew at the address that is kept; only a path of this very site is one.
    const isPath = back !== null && /^\/(?!\/)/.test(back);
    window.location.replace(isPath ? back : "/");
    return;
  }
  change(session);
}

/** Acts in another project from now on. */
export async function changeProject(name: string): Promise<void> {
  const session = await open(name);
  window.sessionStorage.setItem(PROJECT_STORE, name);
  change(session);
}

/** Ends the session of this browser, in all its tabs. */
export function signOut(): void {
  void endOwn();
}

async function endOwn(): Promise<void> {
  try {
    await clientOf().sessions.endOwn();
  } catch (error) {
    // An ended session is what was asked for; anything else leaves it open, which has to be said.
    if (!isSignalboxError(error, "unauthorized")) {
      const { title, advice } = adviceOn(error);
      notifications.show({ title: `Still signed in. ${title}`, message: advice, color: "red" });
      return;
    }
  }
  window.sessionStorage.removeItem(PROJECT_STORE);
  leave("left");
  tell();
}

/** The server says that the session is over. */
export function expired(): void {
  if (current !== null) leave("ended");
}

function leave(why: Farewell): void {
  farewell = why;
  const { pathname, search } = window.location;
  const isKept = why !== "left" && pathname !== LOGIN;
  if (isKept) window.sessionStorage.setItem(RETURN_STORE, `${pathname}${search}`);
  if (current !== null || why !== "nobody") change(null);
}

function tell(): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it has one origin
  tabs.postMessage("changed");
}

tabs.addEventListener("message", () => void resume().catch(() => undefined));

async function open(wanted: string | undefined): Promise<Session> {
  const client = clientOf();
  const own = await client.sessions.own();
  const isOwner = own.permissions.includes("own");
  const projects = isOwner ? (await client.projects.list({ limit: 100 })).items : [];
  const isChosen = wanted !== undefined && projects.some(({ name }) => name === wanted);
  const within = isChosen ? clientOf(wanted) : client;
  const project = await within.projects.current();
  return { client: within, own, project, projects, number: (count += 1) };
}
