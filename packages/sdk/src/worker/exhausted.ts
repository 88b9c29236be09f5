// What a handler throws when a limit of its provider was met.
// Promises: an attempt that ends with it is reported `exhausted`, never failed: the run goes back
// without cost, and the account rests until the limit is over. Made of anything, without throwing.
// Leaves to others: reading the provider's answer (`limit-report.ts`, then the server's parser).

import type { LimitReport } from "../wire.ts";
import { limitReportOf } from "./limit-report.ts";

const SHOWN_CHARS = 300;

/**
 * A limit of the provider was met. Made by `attempt.exhausted(…)`; throw it.
 *
 * @example
 * const response = await fetch(url, { signal: attempt.signal });
 * if (response.status === 429) throw attempt.exhausted(response);
 */
export class Exhausted extends Error {
  override name = "Exhausted";
  readonly code = "exhausted";
  /** What goes to the server. */
  readonly report: LimitReport;

  constructor(report: LimitReport) {
    super(sentenceOf(report));
    this.report = report;
  }
}

/** Reads whatever is known of the limit. Never throws; one that is made already stays itself. */
export function exhaustedBy(what: unknown): Exhausted {
  return isExhausted(what) ? what : new Exhausted(limitReportOf(what));
}

/** Whether a handler threw it. Never throws, whatever was thrown. */
export function isExhausted(thrown: unknown): thrown is Exhausted {
  try {
    return thrown instanceof Exhausted;
  } catch {
    return false; // a proxy of somebody else's
  }
}

function sentenceOf({ message, reason, recovery_at: until, status }: LimitReport): string {
  const facts = [
    reason,
    typeof status === "number" ? `HTTP ${status}` : undefined,
    until === undefined ? undefined : `until ${until}`,
  ];
  const known = facts.filter((fact) => fact !== undefined).join(", ");
  const limit = `a limit of the provider was met${known === "" ? "" : ` (${known})`}`;
  const lines = (message ?? "").split("\n").filter((line) => line.trim() !== "");
  const said = lines.at(-1)?.trim().slice(0, SHOWN_CHARS) ?? "";
  return said === "" ? limit : `${limit}: ${said}`;
}
