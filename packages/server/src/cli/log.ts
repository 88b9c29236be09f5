// Where log lines of the server go: stderr, as text for people or as JSON for machines.
// Promises: one line per line, whatever it contains, and no secret that can be recognised
// (std/scrub.ts); errors with their message and, at level debug, their stack.
// Leaves to others: what is logged (every floor, through `std/logger.ts`).

import pino from "pino";
import type { Config } from "../config.ts";
import type { LogFields, Logger, LogLine } from "../std/logger.ts";
import { scrubFields, scrubsItself, scrubText } from "../std/scrub.ts";
import { safeLine } from "./safe-text.ts";
import type { Colours } from "./screen.ts";

const ranks = { debug: 20, info: 30, warn: 40, error: 50, silent: 100 } as const;
type Level = Exclude<keyof typeof ranks, "silent">;

/** Makes the logger that the options ask for. */
export function loggerFrom(config: Pick<Config, "logFormat" | "logLevel">, c: Colours): Logger {
  const { logFormat, logLevel } = config;
  const json = logFormat === "json" || (logFormat === "auto" && !process.stderr.isTTY);
  if (!json) return textLogger(ranks[logLevel], c);
  const stream = pino.destination({ dest: 2, sync: true });
  // A reader of the log that went away must not end the server.
  stream.on("error", () => {});
  return jsonLogger(logLevel, stream);
}

/** One JSON object per line, which no text in it can break or forge. */
export function jsonLogger(least: keyof typeof ranks, stream: pino.DestinationStream): Logger {
  const options = {
    level: least,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    // Errors are plain facts already.
    serializers: { err: (facts: unknown) => facts },
  };
  const log = pino(options, stream);
  const line =
    (level: Level): LogLine =>
    (fields, message) => {
      if (log.isLevelEnabled(level)) log[level](scrubFields(fields), scrubText(message));
    };
  return made(line, log.isLevelEnabled("debug"));
}

function made(line: (level: Level) => LogLine, debugging: boolean): Logger {
  return scrubsItself({
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
    debugging,
  });
}

function textLogger(least: number, c: Colours): Logger {
  const paints = { debug: c.dim, info: c.green, warn: c.yellow, error: c.red };
  const line =
    (level: Level): LogLine =>
    (fields, message) => {
      if (ranks[level] < least) return;
      const time = c.dim(new Date().toISOString().slice(11, 23));
      const facts = c.dim(factsOf(fields, least <= ranks.debug));
      const text = safeLine(scrubText(message));
      process.stderr.write(`${time} ${paints[level](level.padEnd(5))} ${text} ${facts}\n`);
    };
  return made(line, least <= ranks.debug);
}

function factsOf(fields: LogFields, withStack: boolean): string {
  return Object.entries(scrubFields(fields))
    .map(([name, value]) => `${name}=${safeLine(textOf(value, withStack), 500)}`)
    .join(" ");
}

function textOf(value: unknown, withStack: boolean): string {
  if (typeof value === "object" && value !== null && "stack" in value && "message" in value) {
    return withStack ? String(value.stack) : JSON.stringify(value.message);
  }
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "undefined");
}
