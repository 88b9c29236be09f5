// @ts-check
// Two agents, each with a provider account of its own. The first account runs into its limit: the
// run goes on with the other one, and costs no attempt for it.
// Start it with: npm run build && node examples/04-provider-limits/main.mjs

import { createServer } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Signalbox } from "@signalbox/sdk";
import { Worker } from "@signalbox/sdk/worker";
import { createSignalbox } from "signalbox";

const house = await startServer();
const signalbox = new Signalbox({ url: house.url, key: house.key });
const provider = await startProvider();

await signalbox.agents.register("ada", { accounts: ["acme/1"], capabilities: ["answer"] });
await signalbox.agents.register("bob", { accounts: ["acme/2"], capabilities: ["answer"] });

const worker = new Worker(signalbox, { agents: ["ada", "bob"], capabilities: ["answer"] });
worker.handle(async (attempt) => {
  const url = `${provider.url}/${attempt.account}`;
  const response = await fetch(url, { method: "POST", signal: attempt.signal });
  // Why and until when is read from its status, headers and (where given) body.
  if (!response.ok) {
    const { headers, status } = response;
    throw attempt.exhausted({ status, headers, message: await response.text() });
  }
  const { answer, tokens } = await response.json();
  void attempt.usage({ model: "m-1", output_tokens: tokens });
  return { answer, account: attempt.account };
});
await worker.start();

const run = await signalbox.runs.submit({ requires: ["answer"], input: "what is six by seven?" });
await run.result();
for (const attempt of await signalbox.runs.attempts(run.id)) {
  console.log(`attempt ${attempt.number}: ${attempt.cause ?? attempt.state}, ${attempt.account}`);
}
for await (const account of signalbox.accounts.iterate()) {
  for (const limit of account.exhaustions) console.log(account.name, limit.reason, limit.state);
}

await worker.stop();
await provider.stop();
await house.stop();

/** Stands for a provider. Whoever asks first has used up its hour. */
async function startProvider() {
  /** @type {string | undefined} */
  let limited;
  const server = createServer((request, response) => {
    limited ??= request.url;
    if (request.url === limited) {
      response.writeHead(429, { "retry-after": "3600" });
      response.end(JSON.stringify({ error: { type: "rate_limit_error", message: "slow down" } }));
    } else response.end(JSON.stringify({ answer: 42, tokens: 7 }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${port}`, stop };
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
