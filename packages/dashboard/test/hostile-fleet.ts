// A fleet of which every word is hostile: each field that anybody can write holds the corpus.
// Promises: made through the SDK alone, so nothing is there that a user could not make.
// Leaves to others: the words (`corpus.ts`), how they must look (`hostile.test.ts`).

import type { Signalbox } from "@signalbox/sdk";
import { Worker } from "@signalbox/sdk/worker";
import type { Attempt } from "@signalbox/sdk/worker";
import { corpus, hostile, hostileName, hostileNames, hostileShort } from "./corpus.ts";
import { longLine, seenAs, sendable } from "./corpus.ts";
import { until } from "./fleet.ts";
import type { Ids } from "./screens.ts";

export type HostileFleet = { readonly ids: Ids; readonly end: () => Promise<void> };

const agent = hostileName("agent");
const account = hostileName("account");
const queue = hostileName("queue");
const tags = hostileNames("tag").slice(0, 8);

export async function makeHostileFleet(client: Signalbox): Promise<HostileFleet> {
  await client.agents.register(agent, { accounts: [account], description: hostileShort("agent") });
  for (const name of hostileNames("agent").slice(1)) await client.agents.register(name, {});
  await client.accounts.register(account, { provider: hostileName("provider") });
  await client.allowances.create({
    scope: "agent",
    name: agent,
    metric: "tokens",
    limit: 1_000_000_000,
    window: "day",
  });
  let letGo = (): void => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  const worker = await startWorker(client, held);
  const submit = async (does: string): Promise<string> => {
    const input = { does, field: sendable(hostile("input")), corpus: corpus.map(sendable) };
    const metadata = { title: hostileShort("title") };
    return (await client.runs.submit({ agent, input, metadata, tags, queue, max_attempts: 1 })).id;
  };
  const [failed, completed, asking, live] = [
    await submit("fail"),
    await submit("complete"),
    await submit("ask"),
    await submit("stay"),
  ];
  await Promise.all([failed, completed].map((id) => client.runs.wait(id, { timeoutMs: 30_000 })));
  await until(client, live, ({ last_seq: seq }) => Number(seq) > 20);
  await until(client, asking, ({ state }) => state === "waiting_approval");
  const webhook = await standing(client);
  const [letters] = (await client.deadLetters.list()).items;
  const pending = await submit("wait");
  const end = async (): Promise<void> => {
    letGo();
    await worker.stop({ drainMs: 0 });
  };
  const group = letters?.fingerprint ?? "";
  return { ids: { failed, completed, live, pending, asking, group, webhook }, end };
}

/** What people and providers say: reasons, evidence, names of keys; the id of the webhook. */
async function standing(client: Signalbox): Promise<string> {
  await client.queues.pause(queue, { reason: hostileShort("queue.pause") });
  // Of what a provider said, the end is kept.
  await client.accounts.exhausted(account, {
    message: sendable(`usage limit reached ${corpus.join(" ")} ${seenAs("evidence")}`),
    reason: "quota",
    recovery_in_ms: 3_600_000,
  });
  await client.agents.pause(agent, { reason: hostileShort("agent.pause") });
  await client.keys.create({ name: hostileName("key"), roles: ["viewer"] });
  const { id } = await client.webhooks.create({
    url: `https://hooks.example/${encodeURI("<img src=x>")}`,
    description: hostileShort("webhook.description"),
    types: ["run.failed"],
  });
  await client.projects.stop({ reason: hostileShort("project.stop") });
  await client.projects.resume({ reason: hostileShort("audit.reason") });
  return id;
}

async function startWorker(client: Signalbox, held: Promise<void>): Promise<Worker> {
  const worker = new Worker(client, {
    agents: [agent],
    runtime: hostileName("runtime"),
    version: hostileName("version"),
    concurrency: 4,
    signals: false,
    onError: () => {},
  });
  worker.handle(async (attempt: Attempt) => {
    await talk(attempt);
    const { does } = attempt.run.input as { does: string };
    if (does === "fail") throw new Error(hostile("error"));
    if (does === "stay") await held;
    if (does === "ask") await attempt.approval(question);
    return { field: hostile("output"), long_line: longLine.slice(0, 900_000) };
  });
  await worker.start();
  return worker;
}

const question = {
  title: hostileShort("approval.title"),
  action: hostileName("approval.action"),
  arguments: {
    field: sendable(hostile("approval.arguments")),
    [corpus[0] ?? ""]: corpus.map(sendable),
  },
  risk: "high",
} as const;

async function talk(attempt: Attempt): Promise<void> {
  const call = { id: hostileName("tool"), name: hostile("tool") };
  await attempt.emit("tool.call.started", { ...call, arguments: hostile("tool.arguments") });
  await attempt.emit("x.note", { [hostile("event")]: hostile("event") });
  await attempt.log(longLine);
  await attempt.emit("message.delta", { text: longLine });
  for (const text of corpus) await attempt.log(text);
  await attempt.usage({ model: hostileName("model"), input_tokens: 3, cost_micros: 5 });
  await attempt.emit("message.completed", { text: hostile("message") });
  await attempt.log(hostile("line"));
}
