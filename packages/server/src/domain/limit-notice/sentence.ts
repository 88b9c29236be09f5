// The sentence around a place in a text that a terminal may have broken into lines.
// Promises: looks at most 240 characters each way; a line that was broken is long and ends without
// a sign, so a short one, or one that ends with a sign, has ended.
// Leaves to others: what the sentence says.

const AROUND = 240;
const FULL_LINE = 30;
const END = /[.!?。！？;；](?=\s|$)|[。！？；]/g;

/** What stands before a place in its sentence; lines become blanks. */
export function sentenceBefore(lined: string, at: number): string {
  const before = lined.slice(Math.max(0, at - AROUND), at);
  let start = 0;
  for (const mark of before.matchAll(END)) start = mark.index + mark[0].length;
  const lines = before.split("\n");
  let end = before.length;
  for (let n = lines.length - 2; n >= 0 && end > start; n--) {
    end -= (lines[n + 1] ?? "").length + 1;
    // The first one may be cut: then its length tells nothing.
    if (!hasEnded(lines[n] ?? "", n > 0 || before.length === at)) continue;
    start = Math.max(start, end + 1);
    break;
  }
  return before.slice(start).replaceAll("\n", " ");
}

/** What stands behind a place in its sentence. */
export function sentenceBehind(lined: string, at: number): string {
  const behind = lined.slice(at, at + AROUND);
  const end = behind.search(END);
  return (end < 0 ? behind : behind.slice(0, end + 1)).replaceAll("\n", " ");
}

function hasEnded(line: string, isWhole: boolean): boolean {
  return (isWhole && line.length < FULL_LINE) || /[.!?;})\]>\u2026]$/.test(line);
}
