// What machines and passers-by may see without a key: health, readiness, the API description, and
// one page for people. With an operator's key: how the house is; with the owner's: its figures.
// Promises: without a key nothing of any project; a few bytes; no cookie, and no script but the
// login's, which is there while no dashboard is.
// Leaves to others: the page (`../status-page.ts`), the document (`../openapi.ts`), the figures
// (`../figures.ts`, engine/metrics).

import { Type } from "../typebox.ts";
import type { Health } from "../../engine/contract.ts";
import type { Metric } from "../../engine/metrics/metric.ts";
import { loginPage, loginScript } from "../login-page.ts";
import { answer, route } from "../route.ts";
import type { Route } from "../route.ts";
import { houseHealth } from "../schemas/health.ts";
import { health, readiness } from "../schemas/operators.ts";
import { statusIcon, statusPage, statusStyle } from "../status-page.ts";

const base = { method: "GET", tag: "machines", auth: "public", scope: "installation" } as const;
const document = Type.Unsafe<object>({ type: "object" });

const healthz = route({
  ...base,
  url: "/healthz",
  operationId: "health",
  summary: "Whether the process answers",
  responses: { 200: health },
  handle: async () => answer({ status: "ok" as const }),
});

const readyz = route({
  ...base,
  url: "/readyz",
  operationId: "readiness",
  summary: "Whether the database answers and the sweeps keep up",
  responses: { 200: readiness, 503: readiness },
  handle: async ({ engine }) => {
    const state = await engine.health();
    const body = {
      ready: state.ready,
      database: state.database,
      sweep_lag_ms: state.sweepLagMs,
      version: state.version,
      started_at: state.startedAt,
    };
    return state.ready
      ? { status: 200, body }
      : { status: 503, body, headers: { "retry-after": "1" } };
  },
});

const house = route({
  ...base,
  auth: "operate",
  url: "/v1/health",
  operationId: "houseHealth",
  summary: "How the house is: servers, sweeps, database, and what is wrong; load for the owner",
  responses: { 200: houseHealth },
  handle: async ({ engine, caller }) => {
    const isOwner = caller.kind === "key" && caller.principal.permissions.has("own");
    return answer(await engine.houseHealth(isOwner));
  },
});

/** A document that is not JSON of the API: hidden from the description. */
function page(url: string, type: string, text: (state: () => Promise<Health>) => Promise<string>) {
  return route({
    ...base,
    tag: "hidden",
    url,
    operationId: `page${url}`,
    summary: "For browsers",
    responses: { 200: Type.String() },
    handle: async ({ engine }) => ({
      status: 200,
      body: await text(() => engine.health()),
      headers: { "content-type": type },
    }),
  });
}

/** Figures of all projects together tell a project about the others: they are the owner's. */
function metrics(own: () => readonly Metric[]): Route {
  return route({
    ...base,
    auth: "own",
    tag: "hidden",
    url: "/metrics",
    operationId: "metrics",
    summary: "For Prometheus: what this server tells about itself and the house",
    responses: { 200: Type.String() },
    handle: async ({ engine }) => ({
      status: 200,
      body: await engine.metrics(own()),
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
    }),
  });
}

/**
 * The routes of machines and passers-by. `describe` makes the OpenAPI document, `own` tells the
 * metrics of the doors.
 */
export function machineRoutes(describe: () => object, own: () => readonly Metric[]): Route[] {
  const openapi = route({
    ...base,
    url: "/openapi.json",
    operationId: "openapi",
    summary: "This description",
    responses: { 200: document },
    handle: async () => ({ status: 200, body: describe() }),
  });
  return [healthz, readyz, house, metrics(own), openapi];
}

/** The pages of a server without a dashboard, which has a sign-in of its own. */
export function statusRoutes(version: string): Route[] {
  return [
    page("/", "text/html; charset=utf-8", async (state) =>
      statusPage(version, await readyOf(state)),
    ),
    page("/login", "text/html; charset=utf-8", async () => loginPage),
    page("/login.js", "text/javascript; charset=utf-8", async () => loginScript),
    page("/status.css", "text/css; charset=utf-8", async () => statusStyle),
    page("/status.svg", "image/svg+xml", async () => statusIcon),
  ];
}

/** The page is there also while the database is not. */
async function readyOf(state: () => Promise<Health>): Promise<boolean> {
  try {
    return (await state()).ready;
  } catch {
    return false;
  }
}
