// Names that strangers gave (of a model, of a provider), as the server takes them.
// Promises: at most 200 characters, none of them a control character, no blank at either end.
// Leaves to others: names that people chose: those are refused by the server, not mended here.

const NAME_CHARS = 200;
/** Longer texts are no names; only their beginning is looked at. */
const LOOKED_AT = 1_000;

/** The name; undefined when it is no text, or when nothing is left of it. */
export function storableName(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const plain = value
    .slice(0, LOOKED_AT)
    .replaceAll(/\p{Cc}+/gu, " ")
    .trim();
  const name = plain.slice(0, NAME_CHARS).toWellFormed().trim();
  return name === "" ? undefined : name;
}
