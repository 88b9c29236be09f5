// The environment of a child: what it inherits, what is taken away, what it is told.
// Promises: the child inherits everything (so that `git`, `claude` and their logins work) except
// Signalbox's own secrets, by name and by value; every process of the attempt carries the markers
// by which it is found again. Nothing secret of ours is ever in an argument.
// Leaves to others: the files the variables point to (`scratch.ts`).

import { hasProcessTable, pidNamespaceOf, startTimeOf } from "./proc-table.ts";
import { ATTEMPT_MARKER } from "./tree.ts";

/** Variables a child never inherits. More can be named with the option `stripEnv`. */
export const OWN_SECRETS: readonly string[] = [
  "SIGNALBOX_KEY",
  "SIGNALBOX_OWNER_KEY",
  "SIGNALBOX_DATABASE_URL",
  "SIGNALBOX_HOUSE_DATABASE_URL",
  "SIGNALBOX_ATTEMPT_KEY",
];

/** Names kept by `cleanEnv`; every `LC_…` is kept as well. */
export const CLEAN_NAMES: readonly string[] = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "TZ",
  "TMPDIR",
  "TERM",
];

/** Marks each process with the worker that started it, see {@link workerMark}. */
export const WORKER_MARKER = "SIGNALBOX_WORKER_PROCESS";

/** Shorter values are too common to be recognised as a copy of a secret. */
const SHORTEST_SECRET = 16;

export type EnvironmentOptions = {
  /** Inherit only {@link CLEAN_NAMES}. Default false. */
  cleanEnv?: boolean;
  /** Further variables to take away, such as the `DATABASE_URL` of a server in this process. */
  stripEnv?: readonly string[];
  /** Variables to add; they win over what is inherited. */
  env?: Readonly<Record<string, string>>;
};

/** Who this worker is: pid, start time in ticks, pid namespace. Empty without a process table. */
export function workerMark(): string {
  const startTime = startTimeOf(process.pid);
  const namespace = pidNamespaceOf("self");
  if (!hasProcessTable || startTime === null || namespace === null) return "";
  return `${process.pid}:${startTime}:${namespace}`;
}

/** Reads a mark back; null when it is not one. */
export function parseWorkerMark(
  mark: string,
): { pid: number; startTime: number; namespace: string } | null {
  const match = /^(\d+):(\d+):(pid:\[\d+\])$/.exec(mark);
  if (match === null) return null;
  return { pid: Number(match[1]), startTime: Number(match[2]), namespace: match[3] ?? "" };
}

/**
 * Builds the environment of a child from the one given. `told` are the variables of the attempt
 * and win over everything. A variable whose value contains a secret of ours goes too, under
 * whatever name it was copied.
 */
export function childEnvironment(
  inherited: NodeJS.ProcessEnv,
  options: EnvironmentOptions,
  told: Readonly<Record<string, string>>,
): Record<string, string> {
  const stripped = new Set([...OWN_SECRETS, ...(options.stripEnv ?? [])]);
  const secrets = [...stripped]
    .map((name) => inherited[name] ?? "")
    .filter((value) => value.length >= SHORTEST_SECRET);
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(inherited)) {
    if (value === undefined || stripped.has(name)) continue;
    if (options.cleanEnv === true && !CLEAN_NAMES.includes(name) && !name.startsWith("LC_"))
      continue;
    if (secrets.some((secret) => value.includes(secret))) continue;
    result[name] = value;
  }
  return { ...result, ...options.env, ...told };
}

/** Replaces each of the secrets, wherever it is printed, by `[redacted]`. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const known = secrets.filter((secret) => secret.length >= SHORTEST_SECRET);
  return (text) => {
    let result = text;
    for (const secret of known) {
      if (result.includes(secret)) result = result.replaceAll(secret, "[redacted]");
    }
    return result;
  };
}

/** The variables every child of an attempt is told. `directory` paths are absolute. */
export function toldVariables(facts: {
  runId: string;
  attemptId: string;
  attempt: number;
  childKey: string;
  sideEffectToken: string;
  url: string;
  inputPath: string;
  outputPath: string;
  limitPath: string;
  traceparent: string | null;
}): Record<string, string> {
  return {
    [ATTEMPT_MARKER]: facts.attemptId,
    [WORKER_MARKER]: workerMark(),
    SIGNALBOX_RUN_ID: facts.runId,
    SIGNALBOX_ATTEMPT: String(facts.attempt),
    SIGNALBOX_ATTEMPT_KEY: facts.childKey,
    SIGNALBOX_SIDE_EFFECT_TOKEN: facts.sideEffectToken,
    SIGNALBOX_URL: facts.url,
    SIGNALBOX_INPUT: facts.inputPath,
    SIGNALBOX_OUTPUT: facts.outputPath,
    SIGNALBOX_LIMIT: facts.limitPath,
    // The name under which tracing libraries look for it.
    ...(facts.traceparent === null ? {} : { TRACEPARENT: facts.traceparent }),
  };
}
