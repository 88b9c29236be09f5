// Refusals that only the doors make: of a body, of a key, of an address.
// Promises: each says what to do; none repeats a secret.
// Leaves to others: statuses (`problem.ts`), refusals of the law (domain, engine).

import { refuse } from "../domain/refusal.ts";
import type { Refusal } from "../domain/refusal.ts";
import type { FieldError } from "./schemas/check.ts";

/** 400 with every wrong field. The first ones are also in the sentence. */
export function refuseFields(errors: readonly FieldError[]): Refusal {
  const [first] = errors;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  return {
    refused: true,
    code: "validation_failed",
    detail: `${first?.field ?? "body"}: ${first?.message ?? "is not valid"}${more}`,
    errors,
  };
}

/** 413 for one field of an otherwise good body. */
export function refuseSize(field: string, limit: number): Refusal {
  const message = `is larger than ${limit} bytes of JSON`;
  return {
    refused: true,
    code: "payload_too_large",
    detail: `${field}: ${message}; store it elsewhere and send a reference`,
    facts: { limit_bytes: limit },
    errors: [{ field, message }],
  };
}

/** 413 for a body that was not read to its end. */
export function refuseBodySize(limit: number): Refusal {
  const message = `is larger than ${limit} bytes, the limit of this route`;
  return {
    refused: true,
    code: "payload_too_large",
    detail: `The body ${message}.`,
    facts: { limit_bytes: limit },
    errors: [{ field: "body", message }],
  };
}

/** A code of a login that opens nothing: unknown, used, or too old. */
export const wrongCode = refuse(
  "unauthorized",
  "The link is unknown, was used, or is older than ten minutes. Make a new one with " +
    "`signalbox login`.",
);

/** 404, the same for what is absent and for what belongs to another project. */
export function notFound(what: string): Refusal {
  return refuse("not_found", `There is no ${what} in this project.`);
}
