// A scene for tests of the doors: the real engine on a database of its own, and one key per role.
// Every answer is checked against its own schema (`checkResponses`), so a wrong shape is a 500.

import type { FastifyInstance, InjectOptions } from "fastify";
import type { RunSummary } from "@signalbox/sdk";
import { roles } from "../../src/domain/key.ts";
import type { Role } from "../../src/domain/key.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { Refusal } from "../../src/domain/refusal.ts";
import { startEngine } from "../../src/engine/engine.ts";
import type { EngineOptions, RunningEngine } from "../../src/engine/engine.ts";
import { createHttp } from "../../src/http/server.ts";
import type { HttpOptions } from "../../src/http/server.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { silentLogger } from "../../src/std/logger.ts";
import type { Connection } from "../../src/store/db.ts";
import { freshDatabase } from "../setup/database.ts";
import { expectNoViolations } from "../store/checker.ts";

export type Scene = {
  engine: RunningEngine;
  app: FastifyInstance;
  /** The database itself, for what no route can do. */
  connection: Connection;
  /** UUID of the project the keys belong to. */
  projectId: string;
  /** One key per role; `owner` belongs to no project. */
  keys: Readonly<Record<Role, string>>;
  close: () => Promise<void>;
};

const origin = { actor: "test", requestId: "test", traceparent: null };

/** The value of an answer that must not be a refusal. */
export function must<T>(result: T | Refusal): T {
  if (isRefusal(result)) throw new Error(`${result.code}: ${result.detail}`);
  return result;
}

export async function openScene(
  options: Partial<HttpOptions> = {},
  engineOptions: Partial<EngineOptions> = {},
): Promise<Scene> {
  const database = await freshDatabase();
  const { connection } = database;
  const engine = await startEngine({ connection, version: "1.2.3", ...engineOptions });
  const project = must(await engine.createProject("default", origin));
  const projectId = fromTypeId("prj", project.id) ?? "";
  const keys = {} as Record<Role, string>;
  for (const role of roles) {
    const of = role === "owner" ? null : projectId;
    const made = await engine.createKey(of, { name: role, roles: [role], expiresAt: null }, origin);
    keys[role] = must(made).key;
  }
  const app = createHttp(engine, {
    logger: silentLogger,
    version: "1.2.3",
    checkResponses: true,
    ...options,
  });
  await app.ready();
  const close = async (): Promise<void> => {
    await app.close();
    await engine.stop();
    await expectNoViolations(database.connection);
    await database.drop();
  };
  return { engine, app, connection: database.connection, projectId, keys, close };
}

export type Reply = {
  status: number;
  headers: { [name: string]: unknown };
  text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into any answer
  body: any;
};

/** One request with a key and a JSON body; `body` of the reply is parsed JSON, if it is JSON. */
export async function ask(
  app: FastifyInstance,
  key: string | null,
  line: string,
  rest: { body?: unknown; headers?: { [name: string]: string } } = {},
): Promise<Reply> {
  const [method = "GET", url = "/"] = line.split(" ");
  const headers: { [name: string]: string } = {
    ...(key === null ? {} : { authorization: `Bearer ${key}` }),
    ...(method === "GET" ? {} : { "content-type": "application/json" }),
    ...rest.headers,
  };
  const payload = typeof rest.body === "string" ? rest.body : JSON.stringify(rest.body ?? {});
  const request: InjectOptions = { method: method as "GET", url, headers };
  const response = await app.inject(method === "GET" ? request : { ...request, payload });
  const isJson = String(response.headers["content-type"] ?? "").includes("json");
  return {
    status: response.statusCode,
    headers: response.headers,
    text: response.body,
    body: isJson ? JSON.parse(response.body) : undefined,
  };
}

/** Submits a run over HTTP and returns its summary. */
export async function submitted(scene: Scene, body: object = {}): Promise<RunSummary> {
  const reply = await ask(scene.app, scene.keys.submitter, "POST /v1/runs", { body });
  if (reply.status !== 201) throw new Error(reply.text);
  return reply.body as RunSummary;
}
