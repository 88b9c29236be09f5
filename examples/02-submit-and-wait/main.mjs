// @ts-check
// Submit a run, watch its events, take its output: client, worker and server in one program.
// Start it with: npm run build && node examples/02-submit-and-wait/main.mjs
// With SIGNALBOX_URL and SIGNALBOX_KEY it talks to your server instead of starting one.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Signalbox } from "@signalbox/sdk";
import { PermanentError, Worker } from "@signalbox/sdk/worker";
import { createSignalbox } from "signalbox";

const own = process.env.SIGNALBOX_URL === undefined ? await startServer() : null;
const signalbox = new Signalbox({
  url: own?.url ?? process.env.SIGNALBOX_URL ?? "",
  key: own?.key ?? process.env.SIGNALBOX_KEY ?? "",
});

// Usually a program of its own, on any machine.
const worker = new Worker(signalbox, { agents: ["counter"] });
worker.handle(async (attempt) => {
  const { input } = attempt;
  if (typeof input !== "string") throw new PermanentError("the input must be text");
  await attempt.log(`counting ${input.length} characters`);
  return { words: input.split(/\s+/).length, letters: input.replaceAll(/\P{L}/gu, "").length };
});
await worker.start();

const run = await signalbox.runs.submit({
  agent: "counter",
  input: "the quick brown fox jumps over the lazy dog",
});
for await (const event of run.events()) console.log(event.seq.padStart(2), event.type);
console.log(await run.result());

await worker.stop();
await own?.stop();

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
