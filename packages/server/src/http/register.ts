// From data to doors: how every route is served, in the same steps.
// Promises: key and permission are looked at before a byte of the body is read; a handler sees only
// input that its schemas accept; an answer is JSON, a problem document or a stream.
// Leaves to others: what the routes are (`routes/`), hooks of all requests (`server.ts`).

import { Type } from "./typebox.ts";
import type { TSchema } from "./typebox.ts";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Engine } from "../engine/contract.ts";
import { isRefusal, Refused } from "../domain/refusal.ts";

import { assert } from "../std/assert.ts";
import type { Clock } from "../std/clock.ts";
import type { Logger } from "../std/logger.ts";
import { authenticate, badKey } from "./auth.ts";
import type { Caller } from "./auth.ts";
import type { BadKeyLimiter } from "./bad-keys.ts";
import type { Body } from "./body.ts";
import { loggable, notJson } from "./faults.ts";
import { timeouts } from "./options.ts";
import type { StreamTimes } from "./options.ts";
import { refuseFields } from "./refusals.ts";
import { traceparentOf } from "./request-id.ts";
import type { BodyClass, Context, Route, Success } from "./route.ts";
import { fromText, wrongFields } from "./schemas/check.ts";
import { closedCopy, envelopeOf } from "./schemas/variants.ts";
import { sendStream } from "./sse.ts";
import type { OpenRequests } from "./open-requests.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Every route has one: without it the server does not start. */
    route?: Route;
  }
  interface FastifyRequest {
    /** Set before the handler runs. */
    caller: Caller | null;
  }
}

export type House = {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly times: StreamTimes;
  readonly bodyLimits: Readonly<Record<BodyClass, number>>;
  readonly checkResponses: boolean;
  readonly logger: Logger;
  readonly badKeys: BadKeyLimiter;
  readonly open: OpenRequests;
};

/** Long polls last up to 30 s; beyond twice that something hangs. */
const LONG_POLL_MS = 60_000;

/** Adds one route to the server. */
export function register(app: FastifyInstance, house: House, route: Route): void {
  app.route({
    method: route.method,
    url: route.url,
    bodyLimit: house.bodyLimits[route.bodyClass ?? "small"],
    handlerTimeout: route.waits === true ? LONG_POLL_MS : timeouts.requestMs,
    config: { route },
    onRequest: (request) => admit(house, route, request),
    handler: (request, reply) => serve(house, route, { request, reply }),
  });
}

/** Key, permission and content type: all that can be refused without reading the body. */
async function admit(house: House, route: Route, request: FastifyRequest): Promise<void> {
  const { headers } = request;
  const { id } = request.params as { id?: string };
  const caller = await authenticate(house.engine, { headers, route, runId: id });
  if (isRefusal(caller)) {
    throw new Refused(caller === badKey ? await house.badKeys.count(request) : caller);
  }
  request.caller = caller;
  if (route.method !== "GET" && !isJson(request)) throw new Refused(notJson);
}

/** Also without a body: a form or an empty POST is what another site's page can send. */
function isJson({ headers }: FastifyRequest): boolean {
  const type = /^application\/json *(?:; *charset="?utf-8"?)? *$/i;
  const encoding = headers["content-encoding"] ?? "identity";
  return type.test(headers["content-type"] ?? "") && encoding === "identity";
}

type Exchange = { readonly request: FastifyRequest; readonly reply: FastifyReply };

async function serve(house: House, route: Route, { request, reply }: Exchange) {
  const input = checkedInput(route, request);
  const { caller } = request;
  assert(caller !== null, `${route.operationId}: the handler ran before the key was looked at`);
  const opened = route.waits === true ? house.open.track(reply.raw) : null;
  const signal = opened?.signal ?? house.open.stopping;
  const { headers } = request;
  const context: Context<unknown, unknown, unknown> = {
    ...input,
    engine: house.engine,
    caller,
    projectId: caller.projectId,
    origin: {
      actor: caller.actor,
      requestId: request.id,
      traceparent: traceparentOf(headers),
    },
    header: (name) => headers[name]?.toString(),
    wantsStream: (headers.accept ?? "").includes("text/event-stream"),
    signal,
  };
  const answer = await route.handle(context);
  if (isRefusal(answer)) throw new Refused(answer);
  if ("stream" in answer) {
    const tools = { clock: house.clock, times: house.times, signal };
    await sendStream(reply, answer, tools).catch((error: unknown) => {
      const fields = { err: loggable(error), request_id: request.id, route: route.url };
      house.logger.error(fields, "a stream broke");
    });
    return reply;
  }
  return send(house, route, { reply, answer });
}

type Input = Pick<Context<unknown, unknown, unknown>, "params" | "query" | "body" | "looks">;

const empty = Type.Object({}, { additionalProperties: false });
const noBody: Body = { value: {}, bytes: 0, suspicious: false, deep: false };

/** Path, query and body as their schemas describe them. Throws `Refused` with every wrong field. */
function checkedInput(route: Route, request: FastifyRequest): Input {
  const params = fromText(
    route.params ?? empty,
    request.params as object as Record<string, unknown>,
  );
  const query = fromText(route.query ?? empty, request.query as Record<string, unknown>);
  const errors = [
    ...(wrongFields(route.params ?? empty, params) ?? []),
    ...(wrongFields(route.query ?? empty, query) ?? []),
  ];
  const body = (request.body as Body | undefined) ?? noBody;
  if (route.method !== "GET") {
    errors.push(...(wrongFields(bodySchema(route), body.value) ?? []));
  }
  if (errors.length > 0) throw new Refused(refuseFields(errors));
  return { params, query, body: body.value, looks: body };
}

function bodySchema({ body = empty, itemwise }: Route): TSchema {
  return itemwise === true ? envelopeOf(body) : body;
}

function send(
  house: House,
  route: Route,
  { reply, answer }: { reply: FastifyReply; answer: Success },
): FastifyReply {
  const { status, body, headers = {} } = answer;
  void reply.code(status).headers(headers);
  if (headers["content-type"] !== undefined) return reply.send(body);
  const text = JSON.stringify(body);
  if (house.checkResponses) assertDescribed(route, status, text);
  return reply.type("application/json; charset=utf-8").send(text);
}

/** The answer as its schema describes it, with no field besides. A difference is a bug of ours. */
function assertDescribed(route: Route, status: number, text: string): void {
  const schema = route.responses[status];
  assert(schema !== undefined, `${route.operationId}: status ${status} is not described`);
  const wrong = wrongFields(closedCopy(schema), JSON.parse(text));
  const where = wrong?.map(({ field, message }) => `${field} ${message}`).join("; ");
  assert(wrong === null, `${route.operationId} ${status}: not as described: ${where ?? ""}`);
}
