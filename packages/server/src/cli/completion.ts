// Shell completion, made from the table of commands: words and flags, and what the shell knows.
// Promises: scripts of plain shell that call nothing; names hold no character a shell would expand.
// Leaves to others: installing it (the help of `completion` says how).

import { optionTable } from "../config.ts";
import type { CommandSpec } from "./command.ts";

type Node = { path: string; next: Set<string> };

const longFlag = (flag: string): string => /--[a-z-]+/.exec(flag)?.[0] ?? "";

function flagsOf(spec: CommandSpec): string[] {
  const own = (spec.flags ?? []).map(({ flag }) => longFlag(flag));
  const table = spec.options.map((name) => optionTable[name].flag ?? "");
  return [...own, ...table, "--json", "--help"].filter((flag) => flag !== "");
}

/** What may follow each beginning of a command: `runs` → list …; `runs list` → --state …. */
function nodes(specs: readonly CommandSpec[]): Node[] {
  const found = new Map<string, Set<string>>();
  const add = (path: string, word: string): void =>
    void found.set(path, (found.get(path) ?? new Set()).add(word));
  for (const spec of specs) {
    const words = spec.words.split(" ");
    for (const [n, word] of words.entries()) add(words.slice(0, n).join(" "), word);
    for (const flag of flagsOf(spec)) add(spec.words, flag);
  }
  return [...found].map(([path, next]) => ({ path, next }));
}

const cases = (specs: readonly CommandSpec[]): string =>
  nodes(specs)
    .map(({ path, next }) => `    "${path}") words="${[...next].join(" ")}" ;;`)
    .join("\n");

/** The shells there are scripts for. */
export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** The script of a shell. */
export function completionScript(shell: Shell, specs: readonly CommandSpec[]): string {
  if (shell === "fish") return fish(specs);
  const bash = `_signalbox() {
  local path="" words="" n
  for ((n = 1; n < COMP_CWORD; n++)); do
    case "\${COMP_WORDS[n]}" in
      -*) break ;;
      *) [ $n -le 2 ] && path="\${path:+$path }\${COMP_WORDS[n]}" ;;
    esac
  done
  case "$path" in
${cases(specs)}
    *) case "\${path%% *}" in
${cases(specs.filter(({ words }) => !words.includes(" ")))}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _signalbox signalbox
`;
  return shell === "bash" ? bash : `autoload -U +X bashcompinit && bashcompinit\n${bash}`;
}

function fish(specs: readonly CommandSpec[]): string {
  const lines = nodes(specs).map(({ path, next }) => {
    const words = path === "" ? [] : path.split(" ");
    const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
    const condition = words.length === 0 ? "__fish_use_subcommand" : seen;
    return `complete -c signalbox -f -n '${condition}' -a '${[...next].join(" ")}'`;
  });
  return `${lines.join("\n")}\n`;
}
