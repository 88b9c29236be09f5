// The OpenAPI document: complete, consistent with itself, and true to the routes.

import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../src/engine/contract.ts";
import { routesOf } from "../../src/http/routes/index.ts";
import { problems } from "../../src/http/problem.ts";
import { createHttp } from "../../src/http/server.ts";
import { silentLogger } from "../../src/std/logger.ts";
import { ask } from "./scene.ts";

type Node = { [member: string]: unknown };
type Operation = {
  operationId: string;
  summary: string;
  description: string;
  tags: string[];
  security: object[];
  parameters?: { name: string; in: string; required: boolean }[];
  requestBody?: { content: { [type: string]: { schema: Node } } };
  responses: {
    [status: string]: { description: string; content: { [type: string]: { schema: Node } } };
  };
};
type Document = {
  openapi: string;
  info: { title: string; version: string };
  paths: { [path: string]: { [method: string]: Operation } };
  components: { schemas: { [name: string]: Node }; securitySchemes: { [name: string]: Node } };
};

let document: Document;
beforeAll(async () => {
  const app = createHttp({} as Engine, { logger: silentLogger, version: "1.2.3" });
  document = (await ask(app, null, "GET /openapi.json")).body;
  await app.close();
});

const operations = (): [string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      one,
    ]),
  );

/** Every object in the document. */
function* nodes(value: unknown): Generator<Node> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Node;
  for (const inner of Object.values(value)) yield* nodes(inner);
}

describe("the document", () => {
  test("is OpenAPI 3.1 of this version", () => {
    expect(document).toMatchObject({
      openapi: "3.1.0",
      info: { title: "Signalbox", version: "1.2.3" },
    });
  });

  test("has every route for programs, and no other", () => {
    const shown = routesOf("0", () => ({})).filter(({ tag }) => tag !== "hidden");
    const lines = shown.map(({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, "{$1}")}`);
    expect(
      operations()
        .map(([line]) => line)
        .toSorted(),
    ).toEqual(lines.toSorted());
  });

  test("every operation says what it is, who may use it and how it refuses", () => {
    const ids = new Set<string>();
    for (const [line, one] of operations()) {
      expect(one.summary.length, line).toBeGreaterThan(5);
      expect(one.description, line).toMatch(/^Needs /);
      expect(one.tags, line).toHaveLength(1);
      ids.add(one.operationId);
      const isOpen = one.description === "Needs no key.";
      expect(one.security.length > 0, line).toBe(!isOpen);
      // The code of a login is a secret in a body: the route is open, the answer may be 401.
      expect("401" in one.responses, line).toBe(!isOpen || line === "POST /v1/sessions");
      const success = Object.keys(one.responses).filter((status) => status.startsWith("2"));
      expect(success.length, line).toBeGreaterThan(0);
      for (const [status, response] of Object.entries(one.responses)) {
        expect(response.description.length, `${line} ${status}`).toBeGreaterThan(0);
        const isProblem = "application/problem+json" in response.content;
        if (!isProblem) continue;
        for (const code of response.description.split(", ")) {
          expect(problems[code as keyof typeof problems].status, line).toBe(Number(status));
        }
      }
    }
    expect(ids.size).toBe(operations().length);
  });

  test("every path parameter is described", () => {
    for (const [line, one] of operations()) {
      const named = [...line.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const described = (one.parameters ?? []).filter((parameter) => parameter.in === "path");
      expect(described.map(({ name }) => name)).toEqual(named);
      expect(described.every(({ required }) => required)).toBe(true);
    }
  });

  test("every reference leads somewhere, and every component is used", () => {
    const used = new Set<string>();
    for (const node of nodes(document)) {
      const { $ref } = node;
      if ($ref === undefined) continue;
      const name = String($ref).replace("#/components/schemas/", "");
      expect(Object.keys(document.components.schemas)).toContain(name);
      used.add(name);
    }
    expect([...used].toSorted()).toEqual(Object.keys(document.components.schemas).toSorted());
    for (const node of nodes(document.paths)) {
      if (typeof node["projectKey"] === "object")
        expect(document.components.securitySchemes).toHaveProperty("projectKey");
    }
  });

  test("input refuses unknown fields, and nothing of ours leaks into it", () => {
    for (const name of [
      "RunSubmission",
      "ClaimRequest",
      "HeartbeatRequest",
      "RuntimeRegistration",
      "AgentRegistration",
      "AccountRegistration",
      "LimitReport",
      "AllowanceInput",
      "AllowanceChange",
      "SlotInput",
    ]) {
      expect(document.components.schemas[name], name).toMatchObject({
        additionalProperties: false,
      });
    }
    const text = JSON.stringify(document);
    expect(text).not.toMatch(/x-says|~kind|"\$id"/);
  });

  test("the wire's shapes are all there", () => {
    const names = [
      "Run",
      "RunSummary",
      "RunStatus",
      "Attempt",
      "Event",
      "Claim",
      "Directive",
      "Report",
    ];
    for (const name of [
      ...names,
      "Problem",
      "Project",
      "Queue",
      "ApiKey",
      "CreatedKey",
      "Runtime",
      "Agent",
      "Account",
      "Exhaustion",
      "Allowance",
      "Slot",
      "UsageRow",
    ]) {
      expect(document.components.schemas, name).toHaveProperty(name);
    }
  });
});
