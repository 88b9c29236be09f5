// Why the embedded database would not start: a closed list of codes, each with the exit code
// that `signalbox up` ends with (sysexits: 78 = fix the configuration, 75 = try again later).
// Promise: the message is whole sentences, names the cause and the way out, holds no secret.
// Leaves to others: printing it and ending the process.

const exitCodes = {
  held: 75,
  no_binaries: 78,
  no_user: 78,
  wrong_major: 78,
  disk_full: 75,
  not_ours: 78,
  start_failed: 75,
} as const;

export type EmbeddedRefusal = keyof typeof exitCodes;

export class EmbeddedRefused extends Error {
  readonly code: EmbeddedRefusal;
  readonly exitCode: number;

  constructor(code: EmbeddedRefusal, message: string) {
    super(message);
    this.name = "EmbeddedRefused";
    this.code = code;
    this.exitCode = exitCodes[code];
  }
}

/** Every refusal about binaries or accounts ends with this: the database can live elsewhere. */
export const wayOut =
  "Set DATABASE_URL to use a PostgreSQL (15 or newer) that runs somewhere else.";

/** The `code` of a system error, '' for anything else. */
export const errorCode = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "";

/** Turns whatever was thrown or printed on the way into one refusal; a refusal stays itself. */
export function asRefused(cause: unknown, where: string): EmbeddedRefused {
  if (cause instanceof EmbeddedRefused) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  const full = ["ENOSPC", "EDQUOT"].includes(errorCode(cause));
  if (full || /No space left on device|Disk quota exceeded/.test(text)) {
    return new EmbeddedRefused("disk_full", `No space is left on the disk that holds ${where}.`);
  }
  const closed = ["EACCES", "EPERM"].includes(errorCode(cause));
  const hint = closed ? " Was it started by another account (sudo?) before?" : "";
  return new EmbeddedRefused(
    "start_failed",
    `The embedded PostgreSQL in ${where} did not start: ${text}${hint}`,
  );
}
