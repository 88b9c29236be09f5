// Addresses that no route has: a page of the dashboard, 404, or the methods that it does take.
// Promises: says nothing about what exists behind a route.
// Leaves to others: foreign and absent ids (the routes themselves).

import type { FastifyReply, FastifyRequest } from "fastify";
import { refuse, Refused } from "../domain/refusal.ts";
import { pageFor } from "./dashboard.ts";
import type { Dashboard } from "./dashboard.ts";
import type { Route } from "./route.ts";

/** Handler for everything that matched no route. */
export function unknownAddress(
  routes: readonly Route[],
  dashboard: Dashboard | null,
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> {
  const known = routes.map(({ method, url }) => ({
    method,
    pattern: new RegExp(`^${url.replaceAll(/:[a-z_]+/g, "[^/]+")}$`),
  }));
  return async (request, reply) => {
    const page = dashboard === null ? null : pageFor(dashboard, request);
    if (page !== null) return reply.code(200).headers(page.headers).send(page.body);
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
