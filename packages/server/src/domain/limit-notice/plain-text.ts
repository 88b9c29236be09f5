// Text as machines print it, made plain: no colours, frames, escapes or typographic signs, and in
// the three forms that later rules look at.
// Promises: linear in the text, of which the first 8 KiB and the last 12 KiB are read (a refusal
// stands at the beginning of an answer or at the end of an output); `raw`, `lined` and `folded` are
// of one length, so that a place in one is the same place in the others.
// Leaves to others: what the words mean.

/** One text in the forms that rules look at, all but `raw` in lower case. */
export type PlainText = {
  /** Letters as they were, lines kept. */
  readonly raw: string;
  /** Lines kept. */
  readonly lined: string;
  /** Line breaks are blanks. */
  readonly folded: string;
  /** Line breaks are nothing: terminals break lines inside words. */
  readonly joined: string;
};

const HEAD = 8 * 1024;
const TAIL = 12 * 1024;

const ENTITIES: Readonly<Record<string, string>> = {
  "&quot;": '"',
  "&#34;": '"',
  "&#39;": "'",
  "&#x27;": "'",
  "&apos;": "'",
  "&nbsp;": " ",
  "&amp;": "&",
};
const LETTERS: Readonly<Record<string, string>> = { n: "\n", r: "\n", t: " " };

type Step = readonly [what: RegExp, by: string | ((found: string, inner?: string) => string)];

/** In this order; each is linear, since what may repeat is bounded or always matches. */
const steps: readonly Step[] = [
  // JSON in a JSON string, once or several times, and what stands for the escape character.
  [/\\{1,8}u([0-9a-f]{4})/gi, (_, code) => String.fromCharCode(Number.parseInt(code ?? "", 16))],
  [/\\{1,8}(?:x1b|033|e(?=\[))/gi, "\u001b"],
  [/\\{1,8}(["'/`nrt])/g, (_, letter) => LETTERS[letter ?? ""] ?? letter ?? ""],
  [/&(?:quot|apos|nbsp|amp|#34|#39|#x27);/g, (entity) => ENTITIES[entity] ?? entity],
  [/%([2-7][0-9a-f])/gi, (_, code) => String.fromCharCode(Number.parseInt(code ?? "", 16))],
  // Titles and links of terminals, colours and cursor movements.
  // oxlint-disable-next-line no-control-regex -- escape sequences are what this removes
  [/\u001b\][^\u0007\u001b]{0,200}(?:\u0007|\u001b\\)/g, ""],
  // oxlint-disable-next-line no-control-regex -- escape sequences are what this removes
  [/\u001b\[[0-?]{0,32}[ -/]{0,4}[@-~]/g, ""],
  [/\[\d{1,3}(?:;\d{1,3}){0,4}m/g, ""],
  [/\r\n?/g, "\n"],
  [/\n{2,}/g, "\n"],
  [/[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u00ad]/g, ""],
  [/[\uff01-\uff5e]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0)],
  [/[\u2018\u2019\u02bc\u00b4]/g, "'"],
  [/[\u201c\u201d\u201e\u00ab\u00bb]/g, '"'],
  // Marks of documents: what they stress stays.
  [/(?<![/*])\*\*(?![/*])/g, ""],
  [/\[([^[\]()\n]{1,80})\]\((https?:[^()\s]{1,200})\)/g, "$1 ($2)"],
  [/<\/?(?:b|i|em|strong|time|span|u|small|mark)(?: [^<>\n]{0,100})?>/gi, ""],
  [/[\u2010\u2011\u2212]/g, "-"],
  [/(?<=\d) ?\u00bd/g, ".5"],
  [/\u00bd/g, "0.5"],
  // Frames, bullets and dingbats; control characters; every kind of blank.
  [/[\u2500-\u2501\u2504-\u2505\u2550\u2580-\u259f\u23ba-\u23bf\u25a0-\u25ff]/g, " "],
  // oxlint-disable-next-line no-control-regex -- control characters are what this removes
  [/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00a0\u2000-\u200a\u202f\u205f\u3000]/g, " "],
  [/ {2,}/g, " "],
  [/ ?[\u2502\u2503\u2551\u2506-\u254f\u2552-\u257f]{1,4} ?/g, "\u2502"],
  [/\u2502{0,4}\n\u2502{0,4}/g, "\n"],
  [/\u2502/g, " "],
  [/\n /g, "\n"],
  // Quoted lines, but not the commands of a shell.
  [/\n> (?=[a-z\d"'{(])(?!(?:npm|node|git|python|cargo|go|curl) )/gi, "\n"],
];

/**
 * Makes text plain.
 *
 * @example
 * plainText("\u001b[31mYou’ve hit\n   your LIMIT\u001b[0m").folded; // "you've hit your limit"
 */
export function plainText(message: string): PlainText {
  const cut =
    message.length <= HEAD + TAIL ? message : `${message.slice(0, HEAD)}\n${message.slice(-TAIL)}`;
  let text = cut;
  for (const [what, by] of steps) text = text.replace(what, by as (found: string) => string);
  const raw = text
    .replace(/ \n/g, "\n")
    .replace(/\n{2,}/g, "\n")
    .trim();
  const lined = lowerCase(raw);
  return {
    raw,
    lined,
    folded: lined.replaceAll("\n", " "),
    joined: lowerCase(text.replaceAll("\n", "")),
  };
}

/** Some letters grow when they become small; then only those of ASCII do. */
function lowerCase(text: string): string {
  const small = text.toLowerCase();
  return small.length === text.length
    ? small
    : text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
