// The problem document (RFC 9457) and the results of batches that may carry one.
// Promises: exactly `Problem` and `ItemResult` of the wire.
// Leaves to others: which status and words a refusal has (`../problem.ts`).

import { Type } from "../typebox.ts";
import type { Static, TProperties } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { refusalCodes } from "../../domain/refusal.ts";

const string = Type.String();

const fieldError = Type.Object({ field: string, message: string });

export const problem = Type.Unsafe<wire.Problem>({
  ...Type.Object({
    type: Type.String({ description: "`urn:signalbox:problem:<code>`" }),
    title: string,
    status: Type.Integer(),
    detail: Type.String({ description: "What is wrong and what to do." }),
    code: Type.Unsafe<string>({ type: "string", enum: [...refusalCodes] }),
    retryable: Type.Boolean({ description: "Whether the same request can succeed later." }),
    request_id: string,
    errors: Type.Optional(Type.Array(fieldError, { description: "Each wrong field." })),
  }),
  additionalProperties: { description: "Facts of the refusal, such as `state`, `allowed`." },
  title: "Problem",
});

/** `{ok: true, …}` or `{ok: false, problem}`. */
export function itemResult<P extends TProperties>(properties: P) {
  const success = Type.Object({ ok: Type.Literal(true), ...properties });
  const failure = Type.Object({ ok: Type.Literal(false), problem });
  return Type.Unsafe<wire.ItemResult<Static<ReturnType<typeof Type.Object<P>>>>>({
    anyOf: [success, failure],
  });
}
