// Request ids and trace context: what ties an answer, a log line and an event together.
// Promises: an id a client sends is kept if it is short and plain, else a new one is made.
// Leaves to others: putting it into answers (`server.ts`) and events (engine).

import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { newUuid, toTypeId } from "../std/ids.ts";

const PLAIN = /^[A-Za-z0-9._-]{1,100}$/;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

export function requestIdOf(request: Pick<IncomingMessage, "headers">): string {
  const sent = request.headers["x-request-id"];
  return typeof sent === "string" && PLAIN.test(sent) ? sent : toTypeId("req", newUuid());
}

/** The header if it is well formed, else null: a broken one of a proxy must not fail a request. */
export function traceparentOf(headers: IncomingHttpHeaders): string | null {
  const sent = headers["traceparent"];
  return typeof sent === "string" && TRACEPARENT.test(sent) ? sent : null;
}
