// A receiver of webhooks for tests: an HTTP server on loopback that notes what it gets and answers
// as it is told. Leaves to others: checking signatures (the tests do, with other people's
// packages).

import { createServer } from "node:http";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { WebhookEvent } from "@signalbox/sdk";
import { afterAll } from "vitest";

export type Received = {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly event: WebhookEvent;
};

export type Receiver = {
  readonly url: string;
  readonly got: Received[];
  /** What it answers: a status, or whatever it wants to do with the response. */
  answer: (got: Received) => number | ((response: ServerResponse) => void);
  close: () => Promise<void>;
};

/** Listens on a free port. */
export async function openReceiver(): Promise<Receiver> {
  const got: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      const one = { headers: request.headers, body, event: JSON.parse(body) as WebhookEvent };
      got.push(one);
      const answer = receiver.answer(one);
      if (typeof answer === "function") answer(response);
      else response.writeHead(answer).end("noted");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/hook`,
    got,
    answer: () => 204,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return receiver;
}

/** Opens receivers that are closed after the tests of the file. */
export function useReceivers(): () => Promise<Receiver> {
  const all: Receiver[] = [];
  afterAll(() => Promise.all(all.map((one) => one.close())));
  return async () => {
    const one = await openReceiver();
    all.push(one);
    return one;
  };
}
