// Whether a child that failed met a limit of its provider: by its own file, or by what it printed.
// Promises: the file at `$SIGNALBOX_LIMIT` goes before everything printed; one that is no report of
// a limit is passed over and said so. Asked only after a failed exit: exit 0 is completion. Never
// throws.
// Leaves to others: when to ask (`handler.ts`), reading time and reason (the server's parser).

import type { LimitReason, LimitReport } from "../../wire.ts";
import { cutNotice, limitReportOf } from "../limit-report.ts";
import { readBounded } from "./scratch.ts";

/** What a reader of limits is given. */
export type PrintedNotice = {
  /** Not known: a command line prints, it does not answer. */
  status: number | null;
  headers: { [name: string]: string };
  message: string;
  provider?: string;
};

/** What it concludes; `none`: nobody is stopped by a limit. */
export type LimitReading = {
  reason: LimitReason | "none";
  /**
   * When the limit is over, ISO 8601. Only where this machine knows it better than the server: a
   * clock time without a zone is this machine's.
   */
  recoveryAt?: string;
};

/** Reads a notice. Pure. */
export type ReadLimit = (notice: PrintedNotice) => LimitReading;

/** `problem`: why the file does not count. */
export type LimitFile = { report: LimitReport | null; problem: string | null };

const FILE_BYTES = 256 * 1024;
const REASONS: readonly unknown[] = ["rate_limit", "quota", "billing", "overloaded", undefined];

/** The report that the child wrote; none when there is no file or an empty one. */
export async function readLimitFile(
  path: string,
  redact: (text: string) => string,
): Promise<LimitFile> {
  const file = await readBounded(path, FILE_BYTES);
  if (file === null || file.length === 0) return { report: null, problem: null };
  if (file.length > file.bytes.length) return bad(`is longer than ${FILE_BYTES} bytes`);
  const value = parsed(redact(file.bytes.toString("utf8")));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return bad("holds no JSON object");
  }
  if ("reason" in value && !REASONS.includes(value.reason)) {
    return bad("names a reason that is none of rate_limit, quota, billing, overloaded");
  }
  return { report: limitReportOf(value), problem: null };
}

/** The report of the first text that tells of a limit; null when none does. */
export function printedLimit(texts: readonly string[], readLimit: ReadLimit): LimitReport | null {
  for (const text of texts) {
    const message = cutNotice(text);
    const notice: PrintedNotice = { status: null, headers: {}, message };
    const { reason, recoveryAt } = reading(notice, readLimit);
    if (reason === "none") continue;
    return { ...notice, ...(recoveryAt === undefined ? {} : { recovery_at: recoveryAt }) };
  }
  return null;
}

function reading(notice: PrintedNotice, readLimit: ReadLimit): LimitReading {
  try {
    return readLimit(notice);
  } catch {
    return { reason: "none" }; // the failure of a reader must not hide that of the child
  }
}

function bad(problem: string): LimitFile {
  return { report: null, problem };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
