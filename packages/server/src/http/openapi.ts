// The OpenAPI 3.1 document, made from the routes and nothing else.
// Promises: every route that needs no browser is in it with its operationId, its shapes, its
// problems and who may use it; named shapes appear once, under components.
// Leaves to others: serving it (`routes/machine.ts`), the shapes (`schemas/`).

import swagger from "@fastify/swagger";
import type { FastifyInstance, FastifySchema } from "fastify";
import type { TSchema } from "./typebox.ts";
import { rolePermissions, roles } from "../domain/key.ts";
import type { RefusalCode } from "../domain/refusal.ts";
import { problems } from "./problem.ts";
import type { Route } from "./route.ts";
import { problem } from "./schemas/problem.ts";

/** Registers the maker of the document; `app.swagger()` gives it once all routes are there. */
export function describeApi(app: FastifyInstance, version: string): void {
  app.register(swagger, {
    convertConstToEnum: false,
    stripBasePath: false,
    openapi: {
      openapi: "3.1.0",
      info: { title: "Signalbox", version, description },
      servers: [{ url: "/" }],
      components: {
        securitySchemes: {
          projectKey: { type: "http", scheme: "bearer", description: "A key `sbx_…`." },
          session: {
            type: "apiKey",
            in: "cookie",
            name: "signalbox",
            description:
              "The session of a browser; the name ends with `-<port>`, and begins with `__Host-` " +
              "over https. Requests but GET need the header `Signalbox-CSRF`.",
          },
          attemptKey: {
            type: "http",
            scheme: "bearer",
            description: "The key of an attempt, `sba_…`, or of its child, `sbc_…`.",
          },
        },
      },
    },
    transform: ({ url, route }) => {
      const own = route.config?.route;
      return { url, schema: own === undefined ? { hide: true } : operationOf(own) };
    },
    transformObject: (document) =>
      "openapiObject" in document
        ? (withComponents(document.openapiObject) as typeof document.openapiObject)
        : document.swaggerObject,
  });
}

const description =
  "The control plane for fleets of AI agents. Instants are ISO 8601 UTC with milliseconds, " +
  "durations integers named `…_ms` or `…_s`, money integer micros, big integers strings. " +
  "Refusals are RFC 9457 problem documents with a stable `code`.";

type Operation = FastifySchema & { [member: string]: unknown };

function operationOf(route: Route): Operation {
  return {
    hide: route.tag === "hidden",
    operationId: route.operationId,
    summary: route.summary,
    description: whoMay(route),
    tags: [route.tag],
    security: securityOf(route),
    ...(route.params === undefined ? {} : { params: route.params }),
    ...(route.query === undefined ? {} : { querystring: route.query }),
    ...(route.body === undefined ? {} : { body: route.body }),
    headers: headersOf(route),
    response: { ...successesOf(route), ...problemsOf(route) },
  };
}

function whoMay({ auth, attemptKey }: Route): string {
  if (auth === "public") return "Needs no key.";
  const who = roles.filter((role) => rolePermissions[role].includes(auth));
  const attempt = attemptKey === undefined ? "" : ", or the key of the run's own attempt";
  const child = attemptKey === "child" ? " or of its child" : "";
  return `Needs the permission \`${auth}\` (roles ${who.join(", ")})${attempt}${child}.`;
}

function securityOf({ auth, attemptKey }: Route): { [scheme: string]: string[] }[] {
  if (auth === "public") return [];
  const own = [{ projectKey: [] }, { session: [] }];
  return attemptKey === undefined ? own : [...own, { attemptKey: [] }];
}

const text = (description: string): object => ({ type: "string", description });

function headersOf({ auth, scope, operationId, streams, keeps }: Route): object {
  const properties: { [name: string]: object } = {};
  if (auth !== "public" && scope === "project") {
    properties["Signalbox-Project"] = text("Owner's key only: the project to act in, name or id.");
  }
  if (keeps !== undefined) {
    properties["Idempotency-Key"] = text("Same key and body: the same answer, for 7 days.");
  }
  if (operationId === "submitRun") properties["Idempotency-Key"] = text("The run's key.");
  if (streams !== undefined) properties["Last-Event-ID"] = text("Streams: go on after this id.");
  return { type: "object", properties };
}

function successesOf({ responses, streams }: Route): { [status: string]: object } {
  const described: { [status: string]: { description: string; content: object } } = {};
  for (const [status, schema] of Object.entries(responses)) {
    const content = { "application/json": { schema } };
    described[status] = { description: titleOf(schema) ?? "The answer.", content };
  }
  if (streams !== undefined) {
    const what = `Server-sent events; the JSON of each \`data:\` is one ${titleOf(streams) ?? ""}.`;
    const stream = { schema: { type: "string", description: what } };
    const { description: was = "A stream.", content = {} } = described["200"] ?? {};
    described["200"] = {
      description: was,
      content: { ...content, "text/event-stream": stream },
    };
  }
  return described;
}

/** What any route can answer, besides its own refusals. */
function codesOf(route: Route): RefusalCode[] {
  const codes: RefusalCode[] = ["validation_failed", "forbidden_origin"];
  if (route.auth !== "public") codes.push("unauthorized", "forbidden", "rate_limited");
  if (route.params !== undefined) codes.push("not_found");
  if (route.method !== "GET") codes.push("unsupported_media_type", "payload_too_large");
  if (route.keeps !== undefined) {
    codes.push("idempotency_mismatch", "idempotency_in_progress", "idempotency_in_doubt");
  }
  return [...codes, ...(route.refusals ?? []), "internal", "unavailable"];
}

function problemsOf(route: Route): { [status: string]: object } {
  const byStatus = new Map<number, Set<RefusalCode>>();
  for (const code of codesOf(route)) {
    const { status } = problems[code];
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  const described: { [status: string]: object } = {};
  for (const [status, codes] of byStatus) {
    if (status in route.responses) continue;
    const content = { "application/problem+json": { schema: problem } };
    described[status] = { description: [...codes].join(", "), content };
  }
  return described;
}

function titleOf(schema: TSchema): string | undefined {
  return (schema as { title?: string }).title;
}

type Json = { [member: string]: unknown };

/** The document with each named shape once, under components, and references in its places. */
function withComponents(document: object): object {
  const schemas: Json = {};
  const replace = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(replace);
    if (typeof value !== "object" || value === null) return value;
    const copy: Json = {};
    for (const [member, inner] of Object.entries(value)) {
      if (member !== "x-says") copy[member] = replace(inner); // for our own answers only
    }
    const { title } = copy;
    if (typeof title !== "string" || !("type" in copy || "anyOf" in copy)) return copy;
    schemas[title] ??= copy;
    return { $ref: `#/components/schemas/${title}` };
  };
  const replaced = replace(document) as Json;
  const components = replaced["components"] as Json;
  return { ...replaced, components: { ...components, schemas } };
}
