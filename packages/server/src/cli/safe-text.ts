// Text from outside, made harmless for a terminal: what an agent, a name or a reason contains must
// not move the cursor, set the title, forge a line or turn the reading direction.
// Promises: the result has no C0 (besides newline and tab where lines are wanted), C1, DEL, bidi,
// invisible or private characters, and no lone surrogate; each is shown as `\x1b` or `\u202e`.
// Zero-width joiners stay: scripts and emoji need them. JSON keeps its value: only its spelling is
// changed. Leaves to others: what `signalbox run` prints, which is the user's own command.

/** Colours are dropped rather than shown: nearly every log has them. */
// oxlint-disable-next-line no-control-regex -- the escape character is what this is about
const COLOURS = /\u001b\[[0-9;:]*m/g;
const UNSAFE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu;
const JOINERS = new Set(["\u200c", "\u200d"]);

function shown(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\u{${code.toString(16)}}`;
}

/** Text of several lines: newlines and tabs stay. */
export function safeText(text: string): string {
  return text
    .replace(COLOURS, "")
    .replace(/\r\n/g, "\n")
    .replace(UNSAFE, (one) =>
      one === "\n" || one === "\t" || JOINERS.has(one) ? one : shown(one),
    );
}

/** Text on one line, of at most `most` characters; what is cut is marked by `…`. */
export function safeLine(text: string, most = Infinity): string {
  const line = safeText(text).replaceAll("\n", "\\n").replaceAll("\t", " ");
  const characters = Array.from(line.slice(0, Math.min(line.length, most * 2 + 2)));
  if (characters.length <= most) return line;
  return `${characters.slice(0, Math.max(0, most - 1)).join("")}…`;
}

/** JSON that says the same and is harmless to print. */
export function safeJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent) ?? "null";
  return text.replace(UNSAFE, (one) => {
    if (one === "\n" || JOINERS.has(one)) return one;
    return Array.from({ length: one.length }, (_, at) => {
      return `\\u${one.charCodeAt(at).toString(16).padStart(4, "0")}`;
    }).join("");
  });
}
