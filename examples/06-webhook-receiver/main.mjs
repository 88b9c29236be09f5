// @ts-check
// A receiver of webhooks: checks the signature, does each delivery once, answers at once.
// Start it with: npm run build && node examples/06-webhook-receiver/main.mjs

import { createServer } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Signalbox, verifyWebhook } from "@signalbox/sdk";
import { createSignalbox } from "signalbox";

/** Ids of deliveries that were done. A real receiver keeps them for ten minutes at least. */
const done = new Set();
let secret = "";
/** @type {(type: string) => void} */
let heard = () => {};

const receiver = createServer((request, response) => void receive(request, response));

/**
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 */
async function receive(request, response) {
  try {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const event = await verifyWebhook(request.headers, body, secret);
    const id = request.headers["webhook-id"];
    response.writeHead(204).end();
    if (done.has(id)) return; // it came again: the answer to the first one was lost
    done.add(id);
    console.log(`${event.type} of ${event.subject.slice(0, 4)}…, signed`);
    heard(event.type);
  } catch (error) {
    response.writeHead(400).end(String(error));
  }
}

await new Promise((resolve) => receiver.listen(0, "127.0.0.1", () => resolve(null)));
const address = receiver.address();
const port = typeof address === "object" ? address?.port : 0;

const dataDir = await mkdtemp(join(tmpdir(), "signalbox-example-"));
const databaseUrl = process.env.DATABASE_URL;
const server = await createSignalbox({ dataDir, ...(databaseUrl && { databaseUrl }) });
const url = await server.listen({ host: "127.0.0.1", port: 0 });
const key = await server.makeOwnerKey();
const signalbox = new Signalbox({ url, key });

// On loopback, so the owner has to allow it; your own would be https and public.
const hook = await signalbox.webhooks.create({
  url: `http://127.0.0.1:${port}/hook`,
  types: ["run.submitted", "run.cancelled"],
  allow_private: true,
});
secret = hook.secret;

const cancelled = new Promise((resolve) => {
  heard = (type) => type === "run.cancelled" && resolve(null);
});
const run = await signalbox.runs.submit({ input: "nobody does this" });
await run.cancel({ reason: "only an example" });
await cancelled;

await signalbox.webhooks.delete(hook.id);
await server.stop();
receiver.closeAllConnections();
receiver.close();
await rm(dataDir, { recursive: true });
