// The doors: a Fastify server made from the engine and the table of routes.
// Promises: a route that does not say who may use it keeps the server from starting; Host and
// Origin are looked at first, also on loopback; every refusal is a problem document with a request
// id; closing takes at most 10 s for requests in progress and none for streams.
// Leaves to others: address and port (caller), signals (cli), everything the engine decides.

import type { Socket } from "node:net";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import fastify from "fastify";
import type { FastifyInstance, FastifyReply } from "fastify";
import type { Engine } from "../engine/contract.ts";
import { bind } from "../engine/metrics/metric.ts";
import { Refused, refuse } from "../domain/refusal.ts";
import type { Refusal } from "../domain/refusal.ts";
import { assert } from "../std/assert.ts";
import { systemClock } from "../std/clock.ts";
import { newUuid, toTypeId } from "../std/ids.ts";
import type { Logger } from "../std/logger.ts";
import { badKeyLimiter } from "./bad-keys.ts";
import { parseBody } from "./body.ts";
import { browserGuard } from "./browser-guard.ts";
import { isOurs, loggable, refusalOf } from "./faults.ts";
import { answeredHook } from "./access-log.ts";
import { HttpFigures, httpMetrics } from "./figures.ts";
import { describeApi } from "./openapi.ts";
import { OpenRequests } from "./open-requests.ts";
import { bodyLimits, connectionLimits, streamTimes, timeouts } from "./options.ts";
import type { HttpOptions } from "./options.ts";
import { problemHeaders, problemOf } from "./problem.ts";
import { Rates } from "./rates.ts";
import { QuietSockets } from "./quiet-sockets.ts";
import { register } from "./register.ts";
import type { House } from "./register.ts";
import { requestIdOf } from "./request-id.ts";
import { beginSpan, endSpan } from "./request-spans.ts";
import { routesOf } from "./routes/index.ts";
import { securityHeaders } from "./security-headers.ts";
import { unknownAddress } from "./unknown-address.ts";

export type { HttpOptions } from "./options.ts";

/** Makes the server; call `listen` or `inject` on it, and `close` at the end. */
export function createHttp(engine: Engine, options: HttpOptions): FastifyInstance {
  const app = fastifyOf();
  const open = new OpenRequests();
  const figures = new HttpFigures();
  figures.waiting = () => open.size;
  const metrics = bind(httpMetrics, () => figures);
  const describe = (): object => app.swagger();
  const { dashboard = null } = options;
  const routes = routesOf(options.version, describe, { metrics: () => metrics, dashboard });
  app.server.maxConnections = connectionLimits.connections;
  app.decorateRequest("caller", null);
  app.decorateRequest("span", null);
  app.addHook("onRoute", ({ config, method, url }) => {
    const isDeclared = config?.route?.auth !== undefined;
    assert(isDeclared, `${String(method)} ${url} does not say who may use it (auth)`);
  });
  app.register(helmet, securityHeaders);
  app.register(rateLimit, { global: false });
  describeApi(app, options.version);
  app.after((error) => {
    if (error) throw error;
    const house: House = {
      engine,
      clock: options.clock ?? systemClock,
      times: { ...streamTimes, ...options.streams },
      bodyLimits: { ...bodyLimits, ...options.bodyLimits },
      checkResponses: options.checkResponses ?? false,
      logger: options.logger,
      badKeys: badKeyLimiter(app),
      rates: new Rates(options.rates ?? {}, (options.clock ?? systemClock).mono),
      open,
      figures,
    };
    hooks(app, options, house);
    readBodies(app);
    answerProblems(app, options.logger);
    app.setNotFoundHandler(unknownAddress(routes, dashboard));
    for (const route of routes) register(app, house, route);
  });
  closeInTime(app, open, options);
  return app;
}

const noCompiler = (): never => {
  throw new Error("a route has a schema for Fastify; its shapes belong into the table of routes");
};

