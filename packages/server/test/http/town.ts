// Two projects for tests of isolation: `default`, in which one of everything stands and every word
// that is shown carries a canary, and another with nothing.

import type { Claim } from "@signalbox/sdk";
import { roles } from "../../src/domain/key.ts";
import type { Role } from "../../src/domain/key.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { ask, must, submitted } from "./scene.ts";
import type { Reply, Scene } from "./scene.ts";

export const CANARY = "canary-7f3a91";
const word = (what: string): string => `${CANARY}-${what}`;

export type Town = {
  /** Ids and names of what stands in `default`, by the first word of the address. */
  readonly planted: { readonly [collection: string]: string };
  readonly claim: Claim;
  /** Keys of the other project, by role. */
  readonly foreign: Readonly<Record<Exclude<Role, "owner">, string>>;
};

const origin = { actor: "test", requestId: "test", traceparent: null };

/** Plants one of everything in the scene's project and makes another. */
export async function settle(scene: Scene): Promise<Town> {
  const { app, keys } = scene;
  const does = async (line: string, body: object = {}, as = keys.admin): Promise<Reply["body"]> => {
    const reply = await ask(app, as, line, { body });
    if (reply.status >= 300) throw new Error(`${line}: ${reply.text}`);
    return reply.body;
  };
  const [agent, queue] = [word("agent"), word("queue")];
  const account = word("account");
  await does(`PUT /v1/agents/${agent}`, { accounts: [account], description: word("description") });
  await does(`POST /v1/agents/${agent}/pause`, { reason: word("pause") });
  await does(`POST /v1/agents/${agent}/resume`);
  const runtime = { labels: { of: word("label") }, host: word("host") };
  await does(`PUT /v1/runtimes/${word("runtime")}`, runtime);
  const run = { queue, agent, input: { text: word("input") }, tags: [word("tag")] };
  await submitted(scene, { ...run, metadata: { of: word("metadata") }, thread_id: word("thread") });
  const claims = await does("POST /v1/claims", {
    runtime: word("runtime"),
    agents: [{ name: agent }],
    free: 1,
    lease_ms: 600_000,
  });
  const claim = claims.claims[0] as Claim;
  const fence = { attempt_id: claim.attempt_id, fencing_token: claim.fencing_token };
  const events = [{ type: "log.line", data: { text: word("line") } }];
  await does(`POST /v1/runs/${claim.run.id}/events`, { ...fence, events });
  const approval = await askedApproval(scene, does);
  const limit = { reason: "quota", message: word("limit") };
  await does(`POST /v1/accounts/${account}/exhausted`, limit);
  await does(`POST /v1/queues/${queue}/pause`, { reason: word("queue-reason") });
  const allowance = { scope: "agent", name: agent, metric: "runs", limit: 5, window: "day" };
  const [starts_at, ends_at] = [3, 4].map((h) => new Date(Date.now() + h * 3.6e6).toISOString());
  const slot = { agent, type: "work", starts_at, ends_at, title: word("slot") };
  const hook = { url: `https://example.org/${word("hook")}` };
  const webhook = (await does("POST /v1/webhooks", hook)).id;
  const key = await does("POST /v1/keys", { name: word("key"), roles: ["viewer"] });
  const { code } = await does("POST /v1/logins");
  const session = await does("POST /v1/sessions", { code });
  return {
    planted: {
      runs: claim.run.id,
      agents: agent,
      accounts: account,
      runtimes: word("runtime"),
      queues: queue,
      allowances: (await does("POST /v1/allowances", allowance)).id,
      slots: (await does("POST /v1/slots", slot)).id,
      keys: key.id,
      sessions: session.id,
      approvals: approval,
      webhooks: webhook,
      deliveries: (await does(`POST /v1/webhooks/${webhook}/test`)).id,
      "dead-letters": "0123456789abcdef",
    },
    claim,
    foreign: await keysOf(scene, "elsewhere"),
  };
}

/** Another run, which asks a person; the id of its question. */
async function askedApproval(
  scene: Scene,
  does: (line: string, body: object) => Promise<Reply["body"]>,
): Promise<string> {
  await submitted(scene, { queue: word("asking"), input: {} });
  const { claims } = await does("POST /v1/claims", {
    runtime: word("runtime"),
    queues: [word("asking")],
    free: 1,
    lease_ms: 600_000,
  });
  const claim = claims[0] as Claim;
  const fence = { attempt_id: claim.attempt_id, fencing_token: claim.fencing_token };
  await does(`POST /v1/runs/${claim.run.id}/start`, fence);
  const what = { title: word("title"), action: word("action"), arguments: { a: word("argument") } };
  const { approval } = await does(`POST /v1/runs/${claim.run.id}/approvals`, { ...fence, ...what });
  return approval.id;
}

async function keysOf({ engine }: Scene, name: string): Promise<Town["foreign"]> {
  const project = must(await engine.createProject(name, origin));
  const projectId = fromTypeId("prj", project.id) as string;
  const keys = {} as Record<Exclude<Role, "owner">, string>;
  for (const role of roles) {
    if (role === "owner") continue;
    const input = { name: role, roles: [role], expiresAt: null };
    keys[role] = (await engine.createKey(projectId, input, origin)).key;
  }
  return keys;
}
