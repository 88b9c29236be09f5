// Hostile text (F-120): what agents, users and providers may write into any field, and how an
// operator must see it.
// Promises: every field's text begins with the field's own name and markup, so that a test can say
// which field a screen shows; whatever of it ran as a script would set `__canary`.
// Leaves to others: putting it into the fields (`hostile-fleet.ts`).

const set = "window.__canary=1";

/** Markup, broken attributes, addresses that are scripts, templates, styles. */
const markup = [
  `<img src=x onerror=${set}>`,
  `"><script>${set}</script>`,
  `' onmouseover='${set}' x='`,
  `<svg/onload=${set}>`,
  `<iframe srcdoc="<script>parent.__canary=1</script>"></iframe>`,
  `javascript:${set}//`,
  `[click](javascript:${set})`,
  `data:text/html,<script>${set}</script>`,
  `{{constructor.constructor('${set}')()}}\${${set}}`,
  "</title></textarea></style><style>*{display:none}</style>",
  "&lt;b&gt;&#x3c;b&#x3e;",
];

/** Turned direction, unseen characters, another direction, halves of pairs. */
const turned = [
  "\u202Egnp.exe\u202C \u2066isolated\u2069 \u200Bzero\u200Dwidth\uFEFF",
  "‏שלום עולם‏ مرحبا",
  "\uD800 half \uDC00",
];

/** Terminal sequences, a line that overwrites itself, backspaces, NUL and what looks like it. */
const controls = [
  "\u001B[2J\u001B[31m\u001B]8;;https://evil.example\u0007here\u001B]8;;\u0007 gone\rover",
  "safe\b\b\b\bevil \u0000 ␀ \\u0000 %00 \u007F\u0085",
];

/** One line of 1 MiB. */
export const longLine = `${"x".repeat(1024 * 1024 - 200)}<b>${set}</b>`;

/** Everything that fits in a line. */
export const corpus: readonly string[] = [...markup, ...turned, ...controls];

export type HostileField =
  | "account"
  | "agent"
  | "agent.pause"
  | "approval.action"
  | "approval.arguments"
  | "approval.comment"
  | "approval.title"
  | "audit.reason"
  | "error"
  | "event"
  | "evidence"
  | "input"
  | "key"
  | "line"
  | "message"
  | "model"
  | "output"
  | "project.stop"
  | "provider"
  | "queue"
  | "queue.pause"
  | "runtime"
  | "tag"
  | "title"
  | "tool"
  | "tool.arguments"
  | "version"
  | "webhook.description"
  | "webhook.url";

/** What stands on the screen, character by character, when the field is shown. */
export const seenAs = (field: HostileField): string => `[${field}] ${markup[0]}`;

/** Free text of a field. */
export const hostile = (field: HostileField): string => `${seenAs(field)} ${corpus.join(" ")}`;

/** Without NUL and halves of pairs, which the server refuses from people (workers' it replaces). */
export const sendable = (text: string): string =>
  text.replaceAll("\u0000", "").replaceAll(/\p{Cs}/gu, "");

/** The same for reasons and titles, which have up to 500 characters. */
export const hostileShort = (field: HostileField): string =>
  sendable(hostile(field)).slice(0, 480).trim();

const printable = corpus.join(" ").replaceAll(/\p{Cc}|\p{Cs}/gu, "");

/** For names: 200 characters, none of them a control character. */
export function hostileName(field: HostileField, part = 0): string {
  const begin = seenAs(field);
  const room = 199 - begin.length;
  return `${begin} ${printable.slice(part * room, (part + 1) * room)}`.trim();
}

/** Names that hold all of the corpus between them. */
export const hostileNames = (field: HostileField): string[] =>
  Array.from({ length: Math.ceil(printable.length / 100) }, (_, n) => hostileName(field, n)).filter(
    (name) => name !== seenAs(field),
  );
