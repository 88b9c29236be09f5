// Drafts: what a person has typed into a dialog and not sent yet.
// Promises: survives a reload of the page and leaving the dialog, in this tab alone; gone once it
// is sent, or when the person signs out.
// Leaves to others: what is typed (dialogs).

import { useState } from "react";

const PREFIX = "signalbox.draft.";

/** A text that is kept under a name until `forget`. */
export function useDraft(name: string, first: string) {
  const key = PREFIX + name;
  const [text, setText] = useState(() => window.sessionStorage.getItem(key) ?? first);
  const write = (next: string): void => {
    setText(next);
    if (next === first) window.sessionStorage.removeItem(key);
    else keep(key, next);
  };
  const forget = (): void => window.sessionStorage.removeItem(key);
  return { text, write, forget, isBegun: text !== first };
}

/** A browser without room for it only loses the draft with the page. */
function keep(key: string, text: string): void {
  try {
    window.sessionStorage.setItem(key, text);
  } catch {
    window.sessionStorage.removeItem(key);
  }
}

export const hasDraft = (name: string): boolean =>
  window.sessionStorage.getItem(PREFIX + name) !== null;

/** Forgets all drafts of this tab. */
export function forgetDrafts(): void {
  const store = window.sessionStorage;
  const names = Array.from({ length: store.length }, (_, n) => store.key(n) ?? "");
  for (const name of names) if (name.startsWith(PREFIX)) store.removeItem(name);
}
