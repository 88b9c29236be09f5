// Text that agents wrote: shown as what it is, character by character.
// Promises: only ever text nodes; control characters (ANSI, backspace, carriage return) and marks
// that turn the direction of text become visible signs, so that no line can pretend to be another.
// Leaves to others: cutting what is long (who shows it).
const unseen = /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** The text with unseen characters made visible; tab and line feed stay. */
export function plain(text: string): string {
  return text.replaceAll(unseen, (char) => {
    if (char === "\t" || char === "\n") return char;
    const code = char.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "\u2421" : `‹${code.toString(16).toUpperCase().padStart(4, "0")}›`;
  });
}

/** Agents' text in a line; whatever its direction, it turns nothing around it. */
export function Plain({ text }: { readonly text: string }) {
  return <bdi>{plain(text)}</bdi>;
}

/** What a run is called: the title its submitter gave it, or the end of its id. */
export function runTitle(run: { id: string; metadata: { [key: string]: unknown } }): string {
  const { title } = run.metadata;
  return typeof title === "string" && title !== "" ? plain(title) : `…${run.id.slice(-8)}`;
}
