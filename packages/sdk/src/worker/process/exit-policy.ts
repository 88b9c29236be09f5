// What the end of a child means: one table of exits, one of failed starts.
// Promises: exit 0 completes the run, anything else is an error whose code is stable and whose
// class (retry or not) is data. Codes 64–78 are those of sysexits.h, 126 and 127 those of a shell.
// Leaves to others: what becomes of the run (the server decides), the text of the log.

import type { RunError } from "../../wire.ts";
import { cleanText, jsonBytes } from "./storable.ts";

/** How a child ended: exactly one of the two is set. */
export type ChildExit = { code: number | null; signal: string | null };

/** Why an attempt ended without an output. */
export type ChildFailure = { error: RunError; retryable: boolean };

// Retrying cannot help: 2 wrong usage, 64–74 sysexits except 75 (temporary failure), 76–78
// protocol, permission, configuration, 126 not executable, 127 not found.
const FINAL_EXITS: readonly (readonly [from: number, to: number])[] = [
  [2, 2],
  [64, 74],
  [76, 78],
  [126, 127],
];

// The machine was out of something; another attempt may find it. All other errors of a start
// (ENOENT, EACCES, E2BIG, a NUL in an argument) stay as they are.
const PASSING_ERRNOS: ReadonlySet<string> = new Set([
  "EAGAIN",
  "EMFILE",
  "ENFILE",
  "ENOMEM",
  "ENOSPC",
  "EDQUOT",
  "ETXTBSY",
  "EIO",
]);

const LONGEST_MESSAGE = 500;
// As JSON: the detail of an error may have 16 KiB, and control characters take 6 bytes each.
const TAIL_JSON_BYTES = 12 * 1024;

/** True when another attempt may end otherwise. Signals always may. */
export function isRetryableExit(exit: ChildExit): boolean {
  const { code } = exit;
  return code === null || !FINAL_EXITS.some(([from, to]) => code >= from && code <= to);
}

/** The error of an exit other than 0. `stderrTail` is the last of what it printed there. */
export function exitFailure(exit: ChildExit, stderrTail: string): ChildFailure {
  const how =
    exit.signal === null ? `exited with code ${exit.code}` : `was ended by ${exit.signal}`;
  const lastLine = stderrTail.trimEnd().split("\n").at(-1)?.trim() ?? "";
  const message = lastLine === "" ? `the command ${how}` : `the command ${how}: ${lastLine}`;
  return {
    error: {
      code: exit.signal === null ? `exit_${exit.code}` : `signal_${exit.signal}`,
      message: cleanText(message.slice(0, LONGEST_MESSAGE)),
      detail: { exit_code: exit.code, signal: exit.signal, stderr_tail: fitTail(stderrTail) },
    },
    retryable: isRetryableExit(exit),
  };
}

/** The error of a child that could not be started. */
export function spawnFailure(cause: unknown, command: string): ChildFailure {
  const errno = errnoOf(cause);
  const reason = cause instanceof Error ? cause.message : String(cause);
  const notFound = errno === "ENOENT";
  const message = notFound
    ? `the command ${command} was not found (or its working folder does not exist)`
    : `the command ${command} could not be started: ${reason}`;
  const exitCode = notFound ? 127 : errno === "EACCES" ? 126 : null;
  return {
    error: {
      code: "spawn_error",
      message: cleanText(message.slice(0, LONGEST_MESSAGE)),
      detail: { errno, exit_code: exitCode },
    },
    retryable: errno !== null && PASSING_ERRNOS.has(errno),
  };
}

function fitTail(text: string): string {
  let tail = text;
  while (jsonBytes(tail) > TAIL_JSON_BYTES) tail = tail.slice(Math.ceil(tail.length / 8));
  return cleanText(tail);
}

function errnoOf(cause: unknown): string | null {
  if (typeof cause !== "object" || cause === null || !("code" in cause)) return null;
  return typeof cause.code === "string" ? cause.code : null;
}
