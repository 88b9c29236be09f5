// Words the house does not use, as tables: names of files, words in identifiers, phrases in text.
// Promises: each row says what to write instead. The glossary is docs/reference or ARCHITECTURE.md;
// this is its negative.
// Leaves to others: style beyond words (STYLE.md).

/** File and folder names that say nothing about what is inside. */
export const BANNED_NAMES: readonly string[] =
  "util utils helper helpers common misc manager managers types interfaces job jobs".split(" ");

/** Words inside identifiers → what to say instead. Compared in lower case, word by word. */
const BANNED_WORDS: Readonly<Record<string, string>> = {
  job: "run",
  jobs: "runs",
  task: "run",
  tasks: "runs",
  canceled: "cancelled",
  canceling: "cancelling",
  tenant: "project",
  workspace: "project (a working folder is a folder)",
  helper: "a name that says what it does",
  util: "a name that says what it does",
  utils: "a name that says what it does",
  manager: "a name that says what it does",
};

/** Identifiers that are right although a banned word is in them. */
const ALLOWED_IDENTIFIERS = new Set([
  "workspace_id", // a scope of a run, named by its sender
  "workspaceId",
  "workspaces", // npm's
]);

/** The folder that has to name what it bans. */
export const TIDY = "packages/server/test/tidy/";

/** The words of an identifier: `claimNextRun`, `claim_next_run` and `CLAIM_NEXT_RUN` alike. */
export function wordsOf(identifier: string): string[] {
  return identifier
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== "");
}

/** The banned words of an identifier, each with its better one. */
export function bannedIn(identifier: string): string[] {
  if (ALLOWED_IDENTIFIERS.has(identifier)) return [];
  return wordsOf(identifier)
    .filter((word) => Object.hasOwn(BANNED_WORDS, word))
    .map((word) => `${identifier}: not "${word}" but ${BANNED_WORDS[word]}`);
}

/** A pattern that no text file of the repository may hold. */
export type BannedText = { readonly pattern: RegExp; readonly why: string; readonly files: RegExp };

const CODE = /^(?:packages|bench|tools|examples)\/.*\.(?:tsx?|mjs|sql)$/;
const REGISTRY_HOSTS = ["registry.npmjs", "registry.yarnpkg", "npm.pkg.github"].map((host) =>
  host.replaceAll(".", "\\."),
);

/** Phrases that must not stand in files, by the files they are looked for in. */
export const BANNED_TEXT: readonly BannedText[] = [
  { pattern: /\bcanceled\b|\bcanceling\b/i, why: "spell it cancelled", files: CODE },
  { pattern: /\b(?:TODO|FIXME|XXX)\b/, why: "do it, or open an issue", files: CODE },
  {
    // Reading all columns of a parameter is naming them: they stand in the cast beside it.
    pattern: /\bselect\s+\*(?!\s+from\s+(?:unnest|jsonb?_to_recordset)\b)/i,
    why: "name the columns",
    files: CODE,
  },
  { pattern: /\breturning\s+\*/i, why: "name the columns", files: CODE },
  {
    pattern: new RegExp(`${REGISTRY_HOSTS.join("|")}|"resolved":\\s*"https?:`),
    why: "no download addresses: whoever installs decides where from",
    files: /^/,
  },
  {
    pattern: /(?:^|[\s"'`(=:])(?:\/(?:root|work|Users)\/[\w.-]|\/home\/(?!me\b)\w|[A-Z]:\\\w)/,
    why: "no paths of one machine (write /home/me or a relative path)",
    files: /^/,
  },
];
