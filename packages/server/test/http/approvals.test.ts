// Approvals over HTTP and with the worker of the SDK: what goes in and out, who is refused what,
// and handlers that wait, are suspended, come back and find their answer.
// Promises: every answer is checked against its schema; real sockets for the SDK's part.
// Leaves to others: the law (test/domain), commits and races (test/engine).

import { ForbiddenError, isSignalboxError, Signalbox } from "@signalbox/sdk";
import type { Approval, Claim } from "@signalbox/sdk";
import { Worker } from "@signalbox/sdk/worker";
import type { Handler, WorkerOptions } from "@signalbox/sdk/worker";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { actionSha256 } from "../../src/domain/approval.ts";
import { ask, openScene, submitted } from "./scene.ts";
import type { Scene } from "./scene.ts";

let scene: Scene;
let client: Signalbox;
const workers: Worker[] = [];
let count = 0;

beforeAll(async () => {
  scene = await openScene();
  const url = await scene.app.listen({ host: "127.0.0.1", port: 0 });
  client = new Signalbox({ url, key: scene.keys.admin });
  await ask(scene.app, scene.keys.worker, "PUT /v1/runtimes/w1");
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop({ drainMs: 0 })));
});
afterAll(async () => {
  await scene?.close();
});

/** A claimed run that has begun. */
async function begun(): Promise<Claim> {
  const { app, keys } = scene;
  const queue = `q-${(count += 1)}`;
  await submitted(scene, { queue });
  const body = { runtime: "w1", queues: [queue], free: 1, lease_ms: 600_000 };
  const { claims } = (await ask(app, keys.worker, "POST /v1/claims", { body })).body;
  await ask(app, claims[0].attempt_key, `POST /v1/runs/${claims[0].run.id}/start`, {
    body: fenceOf(claims[0]),
  });
  return claims[0];
}
const fenceOf = ({ attempt_id, fencing_token }: Claim) => ({ attempt_id, fencing_token });
const question = { title: "Merge?", action: "merge", arguments: { pr: 42 } };
const asks = (key: string, { run }: Claim, body: object = question) =>
  ask(scene.app, key, `POST /v1/runs/${run.id}/approvals`, { body });

describe("asking over HTTP", () => {
  test("a child asks with its key alone, waits, and is told", async () => {
    const { app, keys } = scene;
    const claim = await begun();
    const { status, body } = await asks(claim.child_key, claim);
    expect([status, body.run_state]).toEqual([200, "waiting_approval"]);
    expect(body.approval).toMatchObject({ ...question, risk: "medium", status: "pending" });
    const at = `/v1/runs/${claim.run.id}/approvals/${body.approval.id}`;
    const waiting = ask(app, claim.child_key, `GET ${at}?wait_s=30`);
    await ask(app, keys.approver, `POST /v1/approvals/${body.approval.id}/approve`);
    expect((await waiting).body).toMatchObject({ status: "approved" });
    const wrong = { arguments: { pr: 43 } };
    const refused = await ask(app, claim.child_key, `POST ${at}/executed`, { body: wrong });
    expect([refused.status, refused.body.code]).toEqual([422, "approval_mismatch"]);
    const sha256 = actionSha256("merge", { pr: 42 });
    const done = await ask(app, claim.child_key, `POST ${at}/executed`, { body: { sha256 } });
    expect(done.body.executed_at).not.toBeNull();
  });

  test("as a report among others: the answer carries the question", async () => {
    const { app, keys } = scene;
    const claim = await begun();
    const fence = { run_id: claim.run.id, ...fenceOf(claim) };
    const items = [{ ...fence, kind: "await_approval", ...question, mode: "suspend" }];
    const { body } = await ask(app, keys.worker, "POST /v1/reports", { body: { items } });
    expect(body.results).toMatchObject([
      { ok: true, run: { state: "waiting_approval" }, approval: { mode: "suspend" } },
    ]);
  });

  test.each([
    ["no title", { action: "merge" }, "title"],
    ["an empty title", { ...question, title: "" }, "title"],
    ["an action with a line break", { ...question, action: "a\nb" }, "action"],
    ["arguments that are no object", { ...question, arguments: [1] }, "arguments"],
    ["an unknown risk", { ...question, risk: "mortal" }, "risk"],
    ["a hold of nothing", { ...question, hold_s: 0 }, "hold_s"],
    ["a wait of two days", { ...question, expires_in_s: 172_800 }, "expires_in_s"],
    ["an unknown policy", { ...question, on_expiry: "shrug" }, "on_expiry"],
    ["a fence without its token", { ...question, attempt_id: "att_1" }, "fencing_token"],
  ])("%s is refused by name", async (_, body, field) => {
    const claim = await begun();
    const reply = await asks(scene.keys.worker, claim, {
      ...fenceOf(claim),
      fencing_token: undefined,
      ...body,
    });
    expect([reply.status, reply.body.errors?.[0]?.field]).toEqual([400, field]);
  });

  test("arguments that nobody could judge are refused, not cut", async () => {
    const claim = await begun();
    const large = { ...question, arguments: { text: "x".repeat(40_000) } };
    const reply = await asks(claim.attempt_key, claim, large);
    expect([reply.status, reply.body.errors[0].field]).toEqual([413, "arguments"]);
  });
});

