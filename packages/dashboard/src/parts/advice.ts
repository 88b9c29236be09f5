// What went wrong, and what to do about it: errors in words that help.
// Promises: every refusal and fault of the SDK has a title and an advice; the request's id is named
// where the server's log would say more; text only.
// Leaves to others: showing it (`quiet.tsx`, notifications).

import { isSignalboxError } from "@signalbox/sdk";

export type Advice = { readonly title: string; readonly advice: string };

const byStatus: { readonly [status: number]: string } = {
  401: "Sign in with a key that is not revoked or expired, or with a new link.",
  403: "Sign in with a key whose roles allow it, or ask somebody who has one.",
  404: "It may belong to another project, or its retention has passed.",
  409: "Something else happened first. Look at the state it has now.",
  423: "The project is stopped. Lift the emergency stop in the top bar first.",
  429: "Too many requests at once. It is tried again by itself in a moment.",
  503: "The server or its database is busy or starting. It is tried again by itself.",
};

/** Title and advice for anything thrown. */
export function adviceOn(error: unknown): Advice {
  if (!isSignalboxError(error)) {
    const said = error instanceof Error ? error.message : String(error);
    return { title: "This page failed", advice: `Load it again. It said: ${said}` };
  }
  if (error.status === 0) {
    return {
      title: "The server does not answer",
      advice: "The page goes on by itself when it is back. On its machine: signalbox doctor",
    };
  }
  const fields = error.errors.map(({ field, message }) => `${field} ${message}`).join("; ");
  const detail = fields || (error.problem?.detail ?? error.message);
  const rest = byStatus[error.status] ?? `Its log knows more under ${error.requestId ?? "?"}.`;
  return { title: `Refused: ${error.code}`, advice: `${detail} ${rest}` };
}
