// @ts-check
// A handler asks a person before it deletes anything. The person edits what is deleted and
// approves; a second run is suspended while it waits, and goes on in a new attempt with its
// checkpoint. Start it with: npm run build && node examples/05-approval/main.mjs

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Signalbox } from "@signalbox/sdk";
import { Worker } from "@signalbox/sdk/worker";
import { createSignalbox } from "signalbox";

const house = await startServer();
const signalbox = new Signalbox({ url: house.url, key: house.key });

/** @type {string[]} */
const deleted = [];
const worker = new Worker(signalbox, { agents: ["janitor"] });
worker.handle(async (attempt) => {
  const { files, mode } = /** @type {{ files: string[], mode: "hold" | "suspend" }} */ (
    attempt.input
  );
  if (attempt.checkpoint === null) await attempt.saveCheckpoint({ looked_at: files.length });
  const answer = await attempt.approval({
    title: `Delete ${files.length} files?`,
    action: "delete",
    arguments: { files },
    risk: "high",
    mode,
  });
  if (!answer.approved) return { deleted: 0 };
  // Refused by the server unless it is exactly what was approved.
  await answer.execute(({ files: approved }) => deleted.push(...approved));
  return { by: answer.by, attempt: attempt.number, checkpoint: attempt.checkpoint };
});
await worker.start();

const held = await signalbox.runs.submit({
  agent: "janitor",
  input: { files: ["a.log", "b.log", "payroll.xls"], mode: "hold" },
});
const question = await nextQuestion(held.id);
console.log(`${question.title} ${question.risk}`);
// Not that one.
await signalbox.approvals.approve(question.id, {
  arguments: { files: ["a.log", "b.log"] },
  comment: "keep the payroll",
});
await held.result();
console.log(`deleted: ${deleted.join(", ")}`);

const suspended = await signalbox.runs.submit({
  agent: "janitor",
  input: { files: ["c.log"], mode: "suspend" },
});
const second = await nextQuestion(suspended.id);
await signalbox.approvals.approve(second.id);
await suspended.result();
const run = await signalbox.runs.get(suspended.id);
console.log(`claimed ${run.fencing_token} times, attempts used: ${run.attempts_used}`);
console.log(`checkpoint: ${JSON.stringify(run.checkpoint)}`);

await worker.stop();
await house.stop();

/**
 * What a person would look at: the inbox.
 * @param {string} runId
 */
async function nextQuestion(runId) {
  for (;;) {
    const { items } = await signalbox.approvals.list({ status: "pending", run_id: runId });
    if (items[0] !== undefined) return items[0];
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A server on any free port; its data: a temporary folder, or the database of DATABASE_URL. */
async function startServer() {
  const dataDir = await mkdtemp(join(tmpdir(), "signalbox-example-"));
  const databaseUrl = process.env.DATABASE_URL;
  const server = await createSignalbox({ dataDir, ...(databaseUrl && { databaseUrl }) });
  const url = await server.listen({ host: "127.0.0.1", port: 0 });
  const stop = async () => {
    await server.stop();
    await rm(dataDir, { recursive: true });
  };
  return { url, key: server.cliKey ?? "", stop };
}
