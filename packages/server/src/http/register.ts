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
import type { Caller, Denied } from "./auth.ts";
import type { BadKeyLimiter } from "./bad-keys.ts";
import type { Body } from "./body.ts";
import { once } from "./creations.ts";
import { loggable, notJson } from "./faults.ts";
import { timeouts } from "./options.ts";
import type { StreamTimes } from "./options.ts";
import { traceparentFor } from "./request-spans.ts";
import type { Rates } from "./rates.ts";
import { refuseFields, wrongCode } from "./refusals.ts";
import type { BodyClass, Context, Route, Success } from "./route.ts";
import { fromText, wrongFields } from "./schemas/check.ts";
import { closedCopy, envelopeOf } from "./schemas/variants.ts";
import { cookieOf, endedCookie, sessionToken } from "./session-cookie.ts";
import { sendStream } from "./sse.ts";
import type { OpenRequests } from "./open-requests.ts";
import type { HttpFigures } from "./figures.ts";

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
  readonly rates: Rates;
  readonly open: OpenRequests;
  readonly figures: HttpFigures;
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
    onRequest: (request, reply) => admit(house, route, { request, reply }),
    handler: (request, reply) => serve(house, route, { request, reply }),
  });
}

/** Key, permission and content type: all that can be refused without reading the body. */
async function admit(house: House, route: Route, { request, reply }: Exchange): Promise<void> {
  const { headers } = request;
  const { id } = request.params as { id?: string };
  const caller = await authenticate(house.engine, { headers, route, runId: id });
  if (isRefusal(caller)) {
    if ("denied" in caller) noteDenied(house.engine, route, { request, denied: caller as Denied });
    throw new Refused(caller === badKey ? await house.badKeys.count(request, badKey) : caller);
  }
  request.caller = caller;
  if (caller.kind !== "nobody") {
    const { refusal, headers: told } = house.rates.draw(whoOf(caller), route.pace ?? "ordinary");
    void reply.headers(told);
    if (refusal !== null) throw new Refused(refusal);
  }
  if (route.method !== "GET" && !isJson(request)) throw new Refused(notJson);
}

/** Whose bucket a request draws from: a session draws from its key's. */
function whoOf(caller: Caller): string {
  if (caller.kind === "key") return caller.principal.keyId;
  return caller.kind === "attempt" ? caller.attempt.fence.attemptId : "";
}

/** What administers; trying the rest is a mistake that says so itself. */
const administrative: ReadonlySet<string> = new Set(["administer", "own", "operate", "approve"]);

function noteDenied(
  engine: Engine,
  { auth, operationId }: Route,
  { request, denied }: { request: FastifyRequest; denied: Denied },
): void {
  if (!administrative.has(auth)) return;
  const traceparent = traceparentFor(request);
  const origin = { actor: denied.denied.by, requestId: request.id, traceparent };
  engine.denied(denied.denied.projectId, { operation: operationId, permission: auth }, origin);
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
      traceparent: traceparentFor(request),
    },
    header: (name) => headers[name]?.toString(),
    sessionToken: headers.authorization === undefined ? sessionToken(headers) : null,
    wrongSecret: () => house.badKeys.count(request, wrongCode),
    wall: house.clock.wall,
    wantsStream: (headers.accept ?? "").includes("text/event-stream"),
    signal,
  };
  const asked = { route, url: request.url, headers, caller, body: input.body };
  const answer = await once(house.engine, asked, () => route.handle(context));
  if (isRefusal(answer)) throw new Refused(answer);
  if ("stream" in answer) {
    const stands = async (): Promise<boolean> =>
      caller.kind !== "key" || house.engine.stands(caller.principal);
    const tools = { clock: house.clock, times: house.times, signal, stands };
    house.figures.streams += 1;
    await sendStream(reply, answer, tools).catch((error: unknown) => {
      const fields = { err: loggable(error), request_id: request.id, route: route.url };
      house.logger.error(fields, "a stream broke");
    });
    house.figures.streams -= 1;
    return reply;
  }
  if (answer.session !== undefined) {
    const { session } = answer;
    const cookie = session === null ? endedCookie(headers) : cookieOf(headers, session);
    void reply.header("set-cookie", cookie);
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