describe("answering over HTTP", () => {
  test("worker keys, attempt keys and child keys never decide, nor make links", async () => {
    const { app, keys } = scene;
    const claim = await begun();
    const { id } = (await asks(claim.attempt_key, claim)).body.approval as Approval;
    for (const key of [
      keys.worker,
      keys.submitter,
      keys.viewer,
      claim.attempt_key,
      claim.child_key,
    ]) {
      for (const verb of ["approve", "reject", "link"]) {
        const { status } = await ask(app, key, `POST /v1/approvals/${id}/${verb}`);
        expect(`${verb} ${status}`).toBe(`${verb} 403`);
      }
    }
    expect((await ask(app, keys.viewer, `GET /v1/approvals/${id}`)).body.status).toBe("pending");
  });

  test("the second is told who was first; a foreign or absent id is 404", async () => {
    const { app, keys } = scene;
    const claim = await begun();
    const { id } = (await asks(claim.attempt_key, claim)).body.approval as Approval;
    const edited = { comment: "this one", arguments: { pr: 7 } };
    const first = await ask(app, keys.approver, `POST /v1/approvals/${id}/approve`, {
      body: edited,
    });
    expect(first.body).toMatchObject({ comment: "this one", edited_arguments: { pr: 7 } });
    const second = await ask(app, keys.operator, `POST /v1/approvals/${id}/reject`);
    expect([second.status, second.body.code]).toEqual([409, "approval_decided"]);
    expect(second.body.decided_by).toBe(first.body.decided_by);
    const absent = "apr_01h455vb4pex5vsknk084sn02q";
    for (const line of [`GET /v1/approvals/${absent}`, `POST /v1/approvals/${absent}/approve`]) {
      expect((await ask(app, keys.operator, line)).status).toBe(404);
    }
  });

  test("the inbox filters, and pages the oldest first", async () => {
    const { app, keys } = scene;
    const claim = await begun();
    const { id } = (await asks(claim.attempt_key, claim, { ...question, risk: "high" })).body
      .approval as Approval;
    const line = `GET /v1/approvals?status=pending&risk=high&run_id=${claim.run.id}`;
    const { body } = await ask(app, keys.viewer, line);
    expect(body.items.map((one: Approval) => one.id)).toEqual([id]);
    const wrong = await ask(app, keys.viewer, "GET /v1/approvals?status=waiting");
    expect([wrong.status, wrong.body.errors[0].field]).toEqual([400, "status"]);
  });

  test.each([
    ["asc", ["1", "2", "3"]],
    ["desc", ["3", "2", "1"]],
  ])(
    "a list goes %s page by page, the waiting one among those that were decided",
    async (...one) => {
      const [order, expected] = one;
      const claim = await begun();
      for (const key of ["1", "2", "3"]) {
        const { body } = await asks(claim.attempt_key, claim, { ...question, key });
        if (key !== "3") await client.approvals.approve(body.approval.id);
      }
      const filter = { run_id: claim.run.id, order: order as "asc", limit: 1 };
      const keys: string[] = [];
      for await (const { key } of client.approvals.iterate(filter)) keys.push(key);
      expect(keys).toEqual(expected);
      const waiting = await client.approvals.list({ ...filter, status: "pending" });
      expect(waiting.items.map(({ key }) => key)).toEqual(["3"]);
    },
  );

  test("a callback link shows the question to whoever has it, and answers it once", async () => {
    const { app, keys } = scene;
    const claim = await begun();
    const { id } = (await asks(claim.attempt_key, claim)).body.approval as Approval;
    const { path } = (await ask(app, keys.approver, `POST /v1/approvals/${id}/link`)).body;
    for (let n = 0; n < 2; n += 1) {
      const shown = await ask(app, null, `GET ${path}`);
      expect(shown.body).toMatchObject({
        title: "Merge?",
        arguments: { pr: 42 },
        status: "pending",
      });
      expect(shown.headers["cache-control"]).toBe("no-store");
    }
    const wrong = await ask(app, null, `POST ${path}`, { body: { decision: "maybe" } });
    expect([wrong.status, wrong.body.errors[0].field]).toEqual([400, "decision"]);
    const body = { decision: "approve", comment: "by mail" };
    expect((await ask(app, null, `POST ${path}`, { body })).body.status).toBe("approved");
    for (const line of [`GET ${path}`, `POST ${path}`]) {
      const spent = await ask(app, null, line, { body });
      expect([spent.status, spent.body.code]).toEqual([409, "approval_decided"]);
      expect(spent.body).toMatchObject({ decision: "approved", by_link: true });
      expect(spent.text).not.toMatch(/by mail|decided_by|arguments/);
    }
  });
});

