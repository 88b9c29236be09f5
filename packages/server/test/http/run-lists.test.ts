// Looking for runs and for what they said: every filter of the list about runs as workers leave
// them, counts by state, events that are looked for among many, and what one run consumed.

import type { Claim, Event, RunCounts, RunSummary, UsageRow } from "@signalbox/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, openScene, submitted } from "./scene.ts";
import type { Reply, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
  for (const runtime of ["w1", "w2"]) {
    await ask(scene.app, scene.keys.worker, `PUT /v1/runtimes/${runtime}`, { body: {} });
  }
});
afterAll(async () => {
  await scene?.close();
});

const get = (path: string): Promise<Reply> => ask(scene.app, scene.keys.viewer, `GET ${path}`);

/** Claims the next run of a queue as this agent. */
async function claim(queue: string, agent: string, runtime = "w1"): Promise<Claim> {
  const body = { runtime, agents: [{ name: agent }], queues: [queue], free: 1, lease_ms: 600_000 };
  const { claims } = (await ask(scene.app, scene.keys.worker, "POST /v1/claims", { body })).body;
  expect(claims).toHaveLength(1);
  return claims[0];
}

async function own({ run, ...claimed }: Claim, verb: string, body: object = {}): Promise<void> {
  const { attempt_id, fencing_token, attempt_key: key } = claimed;
  const fenced = { body: { attempt_id, fencing_token, ...body } };
  const reply = await ask(scene.app, key, `POST /v1/runs/${run.id}/${verb}`, fenced);
  expect([reply.status, reply.text]).toEqual([200, expect.anything()]);
}

async function listed(query: string): Promise<string[]> {
  const { body, status } = await get(`/v1/runs?${query}`);
  expect([query, status, body.has_more]).toEqual([query, 200, false]);
  return body.items.map((run: RunSummary) => run.id);
}

describe("the list", () => {
  const ids: Record<"done" | "failed" | "addressed" | "claimed", string> = {
    done: "",
    failed: "",
    addressed: "",
    claimed: "",
  };
  beforeAll(async () => {
    ids.done = (await submitted(scene, { queue: "a", workspace_id: "ws", tags: ["t"] })).id;
    await own(await claim("a", "ann"), "complete", { output: 1 });
    // Tried by two agents on two runtimes, and failed at last.
    ids.failed = (await submitted(scene, { queue: "b", max_attempts: 5 })).id;
    await own(await claim("b", "ann"), "release");
    const error = { code: "E-MINE", message: "It broke." };
    await own(await claim("b", "bob", "w2"), "fail", { error, retryable: false });
    ids.addressed = (await submitted(scene, { queue: "c", agent: "ann" })).id;
    ids.claimed = (await submitted(scene, { queue: "d", bot_id: "b1" })).id;
    await own(await claim("d", "bob"), "start");
  });

  test("an agent has the runs it was asked for and has, not what it gave back", async () => {
    expect(await listed("agent=ann")).toEqual([ids.addressed, ids.done]);
    expect(await listed("agent=bob")).toEqual([ids.claimed, ids.failed]);
    expect(await listed("agent=cyd")).toEqual([]);
  });

  test("a runtime has the runs it had last", async () => {
    expect(await listed("runtime=w2")).toEqual([ids.failed]);
    expect(await listed("runtime=w1")).toEqual([ids.claimed, ids.done]);
  });

  test("states, one or several, whether waiting, under way or over", async () => {
    expect(await listed("state=pending")).toEqual([ids.addressed]);
    expect(await listed("state=running")).toEqual([ids.claimed]);
    expect(await listed("state=failed,completed")).toEqual([ids.failed, ids.done]);
    expect(await listed("state=running&state=pending&state=timeout")).toEqual([
      ids.claimed,
      ids.addressed,
    ]);
  });

  test("codes of errors, scopes and ends, and several at once", async () => {
    expect(await listed("error_code=E-MINE")).toEqual([ids.failed]);
    expect(await listed("workspace_id=ws")).toEqual([ids.done]);
    expect(await listed("bot_id=b1")).toEqual([ids.claimed]);
    expect(await listed("finished_after=2001-01-01T00:00:00Z")).toEqual([ids.failed, ids.done]);
    expect(await listed("finished_before=2001-01-01T00:00:00Z")).toEqual([]);
    expect(await listed("agent=bob&state=failed&runtime=w2")).toEqual([ids.failed]);
    expect(await listed("agent=ann&state=failed")).toEqual([]);
    expect(await listed("tag=t&queue=a&agent=ann&state=completed")).toEqual([ids.done]);
  });

  test("counts every state, and says up to where", async () => {
    const { counts, most }: RunCounts = (await get("/v1/runs/counts")).body;
    expect(most).toBe(10_000);
    expect(counts).toEqual({
      pending: 1,
      claimed: 0,
      running: 1,
      waiting_tool: 0,
      waiting_approval: 0,
      completed: 1,
      failed: 1,
      cancelled: 0,
      timeout: 0,
    });
  });

  test("counts a run that waits for a person and holds no lease", async () => {
    const { id } = await submitted(scene, { queue: "ask" });
    const held = await claim("ask", "ann");
    await own(held, "start");
    const question = { title: "Merge?", action: "merge", arguments: {}, mode: "suspend" };
    const { attempt_id, fencing_token } = held;
    const body = { attempt_id, fencing_token, key: "k", ...question };
    await ask(scene.app, held.attempt_key, `POST /v1/runs/${id}/approvals`, { body });
    expect((await get(`/v1/runs/${id}`)).body).toMatchObject({ state: "waiting_approval" });
    expect((await get("/v1/runs/counts")).body.counts.waiting_approval).toBe(1);
    expect(await listed("state=waiting_approval")).toEqual([id]);
  });
});

