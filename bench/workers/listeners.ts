// Many SSE clients of one feed in a process of their own: `node listeners.js <settings as JSON>`.
// Promises: says `ready` when every connection is open; when told `end <feed>` it waits until every
// client has that number and tells what each was sent; every tenth client measures each event, from
// the instant the event carries to its arrival, the others count.
// Leaves to others: the load, the verdict (campaigns/sse-crowd.ts).

import { request } from "node:http";
import { createInterface } from "node:readline";

import { wallMs } from "../stage/operations.ts";
import { until } from "../stage/until.ts";

export type ListenersSettings = { url: string; key: string; clients: number; after: string };

export type Heard = {
  clients: number;
  /** Clients whose last number was the last one of the feed. */
  complete: number;
  /** Messages of all clients. */
  messages: number;
  /** Delays of the clients that measure, in milliseconds. */
  delays: number[];
};

type Client = { last: number; messages: number };

const settings = JSON.parse(process.argv[2] ?? "{}") as ListenersSettings;
const delays: number[] = [];
const ID = Buffer.from("id: ");

/** Messages of a chunk and the last number in it; a number cut in two is read with what follows. */
function count(client: Client, chunk: Buffer): void {
  for (let at = chunk.indexOf(ID); at >= 0; at = chunk.indexOf(ID, at + 4)) {
    if (at > 0 && chunk[at - 1] !== 10) continue;
    client.messages += 1;
    const end = chunk.indexOf(10, at);
    if (end > 0) client.last = Number(chunk.toString("latin1", at + 4, end));
  }
}

function measure(text: string): void {
  const now = wallMs();
  for (const [, at] of text.matchAll(/"at":"([^"]+)"/g)) delays.push(now - Date.parse(at ?? ""));
}

function connect(measures: boolean): Promise<Client> {
  const client: Client = { last: 0, messages: 0 };
  return new Promise((resolve, reject) => {
    const { url, key, after } = settings;
    const headers = {
      accept: "text/event-stream",
      authorization: `Bearer ${key}`,
      "last-event-id": after,
    };
    const sent = request(`${url}/v1/events`, { headers, agent: false }, (response) => {
      let rest: Buffer = Buffer.alloc(0);
      response.on("data", (chunk: Buffer) => {
        const whole = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        const end = whole.lastIndexOf("\n\n");
        if (end < 0) {
          rest = whole;
          return;
        }
        rest = whole.subarray(end + 2);
        const done = whole.subarray(0, end + 2);
        count(client, done);
        if (measures) measure(done.toString("utf8"));
      });
      resolve(client);
    });
    sent.on("error", reject);
    sent.end();
  });
}

const clients: Client[] = [];
for (let n = 0; n < settings.clients; n += 25) {
  const some = Math.min(25, settings.clients - n);
  const made = Array.from({ length: some }, (_, at) => connect((n + at) % 10 === 0));
  clients.push(...(await Promise.all(made)));
}
process.stdout.write("ready\n");

const lines = createInterface({ input: process.stdin });
for await (const line of lines) {
  const last = Number(/^end (\d+)$/.exec(line)?.[1]);
  const all = (): boolean => clients.every((one) => one.last >= last);
  await until("every client has all", all, { limitMs: 20_000 }).catch(() => {});
  const heard: Heard = {
    clients: clients.length,
    complete: clients.filter((one) => one.last === last).length,
    messages: clients.reduce((sum, one) => sum + one.messages, 0),
    delays,
  };
  process.stdout.write(`${JSON.stringify(heard)}\n`, () => process.exit(0));
}
