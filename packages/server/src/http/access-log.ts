// One line per request that was answered, and its figures.
// Promises: routes as patterns, never an address as it was sent; ids only of known form; no header,
// no query, no body. Level debug; warn when the server failed or was slow to answer.
// Leaves to others: format and destination (the logger), errors themselves (`server.ts`).

import type { FastifyReply, FastifyRequest } from "fastify";
import type { House } from "./register.ts";

/** An answer that took longer is worth a look, unless its route waits by design. */
const SLOW_MS = 2000;
/** A TypeID: the only part of an address that is logged. */
const ID = /^[a-z]{1,10}_[0-9a-z]{26}$/;

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** Told when the answer has been sent, or its client has gone. */
export function answeredHook({ figures, logger }: House): Hook {
  return async (request, reply) => {
    const { method } = request;
    const { url = null, config } = request.routeOptions;
    const status = reply.statusCode;
    const ms = Math.round(reply.elapsedTime);
    const waits = config?.route?.waits === true;
    figures.answered(method, url, { status, ms: waits ? Number.NaN : reply.elapsedTime });
    const slow = !waits && ms >= SLOW_MS;
    const isGrave = status >= 500 || slow;
    if (!isGrave && logger.debugging === false) return;
    const fields = fieldsOf(request, { url, status, ms });
    if (isGrave) logger.warn(fields, slow ? "request answered slowly" : "request answered");
    else logger.debug(fields, "request answered");
  };
}

function fieldsOf(
  request: FastifyRequest,
  { url, ...answer }: { url: string | null; status: number; ms: number },
) {
  const { id } = (request.params ?? {}) as { id?: string };
  const caller = request.caller ?? null;
  return {
    request_id: request.id,
    method: request.method,
    route: url, // the pattern: no ids, no query
    ...answer,
    actor: caller?.actor ?? null,
    project: caller === null || caller.projectId === "" ? null : caller.projectId,
    ...(id !== undefined && ID.test(id) ? { about: id } : {}),
  };
}
