// Why a server would not start, besides the embedded database's own reasons: a closed list of
// codes, each with the exit code that the command line ends with (sysexits: 69 = something needed
// does not answer, 75 = try again later, 78 = fix the configuration).
// Promises: whole sentences that say what to do; no password, no key.
// Leaves to others: printing (cli), `EmbeddedRefused` and `SchemaRefused`, which look the same.

const exitCodes = {
  bad_option: 78,
  bad_folder: 78,
  disk_full: 75,
  bad_database_url: 78,
  database_unreachable: 69,
  database_refused: 78,
  database_busy: 75,
  port_in_use: 75,
  bad_address: 78,
  no_key: 78,
} as const;

export type StartRefusal = keyof typeof exitCodes;

export class StartRefused extends Error {
  override readonly name = "StartRefused";
  readonly code: StartRefusal;
  readonly exitCode: number;

  constructor(code: StartRefusal, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.exitCode = exitCodes[code];
  }
}

/** The `code` of a system or database error, '' for anything else. */
export const codeOf = (error: unknown): string => {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
};

/** What a failed `listen` means. `where` as the person wrote it. */
export function asListenRefusal(error: unknown, where: string): unknown {
  const code = codeOf(error);
  if (code === "EADDRINUSE") {
    return new StartRefused(
      "port_in_use",
      `${where} is in use by another program; end that one, or choose another address with ` +
        "--listen (SIGNALBOX_LISTEN), such as 127.0.0.1:0 for any free port.",
      error,
    );
  }
  if (!["EACCES", "EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN", "EINVAL"].includes(code)) return error;
  const why = code === "EACCES" ? "ports below 1024 need rights" : "it is not of this machine";
  return new StartRefused(
    "bad_address",
    `${where} cannot be listened on (${code}: ${why}); choose another with --listen.`,
    error,
  );
}

/** What a failed write below the data folder means. */
export function asFolderRefusal(error: unknown, folder: string): unknown {
  const code = codeOf(error);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new StartRefused("disk_full", `No space is left on the disk of ${folder}; make room.`);
  }
  const closed = ["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST", "ELOOP", "ENAMETOOLONG"];
  if (!closed.includes(code)) return error;
  return new StartRefused(
    "bad_folder",
    `${folder} cannot be used as the data folder (${code}); ` +
      "choose another with --data (SIGNALBOX_DATA).",
    error,
  );
}
