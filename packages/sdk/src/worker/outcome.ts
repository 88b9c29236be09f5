// Outcomes: what a handler returned or threw, as a report.
// Promises: whatever it is, there is a report for it that the server can store: output that is not
// JSON or too large becomes a failure that says so, long texts are cut.
// Leaves to others: sending it (`live-attempt.ts`), deciding about another attempt (server).

import type { Json, LimitReport, ReportBody, RunError } from "../wire.ts";
import { PermanentError } from "./errors.ts";
import { isExhausted } from "./exhausted.ts";

const OUTPUT_BYTES = 1_048_576;
const MESSAGE_CHARS = 4_000;
const STACK_CHARS = 8_000;
const DETAIL_CHARS = 16 * 1024;
const CODE = /^[A-Za-z0-9_.:-]{1,100}$/;

/** The report of a handler that returned. */
export function completion(output: unknown): ReportBody {
  try {
    return { kind: "complete", output: asJson(output) };
  } catch (error) {
    return failure(error);
  }
}

/** The report of a handler that threw: a limit that was met is no failure. */
export function failure(thrown: unknown): ReportBody {
  if (isExhausted(thrown)) return { ...thrown.report, kind: "exhausted" };
  const retryable = !(thrown instanceof PermanentError);
  return { kind: "fail", error: runErrorOf(thrown), retryable };
}

/** The report when the server refused the facts of a limit: that it was met still counts. */
export function bareLimit({ reason }: LimitReport): ReportBody {
  return { kind: "exhausted", reason: reason ?? "rate_limit" };
}

/** The report when the server refused the output of a handler that returned. */
export function outputRefused(why: Error): ReportBody {
  const message = `the server refused the output: ${why.message}`.slice(0, MESSAGE_CHARS);
  return { kind: "fail", error: { code: "output_refused", message }, retryable: false };
}

function asJson(output: unknown): Json {
  let json: string | undefined;
  try {
    json = JSON.stringify(output ?? null);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PermanentError(`the output is not JSON: ${why}`, { code: "output_not_json" });
  }
  if (json === undefined) {
    throw new PermanentError("the output is not JSON", { code: "output_not_json" });
  }
  const bytes = Buffer.byteLength(json);
  if (bytes > OUTPUT_BYTES) {
    const message = `the output has ${bytes} bytes of JSON, ${OUTPUT_BYTES} are allowed`;
    throw new PermanentError(message, { code: "output_too_large" });
  }
  return JSON.parse(json) as Json;
}

function runErrorOf(thrown: unknown): RunError {
  if (!(thrown instanceof Error)) {
    return { code: "handler_error", message: describe(thrown).slice(0, MESSAGE_CHARS) };
  }
  const given = "code" in thrown ? thrown.code : undefined;
  const code = typeof given === "string" && CODE.test(given) ? given : "handler_error";
  const message = thrown.message.slice(0, MESSAGE_CHARS) || thrown.name;
  const stack = (thrown.stack ?? "").slice(0, STACK_CHARS);
  const detail = "detail" in thrown ? asDetail(thrown.detail) : null;
  return { code, message, detail: detail ?? { name: thrown.name, stack } };
}

/** The detail when it is JSON of at most 16 KiB, else null. */
function asDetail(detail: unknown): Json {
  try {
    const json = JSON.stringify(detail) ?? "null";
    return json.length <= DETAIL_CHARS ? (JSON.parse(json) as Json) : null;
  } catch {
    return null;
  }
}

function describe(thrown: unknown): string {
  try {
    return typeof thrown === "string" ? thrown : (JSON.stringify(thrown) ?? typeof thrown);
  } catch {
    return "the handler threw something that is not an Error";
  }
}
