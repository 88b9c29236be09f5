// The legend: every state of everything, as a word, a colour and a shape.
// Promises: no two states of one thing share a shape, so that colour is never the only sign.
// Leaves to others: drawing them (`state-badge.tsx`).

import type {
  AgentStatus,
  ApprovalRisk,
  ApprovalStatus,
  AttemptState,
  DeadLetterStatus,
  DeliveryState,
  Finding,
  RunState,
  Runtime,
} from "@signalbox/sdk";

export type Tone = "neutral" | "blue" | "green" | "amber" | "red" | "violet";
export type Shape =
  | "bars"
  | "bell"
  | "check"
  | "clock"
  | "cross"
  | "dash"
  | "diamond"
  | "hand"
  | "half"
  | "hourglass"
  | "play"
  | "ring"
  | "square"
  | "undo";

export type Look = { readonly word: string; readonly tone: Tone; readonly shape: Shape };

const look = (word: string, tone: Tone, shape: Shape): Look => ({ word, tone, shape });

export const runLooks: Readonly<Record<RunState, Look>> = {
  pending: look("pending", "neutral", "ring"),
  claimed: look("claimed", "blue", "half"),
  running: look("running", "blue", "play"),
  waiting_tool: look("waiting for a tool", "violet", "hourglass"),
  waiting_approval: look("waiting for approval", "amber", "hand"),
  completed: look("completed", "green", "check"),
  failed: look("failed", "red", "cross"),
  cancelled: look("cancelled", "neutral", "square"),
  timeout: look("timed out", "red", "clock"),
};

export const runStates = Object.keys(runLooks) as RunState[];

export const agentLooks: Readonly<Record<AgentStatus | "paused", Look>> = {
  busy: look("busy", "blue", "play"),
  on_call: look("on call", "violet", "bell"),
  idle: look("idle", "green", "ring"),
  exhausted: look("exhausted", "amber", "hourglass"),
  offline: look("offline", "neutral", "dash"),
  paused: look("paused", "amber", "bars"),
};

export const attemptLooks: Readonly<Record<AttemptState, Look>> = {
  spawning: look("spawning", "blue", "half"),
  running: look("running", "blue", "play"),
  completed: look("completed", "green", "check"),
  failed: look("failed", "red", "cross"),
  killed: look("killed", "red", "square"),
  lost: look("lost", "amber", "dash"),
  released: look("released", "neutral", "undo"),
};

export const runtimeLooks: Readonly<Record<Runtime["state"], Look>> = {
  online: look("online", "green", "ring"),
  draining: look("draining", "amber", "half"),
  stale: look("stale", "red", "clock"),
  offline: look("offline", "neutral", "dash"),
};

export const limitLooks: Readonly<Record<"open" | "closed" | "half_open", Look>> = {
  open: look("open", "green", "ring"),
  closed: look("exhausted", "amber", "hourglass"),
  half_open: look("probing", "violet", "half"),
};

export type WebhookState = "sending" | "failing" | "disabled";

export const webhookLooks: Readonly<Record<WebhookState, Look>> = {
  sending: look("sending", "green", "check"),
  failing: look("failing", "red", "clock"),
  disabled: look("disabled", "neutral", "bars"),
};

export const deliveryLooks: Readonly<Record<DeliveryState | "aside", Look>> = {
  pending: look("pending", "blue", "ring"),
  aside: look("stepped aside", "amber", "undo"),
  delivered: look("delivered", "green", "check"),
  failed: look("given up", "red", "cross"),
};

export const keyLooks: Readonly<Record<"good" | "ending" | "expired" | "revoked", Look>> = {
  good: look("good", "green", "check"),
  ending: look("ending", "amber", "hourglass"),
  expired: look("expired", "neutral", "clock"),
  revoked: look("revoked", "neutral", "cross"),
};

export const projectLooks: Readonly<Record<"open" | "stopped", Look>> = {
  open: look("open", "green", "ring"),
  stopped: look("stopped", "red", "square"),
};

export const findingLooks: Readonly<Record<Finding["verdict"], Look>> = {
  ok: look("ok", "green", "check"),
  warn: look("look at it", "amber", "bell"),
  fail: look("wrong", "red", "cross"),
};

export const approvalLooks: Readonly<Record<ApprovalStatus, Look>> = {
  pending: look("waiting", "amber", "hand"),
  approved: look("approved", "green", "check"),
  rejected: look("rejected", "red", "cross"),
  expired: look("expired", "neutral", "clock"),
  cancelled: look("not needed any more", "neutral", "square"),
};

export const riskLooks: Readonly<Record<ApprovalRisk, Look>> = {
  low: look("low risk", "neutral", "ring"),
  medium: look("medium risk", "amber", "half"),
  high: look("high risk", "red", "diamond"),
};

export const letterLooks: Readonly<Record<DeadLetterStatus, Look>> = {
  open: look("waiting for a person", "red", "hand"),
  redriven: look("redriven", "blue", "undo"),
  discarded: look("discarded", "neutral", "square"),
};

/** How long ago, or in how long: `now`, `12 s ago`, `in 5 min 20 s`. */
export function agoText(at: string, now: number): string {
  const ms = Date.parse(at) - now;
  const s = Math.round(Math.abs(ms) / 1_000);
  // The page's clock moves once a second: what happened since then is not in the future.
  if (s < 1 || (ms > 0 && ms < 2_000)) return "now";
  // Tenths of a second would stand still between two looks.
  const text = s < 60 ? `${s} s` : durationText(s * 1_000);
  return ms < 0 ? `${text} ago` : `in ${text}`;
}

/** `340 ms`, `4.2 s`, `12 s`, `3 min 20 s`, `5 h 12 min`, `3 d 4 h`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`;
  const s = Math.round(ms / 1_000);
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return s % 60 === 0 ? `${min} min` : `${min} min ${s % 60} s`;
  const h = Math.floor(min / 60);
  if (h < 24) return min % 60 === 0 ? `${h} h` : `${h} h ${min % 60} min`;
  const d = Math.floor(h / 24);
  return h % 24 === 0 ? `${d} d` : `${d} d ${h % 24} h`;
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** `1,204`; from a million on `3.4M`. */
export const numberText = (n: number): string =>
  n >= 1_000_000 ? short.format(n) : whole.format(n);

/** `840 B`, `12.4 MB`. */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [n, place] = [bytes, 0];
  while (n >= 1_000 && place < units.length - 1) [n, place] = [n / 1_000, place + 1];
  return `${place === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[place]}`;
}

/** Micros of a dollar as `$0.0042` or `$12.40`. */
export function moneyText(micros: number): string {
  const dollars = micros / 1_000_000;
  return `$${dollars.toFixed(dollars !== 0 && Math.abs(dollars) < 0.1 ? 4 : 2)}`;
}
