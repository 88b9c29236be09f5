// Faults: everything thrown on the way, as the refusal a client reads.
// Promises: no stack, no SQL and no text of an unknown error leaves the server; what passes by
// itself (a database that restarts) is 503 and retryable, everything unknown is 500 and logged.
// Leaves to others: logging (`server.ts`), expected refusals (they pass through unchanged).

import { refuse, Refused, refuseField } from "../domain/refusal.ts";
import type { Refusal } from "../domain/refusal.ts";
import { refuseBodySize } from "./refusals.ts";

/** SQLSTATEs and system errors that pass: lost connection, shutdown, full, contended. */
const PASSING = /^(?:08...|40001|40P01|55P03|57P0.|57014|53...|ECONN\w*|EPIPE|ENOENT|ETIMEDOUT)$/;

/** The driver's own sentences for the same; these errors have no code. */
const LOST = /^(?:connection terminated|query read timeout|timeout e|client has encountered)/i;

/** The refusal for a thrown value. `bodyLimit` is the one of the route, in bytes. */
export function refusalOf(error: unknown, bodyLimit: number): Refusal {
  if (error instanceof Refused) return error.refusal;
  const code = codeOf(error);
  const known = ofFramework(code, bodyLimit);
  if (known !== null) return known;
  if (isOfReading(error)) return refuseField("body", "could not be read to its end");
  if (PASSING.test(code) || isWait(error)) {
    return refuse("unavailable", "The database does not answer now. Try again in a moment.");
  }
  return refuse("internal", "The server made a mistake; its log has more under the request id.");
}

/** Whether the log should have the error itself. */
export function isOurs(refusal: Refusal): boolean {
  return refusal.code === "internal" || refusal.code === "unavailable";
}

/** What the log gets of an error. The database puts rows into other fields, and rows are inputs. */
export function loggable(error: unknown): Error {
  const source = error instanceof Error ? error : new Error(String(error));
  const plain = new Error(source.message);
  plain.name = source.name;
  if (source.stack !== undefined) plain.stack = source.stack;
  const code = codeOf(source);
  return code === "" ? plain : Object.assign(plain, { code });
}

/** Fastify gives the errors of reading a body the status 400; those of the database have none. */
function isOfReading(error: unknown): boolean {
  return (error as { statusCode?: unknown } | null)?.statusCode === 400;
}

function ofFramework(code: string, bodyLimit: number): Refusal | null {
  switch (code) {
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
    case "FST_ERR_CTP_INVALID_TYPE":
    case "FST_ERR_CTP_EMPTY_TYPE":
      return notJson;
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return refuseBodySize(bodyLimit);
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return refuseField("body", "is not as long as its Content-Length says");
    case "FST_ERR_BAD_URL":
    case "FST_ERR_MAX_PARAM_LENGTH":
      return refuseField("url", "is not a valid address");
    case "FST_ERR_HANDLER_TIMEOUT":
      return refuse("unavailable", "The request took too long. It may still take effect.");
    default:
      return null;
  }
}

export const notJson = refuse(
  "unsupported_media_type",
  "Send JSON in UTF-8, without compression, with the header `Content-Type: application/json`.",
);

/** `code` of a system, database or framework error; text of other kinds is not one. */
function codeOf(error: unknown): string {
  const code: unknown = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

function isWait(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === "DeadlineExceeded" || LOST.test(error.message);
}
