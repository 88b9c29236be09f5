// Wrong keys: at most 10 a minute from one address, then 429 instead of 401.
// Promises: a good key is served whatever others on its address do (on loopback everybody shares
// one), so nobody can lock a worker out; proxies' headers are not trusted to name the address.
// Leaves to others: limits of good keys by role.

import type { FastifyInstance, FastifyRequest } from "fastify";
import { refuse } from "../domain/refusal.ts";
import type { Refusal } from "../domain/refusal.ts";
import { badKeys } from "./options.ts";

export type BadKeyLimiter = {
  /** Notes one wrong key and says how it is refused: as `wrong` says, or 429. */
  readonly count: (request: FastifyRequest, wrong: Refusal) => Promise<Refusal>;
};

/** Needs the plugin `@fastify/rate-limit` on `app`. */
export function badKeyLimiter(app: FastifyInstance): BadKeyLimiter {
  const limit = app.createRateLimit({ max: badKeys.most, timeWindow: badKeys.windowMs });
  return {
    count: async (request, wrong) => {
      const state = await limit(request);
      if (state.isAllowed || !state.isExceeded) return wrong;
      const seconds = Math.max(1, state.ttlInSeconds);
      const detail = `Too many wrong keys from this address. Try again in ${seconds} s.`;
      return refuse("rate_limited", detail, { retry_after_ms: seconds * 1000 });
    },
  };
}
