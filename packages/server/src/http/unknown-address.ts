// Addresses that no route has: 404, or the methods that the address does take.
// Promises: says nothing about what exists behind a route.
// Leaves to others: foreign and absent ids (the routes themselves).

import type { FastifyReply, FastifyRequest } from "fastify";
import { refuse, Refused } from "../domain/refusal.ts";
import type { Route } from "./route.ts";

/** Handler for everything that matched no route. */
export function unknownAddress(
  routes: readonly Route[],
): (request: FastifyRequest, reply: FastifyReply) => Promise<never> {
  const known = routes.map(({ method, url }) => ({
    method,
    pattern: new RegExp(`^${url.replaceAll(/:[a-z_]+/g, "[^/]+")}$`),
  }));
  return async (request) => {
    const path = request.url.split("?", 1)[0] ?? "";
    const methods = known.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    if (methods.length === 0) {
      throw new Refused(refuse("not_found", "There is no such address; see /openapi.json."));
    }
    const allowed = [...new Set(methods)];
    throw new Refused(
      refuse("method_not_allowed", `This address takes ${allowed.join(" and ")}.`, {
        allowed_methods: allowed,
      }),
    );
  };
}
