// What differs between two JSON documents, line by line of their indented text.
// Promises: the order of an object's keys is no difference, nor is a comma at the end of a line;
// every line of both is in the answer, once; large documents cost a bounded time.
// Leaves to others: drawing it (`json-change.tsx`).

import type { Json } from "@signalbox/sdk";

export type DiffLine = { readonly kind: "same" | "gone" | "new"; readonly text: string };

/** Pairs of lines that are compared at most; beyond it all lines between the ends count as new. */
const MOST_PAIRS = 4_000_000;

/** From `before` to `after`. */
export function diffOf(before: Json, after: Json): DiffLine[] {
  const a = linesOf(before);
  const b = linesOf(inOrderOf(before, after));
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  const most = Math.min(a.length, b.length) - start;
  while (end < most && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const line = (kind: DiffLine["kind"]) => (text: string) => ({ kind, text });
  return [
    ...a.slice(0, start).map(line("same")),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...a.slice(a.length - end).map(line("same")),
  ];
}

const linesOf = (value: Json): string[] =>
  (JSON.stringify(value, null, 2) ?? "null").split("\n").map((text) => text.replace(/,$/, ""));

/** The same document, with keys in the order in which the other one has them. */
function inOrderOf(model: Json, value: Json): Json {
  if (Array.isArray(value)) {
    return value.map((one, n) => inOrderOf((Array.isArray(model) ? model[n] : null) ?? null, one));
  }
  if (!isObject(value)) return value;
  const known = isObject(model)
    ? Object.keys(model).filter((key) => Object.hasOwn(value, key))
    : [];
  const keys = new Set([...known, ...Object.keys(value)]);
  const entries = [...keys].map((key): [string, Json] => [
    key,
    inOrderOf((isObject(model) ? model[key] : null) ?? null, value[key] ?? null),
  ]);
  return Object.fromEntries(entries);
}

const isObject = (value: Json): value is { [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The longest common lines stay; what is between them is gone or new, gone first. */
function middle(a: readonly string[], b: readonly string[]): DiffLine[] {
  const gone = a.map((text): DiffLine => ({ kind: "gone", text }));
  const added = b.map((text): DiffLine => ({ kind: "new", text }));
  if (a.length * b.length > MOST_PAIRS) return [...gone, ...added];
  const width = b.length + 1;
  // common[i * width + j]: lines that a from i and b from j have in common.
  const common = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const longest = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
      common[i * width + j] = longest;
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ kind: "same", text: a[i] ?? "" });
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) {
      lines.push(gone[i] as DiffLine);
      i += 1;
    } else {
      lines.push(added[j] as DiffLine);
      j += 1;
    }
  }
  return lines;
}