describe("a handler of the SDK", () => {
  async function work(handler: Handler<never>, options: WorkerOptions): Promise<void> {
    const worker = new Worker(client, { signals: false, onError: () => {}, ...options });
    workers.push(worker);
    await worker.handle(handler).start();
  }

  /** The question of a run, once there is one. */
  async function questionOf(runId: string): Promise<Approval> {
    const end = performance.now() + 45_000;
    for (;;) {
      const { items } = await client.approvals.list({ run_id: runId, status: "pending" });
      if (items[0] !== undefined) return items[0];
      if (performance.now() > end) throw new Error("nothing was asked");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  const merge: Handler<never> = async (attempt) => {
    const answer = await attempt.approval(question);
    if (!answer.approved) return { merged: false, why: answer.comment };
    const merged = await answer.execute(({ pr }) => pr);
    return { merged, by: answer.by, attempt: attempt.number };
  };

  test("waits under its lease, and executes what the person made of it", async () => {
    await work(merge, { agents: ["held"] });
    const run = await client.runs.submit({ agent: "held" });
    const { id } = await questionOf(run.id);
    await client.approvals.approve(id, { arguments: { pr: 7 } });
    expect(await run.result()).toMatchObject({ merged: 7, attempt: 1 });
    expect((await client.approvals.get(id)).executed_at).not.toBeNull();
  });

  test("is suspended, and its next attempt gets the answer from the same call", async () => {
    let began = 0;
    const handler: Handler<never> = async (attempt) => {
      began += 1;
      if (attempt.checkpoint === null) await attempt.saveCheckpoint({ step: 1 });
      const answer = await attempt.approval({ ...question, mode: "suspend" });
      return { approved: answer.approved, attempt: attempt.number, found: attempt.checkpoint };
    };
    await work(handler, { agents: ["suspended"] });
    const run = await client.runs.submit({ agent: "suspended", max_attempts: 1 });
    const { id } = await questionOf(run.id);
    await client.approvals.approve(id);
    const found = { step: 1 };
    expect(await run.result()).toEqual({ approved: true, attempt: 2, found });
    expect(began).toBe(2);
    const attempts = await client.runs.attempts(run.id);
    expect(attempts.map(({ cause, counted }) => `${cause} ${counted}`)).toEqual([
      "suspended false",
      "completed true",
    ]);
  });

  test("falls back to suspended when the hold is over", async () => {
    await work(
      async (attempt) => {
        const { approved } = await attempt.approval({ ...question, hold_s: 1 });
        return { approved, attempt: attempt.number };
      },
      { agents: ["patient"] },
    );
    const run = await client.runs.submit({ agent: "patient", max_attempts: 1 });
    const { id } = await questionOf(run.id);
    const end = performance.now() + 45_000;
    while ((await client.approvals.get(id)).hold_until !== null) {
      expect(performance.now()).toBeLessThan(end);
    }
    await client.approvals.approve(id);
    expect(await run.result()).toEqual({ approved: true, attempt: 2 });
  });

  test("hears of a rejection, and the run ends cancelled", async () => {
    let heard: unknown = null;
    await work(
      async (attempt) => {
        heard = await attempt.approval(question);
      },
      { agents: ["rejected"] },
    );
    const run = await client.runs.submit({ agent: "rejected" });
    const { id } = await questionOf(run.id);
    await client.approvals.reject(id, { comment: "no" });
    const done = await client.runs.wait(run.id);
    expect([done.state, done.end_cause, done.status_reason]).toEqual([
      "cancelled",
      "approval",
      "no",
    ]);
    await Promise.all(workers.splice(0).map((worker) => worker.stop()));
    expect(heard).toMatchObject({ approved: false, status: "rejected", comment: "no" });
  });

  test("that executes something else than was decided is stopped before it does", async () => {
    let executed = false;
    await work(
      async (attempt) => {
        const answer = await attempt.approval(question);
        if (!answer.approved) return null;
        answer.arguments.pr = 43;
        try {
          return await answer.execute(() => (executed = true));
        } catch (error) {
          return isSignalboxError(error, "approval_mismatch") ? "refused" : "other";
        }
      },
      { agents: ["sly"] },
    );
    const run = await client.runs.submit({ agent: "sly" });
    await client.approvals.approve((await questionOf(run.id)).id);
    expect([await run.result(), executed]).toEqual(["refused", false]);
  });

  test("a client with a worker's key cannot approve", async () => {
    const claim = await begun();
    const { id } = (await asks(claim.attempt_key, claim)).body.approval as Approval;
    const { url } = client.http.connection();
    const worker = new Signalbox({ url, key: scene.keys.worker });
    await expect(worker.approvals.approve(id)).rejects.toThrow(ForbiddenError);
  });
});
