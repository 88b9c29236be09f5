// Snippets: the fenced code of documents that says of itself that it runs.
// A block is run if the word `test` follows its language: ```ts test, ```sh test. In TypeScript
// `test worker` is a program that serves until SIGTERM, and `// text` behind a console.log is what
// it prints. A ```text block right below a sh block is what that one prints; `…` is anything.
// Leaves to others: running them (snippets.test.ts).

import type { File } from "./repository.ts";

export type Snippet = {
  /** Where it stands: `docs/guide/runs.md:48`. */
  readonly place: string;
  readonly language: "ts" | "sh";
  /** Serves until it is told to stop. */
  readonly worker: boolean;
  readonly code: string;
  /** Lines it must print, in this order, among others. */
  readonly prints: readonly string[];
};

const FENCE = /^```(\w+)([^\n]*)\n([\s\S]*?)^```$/gm;

/** The snippets of a document that are to be run. Throws for a mark nobody understands. */
export function snippetsOf({ path, text }: File): Snippet[] {
  return [...text.matchAll(FENCE)].flatMap((block) => {
    const [whole, language, marks = "", code = ""] = block;
    const words = marks.trim().split(/\s+/);
    if (words[0] !== "test") return [];
    const place = `${path}:${text.slice(0, block.index).split("\n").length}`;
    const worker = words[1] === "worker";
    const known = language === "ts" ? words.length === (worker ? 2 : 1) : words.length === 1;
    if ((language !== "ts" && language !== "sh") || !known) {
      throw new Error(`${place}: cannot run \`${language}${marks}\``);
    }
    const below = text.slice(block.index + whole.length);
    const prints = language === "ts" ? saidBehind(code) : shownBelow(below);
    return [{ place, language, worker, code, prints }];
  });
}

function saidBehind(code: string): string[] {
  return [...code.matchAll(/^\s*console\.log\(.*\); \/\/ (.+)$/gm)].map(
    ([, said]) => said as string,
  );
}

function shownBelow(below: string): string[] {
  const shown = /^\n\n```text\n([\s\S]*?)^```$/m.exec(below);
  if (shown === null || shown.index !== 0) return [];
  return (shown[1] as string)
    .split("\n")
    .filter((line) => line.trim() !== "" && line.trim() !== "…");
}

/** The lines that are wanted but do not come, or not in this order. */
export function missingLines(wanted: readonly string[], printed: string): string[] {
  const lines = printed.split("\n").map((line) => line.trimEnd());
  let from = 0;
  return wanted.filter((line) => {
    const at = lines.slice(from).findIndex((one) => matches(line, one));
    if (at >= 0) from += at + 1;
    return at < 0;
  });
}

function matches(wanted: string, line: string): boolean {
  const parts = wanted
    .trimEnd()
    .split("…")
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(line);
}
