// Exit codes: one table for every command. The numbers are those of sysexits.h where it has one, so
// that supervisors and scripts read them right: 75 is worth another try, 78 is not.
// Promises: no command ends with a number of its own that is not here; `signalbox run` passes on
// the code of its program. The reference page is made from this table.
// Leaves to others: choosing (failure.ts, the commands).

/** Every exit code with its meaning. */
export const exitCodes = {
  ok: { code: 0, says: "Done." },
  no: {
    code: 1,
    says:
      "The answer is no: the run that was watched did not complete, a check of `doctor` failed, " +
      "or the state does not allow it (409, 423).",
  },
  usage: {
    code: 64,
    says: "The command line is wrong: unknown command or flag, missing argument.",
  },
  data: {
    code: 65,
    says:
      "The server refused what was sent (400, 413, 422), or a line of the input cannot be read: " +
      "the fields are named.",
  },
  noInput: { code: 66, says: "A file or thing that was named does not exist (404)." },
  unavailable: { code: 69, says: "No server, or no database, answers at the address." },
  software: { code: 70, says: "A mistake in Signalbox itself, or 500 from the server." },
  temporary: {
    code: 75,
    says:
      "Another try may succeed: the data folder or the port is in use, the disk is full, the " +
      "server is overloaded (429, 503); `run`: a limit of a provider was met and not waited for.",
  },
  permission: { code: 77, says: "The key is missing, wrong, or does not allow this (401, 403)." },
  config: {
    code: 78,
    says:
      "The configuration must be changed first: Node too old, a variable or DATABASE_URL wrong, " +
      "the schema newer than this program.",
  },
  cannotExecute: { code: 126, says: "`run`: the command exists and cannot be executed." },
  notFound: { code: 127, says: "`run`: the command does not exist." },
  interrupted: { code: 130, says: "Ended by Ctrl-C (128 + signal; SIGTERM is 143)." },
} as const satisfies Record<string, { code: number; says: string }>;

export type ExitName = keyof typeof exitCodes;

/** The number of an exit code. */
export const exit = (name: ExitName): number => exitCodes[name].code;
