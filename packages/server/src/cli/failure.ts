// What went wrong, for a person and for a script: one sentence, a stable code, an exit code.
// Promises: every error a command can end with has a row; a fault that nobody foresaw is told with
// its message and exit code 70, with the stack only at log level debug.
// Leaves to others: printing (screen.ts), the words of refusals (where they are made).

import { isSignalboxError, type SignalboxError } from "@signalbox/sdk";
import { exit } from "./exit-codes.ts";

/** Ends a command with a sentence and an exit code. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
  readonly exitCode: number;
  readonly code: string;

  constructor(exitCode: number, code: string, message: string) {
    super(message);
    this.exitCode = exitCode;
    this.code = code;
  }
}

/** The command line is wrong. */
export function usage(message: string): CommandFailed {
  return new CommandFailed(exit("usage"), "usage", message);
}

export type Failure = {
  code: string;
  message: string;
  exitCode: number;
  errors?: { field: string; message: string }[];
  request_id?: string;
};

const exitOfStatus: Readonly<Record<number, number>> = {
  0: exit("unavailable"),
  400: exit("data"),
  401: exit("permission"),
  403: exit("permission"),
  404: exit("noInput"),
  409: exit("no"),
  413: exit("data"),
  422: exit("data"),
  423: exit("no"),
  429: exit("temporary"),
  500: exit("software"),
  503: exit("temporary"),
};

/** Reads an error as a failure of the command. */
export function failureOf(error: unknown): Failure {
  if (isSignalboxError(error)) return ofAnswer(error);
  const message = error instanceof Error ? error.message : String(error);
  const { code, exitCode, name } = (error ?? {}) as {
    code?: unknown;
    exitCode?: unknown;
    name?: unknown;
  };
  if (typeof exitCode === "number") {
    return { code: typeof code === "string" ? code : snake(String(name)), message, exitCode };
  }
  const system = typeof code === "string" ? code : "";
  if (system === "ENOSPC" || system === "EDQUOT") {
    const full = `The disk is full (${message}); make room and try again.`;
    return { code: "disk_full", message: full, exitCode: exit("temporary") };
  }
  if (system === "ENOENT") return { code: "no_file", message, exitCode: exit("noInput") };
  if (system === "EACCES" || system === "EPERM") {
    return { code: "no_permission", message, exitCode: exit("permission") };
  }
  return {
    code: "fault",
    message: `This should not happen: ${message}`,
    exitCode: exit("software"),
  };
}

/** `SchemaRefused` → `schema_refused`. */
function snake(name: string): string {
  return name.replaceAll(/(?!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

function ofAnswer(error: SignalboxError): Failure {
  const exitCode = exitOfStatus[error.status] ?? exit("software");
  const failure: Failure = { code: error.code, message: sentenceOf(error), exitCode };
  if (error.errors.length > 0) failure.errors = error.errors;
  if (error.requestId !== null) failure.request_id = error.requestId;
  return failure;
}

function sentenceOf(error: SignalboxError): string {
  if (error.status === 0) {
    return `${withoutCode(error)}. Is the server up? \`signalbox doctor\` looks into it.`;
  }
  const detail = error.problem?.detail ?? withoutCode(error);
  const [first] = error.errors;
  // The detail of a single wrong field names it already, or says nothing that the field does not.
  return first === undefined || detail.includes(first.field)
    ? detail
    : `${detail} ${first.field} ${first.message}.`;
}

/** SDK messages begin with `code: `. */
function withoutCode(error: SignalboxError): string {
  const { message, code } = error;
  const text = message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
