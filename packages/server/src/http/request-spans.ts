// The span of a request, while traces are on.
// Promises: named by method and pattern of the route, never by the address as it was sent; below
// the span that the client's `traceparent` names; nothing at all while traces are off.
// Leaves to others: spans of what the request does (engine/tracing).

import type { FastifyReply, FastifyRequest } from "fastify";
import type { Span } from "@opentelemetry/api";
import type { Engine } from "../engine/contract.ts";
import { traceparentOf as textOf } from "../engine/tracing/span-context.ts";
import { traceparentOf } from "./request-id.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Null while traces are off. */
    span: Span | null;
  }
}

/** Begins the span of a request. */
export function beginSpan({ traces }: Pick<Engine, "traces">, request: FastifyRequest): void {
  if (traces === undefined || traces === null) return;
  const { method, routeOptions, headers } = request;
  const route = routeOptions.url;
  request.span = traces.start(
    route === undefined ? method : `${method} ${route}`,
    traceparentOf(headers),
    {
      kind: traces.words.SpanKind.SERVER,
      attributes: {
        "http.request.method": method,
        "signalbox.request.id": request.id,
        ...(route === undefined ? {} : { "http.route": route }),
      },
    },
  );
}

/** Ends it with what was answered. */
export function endSpan(
  { traces }: Pick<Engine, "traces">,
  { span, caller }: FastifyRequest,
  { statusCode }: FastifyReply,
): void {
  if (traces === undefined || traces === null || span === null) return;
  span.setAttribute("http.response.status_code", statusCode);
  if (caller !== null) span.setAttribute("signalbox.actor", caller.actor);
  if (statusCode >= 500) {
    span.setAttribute("error.type", String(statusCode));
    span.setStatus({ code: traces.words.SpanStatusCode.ERROR });
  }
  span.end();
}

/** What the request goes on with: its own span, or what its client sent. */
export function traceparentFor({ span, headers }: FastifyRequest): string | null {
  return span === null ? traceparentOf(headers) : textOf(span.spanContext());
}
