// JSON as text to be edited.
// Promises: the same document when it is read again; what cannot be seen, or turns the direction of
// text, stands as an escape (`\u202e`), so that no line can pretend to be another.
// Leaves to others: showing what is not edited (`plain.tsx`).

import type { Json } from "@signalbox/sdk";

/** In JSON these stand in strings alone, where an escape means the same. */
const unseen = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Indented by two. */
export function jsonText(value: Json): string {
  const text = JSON.stringify(value, null, 2) ?? "null";
  return text.replaceAll(unseen, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