describe("events that are looked for", () => {
  let id = "";
  beforeAll(async () => {
    id = (await submitted(scene, { queue: "talk" })).id;
    const held = await claim("talk", "ann");
    await own(held, "start");
    const line = (text: string, more: object = {}) => ({
      type: "log.line",
      data: { text, ...more },
    });
    const events = [
      line('He said "Stop" and \\ left'),
      line("below zero", { stream: "stderr" }),
      { type: "tool.call.started", data: { id: "1", name: "Stopwatch" } },
      line("all is well", { level: "info" }),
      line("all is lost", { level: "WARN" }),
      { type: "x.mine", data: { deep: { inside: "stop" } } },
    ];
    await own(held, "events", { events });
  });

  const found = async (query: string): Promise<string[]> => {
    const { body, text } = await get(`/v1/runs/${id}/events?${query}`);
    expect(text).toContain("items");
    return body.items.map(({ type, data }: Event) => (data["text"] as string) ?? type);
  };

  test("by text of any case, in data and in types, whatever JSON makes of it", async () => {
    const said = 'He said "Stop" and \\ left';
    expect(await found("text=STOP")).toEqual([said, "tool.call.started", "x.mine"]);
    expect(await found(`text=${encodeURIComponent('"Stop" and \\')}`)).toEqual([said]);
    expect(await found("text=call.start")).toEqual(["tool.call.started"]);
    expect(await found("text=nowhere")).toEqual([]);
    expect(await found("text=%25")).toEqual([]);
  });

  test("by level, by source, and without types", async () => {
    expect(await found("level=warning")).toEqual(["below zero", "all is lost"]);
    expect(await found("source=host,operator")).toEqual(
      (await found("")).filter((one) => one.startsWith("run.")),
    );
    const rest = await found("source=runner&without=log.line&without=x.");
    expect(rest).toEqual(["tool.call.started"]);
  });

  test("page by page in both directions", async () => {
    for (const order of ["asc", "desc"]) {
      const seen: string[] = [];
      let cursor = "";
      do {
        const query = `order=${order}&text=all+is&limit=1${cursor}`;
        const { body } = await get(`/v1/runs/${id}/events?${query}`);
        seen.push(...body.items.map(({ data }: Event) => data["text"]));
        cursor = body.next_cursor === null ? "" : `&cursor=${body.next_cursor}`;
      } while (cursor !== "");
      const forward = ["all is well", "all is lost"];
      expect([order, seen]).toEqual([order, order === "asc" ? forward : forward.toReversed()]);
    }
  });

  test("as a stream too: the same ones", async () => {
    const url = await scene.app.listen({ host: "127.0.0.1", port: 0 });
    const leave = new AbortController();
    const response = await fetch(`${url}/v1/runs/${id}/events?text=stop&source=runner`, {
      headers: { authorization: `Bearer ${scene.keys.viewer}`, accept: "text/event-stream" },
      signal: leave.signal,
    });
    let text = "";
    for await (const chunk of response.body as ReadableStream<Uint8Array>) {
      text += new TextDecoder().decode(chunk);
      if (text.includes("x.mine")) break;
    }
    leave.abort();
    const types = [...text.matchAll(/^event: (.*)$/gm)].map(([, type]) => type);
    expect(types).toEqual(["log.line", "tool.call.started", "x.mine"]);
  });

  test.each([["level=loud"], ["source=nobody"], ["text="]])("refuses %s", async (query) => {
    expect((await get(`/v1/runs/${id}/events?${query}`)).status).toBe(400);
  });
});

test("usage of one run, by model, of its own alone", async () => {
  const ids: string[] = [];
  for (const model of ["opus", "sonnet"]) {
    ids.push((await submitted(scene, { queue: `use-${model}` })).id);
    const held = await claim(`use-${model}`, "ann");
    await own(held, "start");
    await own(held, "complete", { usage: { input_tokens: 7, model } });
  }
  const { items } = (await get(`/v1/usage?run=${ids[1]}`)).body as { items: UsageRow[] };
  expect(items.map(({ model, usage }) => [model, usage])).toEqual([
    ["sonnet", { input_tokens: 7 }],
  ]);
  expect((await get("/v1/usage?run=run_0")).status).toBe(400);
});
