// A command as data: its words, arguments, flags, help and what it does; and the call of one.
// Promises: the command line, `--help`, shell completion and the reference page come from the same
// table (commands/index.ts); a flag that cannot be read is refused by name with exit code 64.
// Leaves to others: parsing (program.ts), doing (commands/).

import { readFileSync } from "node:fs";
import type { Json, JsonObject } from "@signalbox/sdk";
import type { Config, OptionName } from "../config.ts";
import { usage } from "./failure.ts";
import type { Screen } from "./screen.ts";

export type FlagSpec = {
  /** As commander writes it: `--limit <n>`, `-f, --follow`. */
  readonly flag: string;
  readonly says: string;
  /** May be given several times. */
  readonly many?: boolean;
};

export type ArgumentSpec = {
  readonly name: string;
  readonly says: string;
  readonly optional?: boolean;
  /** Takes the rest of the line, flags included: the command that is run. */
  readonly rest?: boolean;
};

export type CommandSpec = {
  /** `runs list`: words from the outermost on. */
  readonly words: string;
  readonly says: string;
  /** More, below the first line of the help. */
  readonly more?: string;
  readonly takes?: readonly ArgumentSpec[];
  readonly flags?: readonly FlagSpec[];
  /** Options of the table in config.ts that are flags here. */
  readonly options: readonly OptionName[];
  readonly examples: readonly string[];
  /** Returns the exit code, or nothing for 0. */
  readonly act: (call: Call) => Promise<number | void>;
};

/** Options of every command that talks to a server. */
export const clientOptions: readonly OptionName[] = ["url", "project", "data"];

export type Values = { readonly [name: string]: unknown };

/** One call of a command: what was typed, the options, the screen. */
export class Call {
  readonly screen: Screen;
  readonly config: Config;
  readonly #takes: readonly (string | string[] | undefined)[];
  readonly #values: Values;

  constructor(
    given: { takes: readonly (string | string[] | undefined)[]; values: Values },
    around: { screen: Screen; config: Config },
  ) {
    this.#takes = given.takes;
    this.#values = given.values;
    this.screen = around.screen;
    this.config = around.config;
  }

  /** The n-th argument; the parser has seen to it that required ones are there. */
  argument(n: number): string {
    return String(this.#takes[n] ?? "");
  }

  optionalArgument(n: number): string | undefined {
    const value = this.#takes[n];
    return typeof value === "string" ? value : undefined;
  }

  /** The rest of the line, from argument n on. */
  rest(n: number): string[] {
    const value = this.#takes[n];
    return Array.isArray(value) ? value : [];
  }

  /** Whether a flag without a value was given. */
  on(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === "string" ? value : undefined;
  }

  /** A flag the command cannot do without. */
  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw usage(`This needs --${kebab(name)}.`);
    return value;
  }

  texts(name: string): string[] | undefined {
    const value = this.#values[name];
    return Array.isArray(value) ? (value as string[]) : undefined;
  }

  /** One of these words. */
  word<T extends string>(name: string, words: readonly T[]): T | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : chosen(text, words, `--${kebab(name)}`);
  }

  /** Several times one of these words. */
  words<T extends string>(name: string, words: readonly T[]): T[] | undefined {
    return this.texts(name)?.map((text) => chosen(text, words, `--${kebab(name)}`));
  }

  number(name: string, range: { least: number; most: number }): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= range.least && value <= range.most) return value;
    throw usage(
      `--${kebab(name)} must be a whole number from ${range.least} to ${range.most}, ` +
        `not ${JSON.stringify(text)}.`,
    );
  }

  /** JSON given on the line, as `@file`, or as `-` for stdin. */
  json(name: string): Json | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const from = text === "-" ? "stdin" : text.startsWith("@") ? text.slice(1) : null;
    const source = from === null ? text : readFileSync(text === "-" ? 0 : text.slice(1), "utf8");
    try {
      return JSON.parse(source) as Json;
    } catch (error) {
      const where = from === null ? "" : ` (${from})`;
      throw usage(`--${kebab(name)}${where} is not JSON: ${(error as Error).message}.`);
    }
  }

  /** The same, which must be an object. */
  object(name: string): JsonObject | undefined {
    const value = this.json(name);
    if (value === undefined) return undefined;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
    throw usage(`--${kebab(name)} must be a JSON object.`);
  }

  /** `key=value`, several times. */
  pairs(name: string): { [key: string]: string } | undefined {
    const entries = this.texts(name)?.map((text) => {
      const at = text.indexOf("=");
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)] as const;
      throw usage(`--${kebab(name)} must be key=value, not ${JSON.stringify(text)}.`);
    });
    return entries === undefined ? undefined : Object.fromEntries(entries);
  }

  /** An instant, or a time from now (or ago, where one looks back) such as 90s, 15m, 2h, 7d. */
  instant(name: string, direction: "from now" | "ago" = "from now"): string | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const match = /^(\d{1,6})(s|m|h|d)$/.exec(text);
    if (match !== null) {
      const unit = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as "s"];
      const ms = Number(match[1]) * unit;
      return new Date(Date.now() + (direction === "ago" ? -ms : ms)).toISOString();
    }
    const at = Date.parse(text);
    if (!Number.isNaN(at) && /^\d{4}-\d\d-\d\d/.test(text)) return new Date(at).toISOString();
    throw usage(
      `--${kebab(name)} must be an instant (2026-01-31T08:00:00Z), ` +
        `or a time ${direction} (15m, 2h, 7d).`,
    );
  }
}

/** A word of a list, or a refusal that names them. */
export function chosen<T extends string>(text: string, words: readonly T[], what: string): T {
  const word = words.find((one) => one === text);
  if (word !== undefined) return word;
  throw usage(`${what} must be one of ${words.join(", ")}.`);
}

/** `maxAttempts` → `max-attempts`. */
function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
