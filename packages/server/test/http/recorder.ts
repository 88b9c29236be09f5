// Doors for tests of the edge: an engine that knows one key, writes down every call, and refuses to
// do anything, since a bad request must be refused before the engine is reached.

import type { FastifyInstance } from "fastify";
import { afterEach } from "vitest";
import type { Engine } from "../../src/engine/contract.ts";
import { rolePermissions } from "../../src/domain/key.ts";
import { routesOf } from "../../src/http/routes/index.ts";
import type { Route } from "../../src/http/route.ts";
import { createHttp } from "../../src/http/server.ts";
import type { HttpOptions } from "../../src/http/server.ts";
import type { LogFields } from "../../src/std/logger.ts";

type Recorder = { engine: Engine; calls: string[] };
type Answers = { [method: string]: (...given: unknown[]) => unknown };

/** Knows one key of every permission, and writes down everything else it is asked. */
export function recorder(answers: Answers = {}): Recorder {
  const calls: string[] = [];
  const known: Answers = {
    principal: async () => ({
      keyId: "k",
      prefix: "recorded",
      projectId: "018f4e42-8d2a-7000-8000-000000000000",
      roles: ["owner"],
      agents: null,
      session: null,
      permissions: new Set(rolePermissions.owner),
    }),
    attemptPrincipal: async () => null,
    ...answers,
  };
  const engine = new Proxy({} as Engine, {
    get: (_target, method: string) => {
      if (method === "traces") return null; // no verb: traces are off
      return (...given: unknown[]) => {
        const answer = known[method];
        if (answer !== undefined) return answer(...given);
        calls.push(method);
        return Promise.reject(new Error(`the engine was asked to ${method}: secret text`));
      };
    },
  });
  return { engine, calls };
}

const apps: FastifyInstance[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

type Line = { fields: LogFields; message: string };
/** A server on the recorder, closed after the test. */
export function doors(answers: Answers = {}, options: Partial<HttpOptions> = {}) {
  const lines: Line[] = [];
  const log = (fields: LogFields, message: string): void => void lines.push({ fields, message });
  const logger = { debug: log, info: log, warn: log, error: log };
  const { engine, calls } = recorder(answers);
  const app = createHttp(engine, { logger, version: "1.2.3", checkResponses: true, ...options });
  apps.push(app);
  return { app, calls, lines };
}

export const key = "sbx_recorded_secret";
export const routes = routesOf("0", () => ({}));
export const keyed = routes.filter(({ auth }) => auth !== "public");
export const lineOf = ({ method, url }: Route): string =>
  `${method} ${url.replaceAll(/:\w+/g, "x")}`;
