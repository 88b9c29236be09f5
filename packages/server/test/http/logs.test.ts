// The log of a server at its most talkative, while secrets stand in every place a request has: none
// of them is in any line, and no text from outside makes a line of its own.

import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jsonLogger } from "../../src/cli/log.ts";
import { ask, openScene, submitted } from "./scene.ts";
import type { Scene } from "./scene.ts";

let scene: Scene;
const written: string[] = [];
const sink = new PassThrough();
sink.on("data", (chunk: Buffer) => written.push(chunk.toString()));
const logger = jsonLogger("debug", sink);

beforeAll(async () => {
  scene = await openScene({ logger }, { logger });
});
afterAll(async () => {
  await scene?.close();
});

type Line = { level: number; msg: string; request_id?: string; [name: string]: unknown };

/** Every line so far; each must be one JSON object. */
function lines(): Line[] {
  return written
    .join("")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}

/** What must be in no line. */
const canary = "cnry0123456789";
const hostile = `x\n{"level":50,"msg":"forged"}\r\n\u2028\u001b[2J`;

describe("secrets", () => {
  test("in headers, addresses, bodies, names, events and errors are in no line", async () => {
    const { app, keys, engine, projectId } = scene;
    const wrong = [
      `Bearer sbx_${canary}_${canary}`,
      `Basic ${canary}`,
      canary,
      `Bearer sba_${canary}`,
    ];
    for (const authorization of wrong) {
      await ask(app, null, "GET /v1/runs", { headers: { authorization } });
    }
    const headers = {
      cookie: `session=${canary}`,
      "x-api-key": canary,
      "signalbox-project": canary,
      "idempotency-key": canary,
      "last-event-id": canary,
      traceparent: canary,
      "x-request-id": `${canary} with blanks`,
      origin: `https://u:${canary}@evil.example`,
    };
    await ask(app, keys.owner, `GET /v1/runs?token=${canary}&text=${canary}`, { headers });
    await ask(app, keys.owner, `GET /v1/runs/${canary}`, {});
    await ask(app, keys.owner, `POST /v1/${canary}?key=${canary}`, { body: { a: canary } });
    await ask(app, keys.submitter, "POST /v1/runs", { body: `{"input": "${canary}` });
    await ask(app, keys.submitter, "POST /v1/runs", { body: { [canary]: canary, queue: 7 } });
    const named = `secret-${canary}`;
    const spec = {
      queue: named,
      agent: named,
      runner: named,
      tags: [named],
      input: { secret: canary },
      metadata: { secret: canary },
      authorization: { secret: canary },
      idempotency_key: named,
    };
    const run = await submitted(scene, spec);
    await ask(app, keys.worker, `PUT /v1/runtimes/${named}`, { body: { runners: [named] } });
    const wanted = { runtime: named, runners: [named], agents: [{ name: named }], free: 1 };
    const answer = await ask(app, keys.worker, "POST /v1/claims", { body: wanted });
    const [claim] = answer.body.claims;
    expect(claim.run.id).toBe(run.id);
    const { attempt_id, fencing_token, attempt_key, child_key } = claim;
    const fence = { attempt_id, fencing_token };
    const events = [{ type: "log.line", producer_seq: 1, data: { text: canary } }];
    await ask(app, attempt_key, `POST /v1/runs/${run.id}/events`, { body: { ...fence, events } });
    // Through the door that cleans texts no NUL comes; here the database itself refuses a value.
    const origin = { actor: "test", requestId: "test", traceparent: null };
    const bad = { type: "log.line", data: { text: `${canary} \u0000` } };
    const uuid = claim.run.id;
    const { fromTypeId } = await import("../../src/std/ids.ts");
    const item = {
      runId: fromTypeId("run", uuid) ?? "",
      fence: { attemptId: fromTypeId("att", attempt_id) ?? "", token: fencing_token },
      events: [bad],
    };
    await engine.append(projectId, [item], origin);
    const error = { code: "E", message: canary, detail: { secret: canary } };
    await ask(app, keys.worker, `POST /v1/runs/${run.id}/fail`, { body: { ...fence, error } });

    const text = written.join("");
    expect(lines().some(({ msg }) => msg === "a flush failed for one item")).toBe(true);
    expect(text).not.toContain(canary);
    for (const secret of [...Object.values(keys), attempt_key, child_key]) {
      expect(text).not.toContain(secret);
    }
  });
});

describe("one request", () => {
  test("is one line: id, route, status, duration, actor, project, what it is about", async () => {
    const { app, keys, projectId } = scene;
    const run = await submitted(scene);
    const before = lines().length;
    const { headers } = await ask(app, keys.viewer, `GET /v1/runs/${run.id}?x=${canary}`);
    const added = lines().slice(before);
    expect(added).toHaveLength(1);
    expect(added[0]).toMatchObject({
      level: 20,
      msg: "request answered",
      request_id: headers["x-request-id"],
      method: "GET",
      route: "/v1/runs/:id",
      project: projectId,
      about: run.id,
    });
    expect(added[0]?.["actor"]).toMatch(/^key:/);
    expect(added[0]?.["ms"]).toBeGreaterThanOrEqual(0);
  });

  test("cannot write a line of its own, whatever it names", async () => {
    const { app, keys } = scene;
    const before = lines().length;
    let asked = 0;
    for (const place of ["GET /v1/runs/", "GET /v1/agents/", "GET /"]) {
      await ask(app, keys.viewer, `${place}${encodeURIComponent(hostile)}`);
      asked += 1;
    }
    await ask(app, keys.viewer, "GET /v1/runs", { headers: { "x-request-id": "a b{}" } });
    await submitted(scene, { queue: "plain", input: { hostile } });
    asked += 2;
    const added = lines().slice(before);
    expect(added).toHaveLength(asked);
    expect(added.map(({ msg }) => msg)).toEqual(added.map(() => "request answered"));
    expect(JSON.stringify(added)).not.toContain("forged");
  });
});

test("a text from outside that is logged stays inside its line", () => {
  const before = lines().length;
  logger.error({ err: new Error(hostile), [hostile]: hostile }, hostile);
  const added = lines().slice(before);
  expect(added).toHaveLength(1);
  expect(added[0]?.level).toBe(50);
});
