// Runs a short command to its end: probes, initdb, the lock tool.
// Promise: a fixed environment (no PG* variable of the caller reaches PostgreSQL), a working
// folder every user can enter, a deadline, output kept to its last 64 KiB.
// Leaves to others: judging exit codes. Long-lived children belong to watcher.ts.

import { spawn } from "node:child_process";

/** The account a child runs under; `drop` false means: the one we run under ourselves. */
export type OsUser = { uid: number; gid: number; name: string; drop: boolean };

export type Outcome = { code: number | null; output: string; failure: string };

const folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const extra = [
  "/run/current-system/sw/bin",
  "/opt/homebrew/bin",
  "/opt/homebrew/opt/util-linux/bin",
];

/** C messages, so that texts can be recognised; UTC is set as a setting. */
export const environment = { LC_ALL: "C", PATH: [...folders, ...extra].join(":") };

/** The part of spawn's options that makes a child run as this account. */
export const identityOf = (user: OsUser | null): { uid?: number; gid?: number } =>
  user?.drop ? { uid: user.uid, gid: user.gid } : {};

/** `failure` is the system's code when the command could not be run at all, else ''. */
export async function run(
  file: string,
  args: string[],
  user: OsUser | null,
  deadlineMs = 10_000,
): Promise<Outcome> {
  return await new Promise((resolve) => {
    let output = "";
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-65_536);
    };
    const end = (code: number | null, failure: string): void => {
      resolve({ code, output, failure });
    };
    try {
      const child = spawn(file, args, {
        ...identityOf(user),
        cwd: "/",
        env: environment,
        stdio: ["ignore", "pipe", "pipe"],
        timeout: deadlineMs,
        killSignal: "SIGKILL",
      });
      child.stdout.on("data", keep);
      child.stderr.on("data", keep);
      child.on("error", (error: NodeJS.ErrnoException) => end(null, error.code ?? error.message));
      child.on("close", (code) => end(code, ""));
    } catch (error) {
      end(null, error instanceof Error && "code" in error ? String(error.code) : String(error));
    }
  });
}
