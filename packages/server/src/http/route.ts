// A route as data: where it is, who may use it, what goes in, what comes out, what it refuses.
// Promises: the handler's types come from the schemas; a handler is only called with checked input
// and an allowed caller; everything that differs between routes stands in this one shape.
// Leaves to others: doing it (`register.ts`), the routes themselves (`routes/`).

import type { Static, TSchema } from "./typebox.ts";
import type { Engine, Origin } from "../engine/contract.ts";
import type { Permission } from "../domain/key.ts";
import { isRefusal } from "../domain/refusal.ts";
import type { Refusal, RefusalCode } from "../domain/refusal.ts";
import type { Caller } from "./auth.ts";
import type { Body } from "./body.ts";
import type { Pace } from "./rates.ts";
import type { EventStream } from "./sse.ts";
import { notFound } from "./refusals.ts";

export type Method = "GET" | "POST" | "PUT";

/** Classes of body sizes; the bytes stand in `options.ts`. */
export type BodyClass = "small" | "run" | "batch" | "events" | "reports" | "heartbeats";

/** Status → shape of its body. */
export type Responses = { readonly [status: number]: TSchema };

/** What a handler is given besides the request itself. */
export type Context<P, Q, B> = {
  readonly engine: Engine;
  /** UUID of the project the key acts in; empty on routes whose scope is not a project. */
  readonly projectId: string;
  readonly caller: Caller;
  readonly origin: Origin;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** What the body's text looked like, for values that agents emit. */
  readonly looks: Pick<Body, "bytes" | "suspicious" | "deep">;
  readonly header: (name: string) => string | undefined;
  /** The session token of the browser that asks; null when a key was presented. */
  readonly sessionToken: string | null;
  /** Notes a wrong secret that came in the body; the answer says how it is refused. */
  readonly wrongSecret: () => Promise<Refusal>;
  /** Milliseconds since 1970 by this server: for defaults of a question, never for facts. */
  readonly wall: () => number;
  /** Whether `Accept` asks for `text/event-stream`. */
  readonly wantsStream: boolean;
  /** Aborted when the client has gone or the server stops. */
  readonly signal: AbortSignal;
};

export type Success = {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: { readonly [name: string]: string };
  /** The session that the browser begins with this answer, or null: it ends. */
  readonly session?: string | null;
};
type Succeeded<R extends Responses> = {
  [S in keyof R & number]: Success & { readonly status: S; readonly body: Static<R[S] & TSchema> };
}[keyof R & number];

export type Answer<R extends Responses> = Succeeded<R> | EventStream | Refusal;

type Shape<P extends TSchema, Q extends TSchema, B extends TSchema, R extends Responses> = {
  readonly method: Method;
  /** Fastify's notation: `/v1/runs/:id`. */
  readonly url: string;
  readonly operationId: string;
  readonly summary: string;
  readonly tag: string;
  /** Who may: anybody, or callers whose roles have this permission. There is no default. */
  readonly auth: "public" | Permission;
  /** Besides that: the attempt key of this very run (`:id`), or its child's key as well. */
  readonly attemptKey?: "attempt" | "child";
  /** `project`: acts in the caller's project. `installation`: stands above projects. */
  readonly scope: "project" | "installation";
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** The handler checks the items of `body.items` one by one, so that a wrong one fails alone. */
  readonly itemwise?: true;
  /** The body carries what agents emit: it is cleaned instead of refused. */
  readonly emitted?: true;
  readonly bodyClass?: BodyClass;
  /** What its requests are counted under; default ordinary. */
  readonly pace?: Pace;
  /**
   * It creates something and keeps its answer for the header `Idempotency-Key`: as it is, or
   * sealed because it holds a secret.
   */
  readonly keeps?: "plain" | "sealed";
  readonly responses: R;
  /** The route can also answer with a stream of these. */
  readonly streams?: TSchema;
  /** Codes of this route besides those that every route can answer with. */
  readonly refusals?: readonly RefusalCode[];
  /** A long poll or a stream: it may take longer than 30 s and is told when the client goes. */
  readonly waits?: true;
  readonly handle: (
    context: Context<Static<P>, Static<Q>, Static<B>>,
  ) => Promise<Answer<NoInfer<R>>>;
};

/** A route of any input and output, as the registration sees it. */
export type Route = Shape<TSchema, TSchema, TSchema, Responses>;

/** Declares a route; input and output of the handler are typed by its schemas. */
export function route<
  R extends Responses,
  P extends TSchema = TSchema,
  Q extends TSchema = TSchema,
  B extends TSchema = TSchema,
>(shape: Shape<P, Q, B, R>): Route {
  return shape as unknown as Route;
}

/** 200 with the value, or the refusal as it is. */
export function answer<T>(result: T | Refusal): { status: 200; body: T } | Refusal {
  return isRefusal(result) ? result : { status: 200, body: result };
}

/** 200 with the value, or 404 for null. */
export function found<T>(result: T | null, what: string): { status: 200; body: T } | Refusal {
  return result === null ? notFound(what) : { status: 200, body: result };
}

/** 201 with the value, or the refusal as it is. */
export function created<T>(result: T | Refusal): { status: 201; body: T } | Refusal {
  return isRefusal(result) ? result : { status: 201, body: result };
}