function fastifyOf(): FastifyInstance {
  return fastify({
    logger: false,
    trustProxy: false,
    exposeHeadRoutes: false,
    // Requests during a shutdown are refused by our own hook, as a problem document.
    return503OnClosing: false,
    forceCloseConnections: "idle",
    genReqId: requestIdOf,
    requestIdHeader: false,
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    bodyLimit: bodyLimits.small,
    // Our own checks read and write all JSON (register.ts); naming these keeps ajv and
    // fast-json-stringify from being loaded.
    schemaController: {
      compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler },
    },
    // Names have up to 200 characters of up to 12 bytes when encoded for a path.
    routerOptions: { maxParamLength: 2_400 },
    http: {
      headersTimeout: timeouts.headersMs,
      maxHeaderSize: connectionLimits.headerBytes,
      connectionsCheckingInterval: timeouts.checkingMs,
    },
    frameworkErrors: (error, request, reply) => {
      sendProblem(reply, refusalOf(error, bodyLimits.small), request.id);
    },
    clientErrorHandler: (error, socket) => refuseSocket(socket, error.code),
  });
}

/** What happens to every request, known address or not. */
function hooks(app: FastifyInstance, options: HttpOptions, house: House): void {
  const { open } = house;
  const guard = browserGuard(options.allowedHosts ?? []);
  app.addHook("onRequest", async (request, reply) => {
    beginSpan(house.engine, request);
    reply.header("x-request-id", request.id).header("cache-control", "no-store");
    if (open.stopping.aborted) {
      throw new Refused(refuse("unavailable", "The server is stopping. Try again in a moment."));
    }
    const refusal = guard(request.headers);
    if (refusal !== null) throw new Refused(refusal);
  });
  app.addHook("onSend", async (_request, reply) => {
    // Otherwise the socket would stay open, idle, and the server would wait for it.
    if (open.stopping.aborted) reply.header("connection", "close");
  });
  app.addHook("onResponse", answeredHook(house));
  app.addHook("onResponse", async (request, reply) => endSpan(house.engine, request, reply));
}

function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, bytes, done) => {
    try {
      const strict = request.routeOptions.config.route?.emitted !== true;
      done(null, parseBody(bytes as Buffer, strict));
    } catch (error) {
      done(error as Error);
    }
  });
}

function answerProblems(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((error, request, reply) => {
    const refusal = refusalOf(error, request.routeOptions.bodyLimit ?? bodyLimits.small);
    if (isOurs(refusal)) {
      const fields = {
        err: loggable(error),
        request_id: request.id,
        route: request.routeOptions.url,
      };
      logger.error(fields, "a request could not be served");
    }
    if (reply.raw.headersSent) {
      reply.raw.destroy(); // a stream broke: its reader comes back with the last id
      return reply;
    }
    return sendProblem(reply, refusal, request.id);
  });
}

function sendProblem(reply: FastifyReply, refusal: Refusal, requestId: string): FastifyReply {
  const problem = problemOf(refusal, requestId);
  return reply.code(problem.status).headers(problemHeaders(problem)).send(JSON.stringify(problem));
}

/** A request that is not even HTTP, or too slow, or whose headers are too large. */
function refuseSocket(socket: Socket, code: string | undefined): void {
  if (code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const detail =
    code === "HPE_HEADER_OVERFLOW"
      ? `The headers are larger than ${connectionLimits.headerBytes} bytes.`
      : "This is not an HTTP request, or it did not arrive in time.";
  const problem = problemOf(refuse("validation_failed", detail), toTypeId("req", newUuid()));
  const body = JSON.stringify(problem);
  socket.end(
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n" +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** Streams and long polls end at once, other requests have 10 s, then connections are cut. */
function closeInTime(app: FastifyInstance, open: OpenRequests, options: HttpOptions): void {
  const clock = options.clock ?? systemClock;
  const quiet = new QuietSockets(app.server);
  let cancel = (): void => {};
  app.addHook("preClose", async () => {
    open.stop();
    quiet.close();
    cancel = clock.setDeadline(timeouts.drainMs, () => app.server.closeAllConnections());
  });
  app.addHook("onClose", async () => cancel());
}
