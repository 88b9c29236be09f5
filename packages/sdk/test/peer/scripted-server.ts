// A peer for the SDK's tests: a small HTTP server that answers as the test says.
// Promises: real sockets; every request is recorded before it is answered; `close` leaves nothing.
// Leaves to others: being a Signalbox server (tests against the real one live in the server
// package).

import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Recorded = {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  body: unknown;
  atMs: number;
};

export type Reply = (request: Recorded, response: ServerResponse) => unknown;

/** A running peer. `on` sets the reply of a route, `METHOD /path`, or of a prefix ending in `*`. */
export class Peer {
  readonly requests: Recorded[] = [];
  readonly #server: Server;
  readonly #routes = new Map<string, Reply>();
  #port = 0;

  constructor() {
    this.#server = createServer((message, response) => {
      void this.#answer(message, response);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  on(route: string, reply: Reply): this {
    this.#routes.set(route, reply);
    return this;
  }

  /** Requests of one route so far. */
  of(route: string): Recorded[] {
    return this.requests.filter(({ method, path }) => matches(route, `${method} ${path}`));
  }

  /** Listens; after a `close` on the same port again. */
  async listen(): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /** Cuts every connection and stops listening. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const url = new URL(message.url ?? "/", "http://peer");
    const request: Recorded = {
      method: message.method ?? "",
      path: decodeURIComponent(url.pathname),
      query: url.searchParams,
      headers: message.headers,
      body: text === "" ? undefined : JSON.parse(text),
      atMs: performance.now(),
    };
    this.requests.push(request);
    const name = `${request.method} ${request.path}`;
    const found = [...this.#routes].find(([route]) => matches(route, name));
    if (found === undefined) return problem(response, 404, "not_found");
    await found[1](request, response);
  }
}

function matches(route: string, name: string): boolean {
  return route.endsWith("*") ? name.startsWith(route.slice(0, -1)) : route === name;
}

/** Starts a peer. */
export async function startPeer(): Promise<Peer> {
  return await new Peer().listen();
}

/** Answers with JSON. */
export function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

/** Answers with a problem document. */
export function problem(
  response: ServerResponse,
  status: number,
  code: string,
  headers: { [name: string]: string } = {},
): void {
  response.writeHead(status, { "content-type": "application/problem+json", ...headers });
  response.end(JSON.stringify(problemOf(status, code)));
}

export function problemOf(status: number, code: string): { [fact: string]: unknown } {
  return {
    type: `https://signalbox.dev/problems/${code}`,
    title: code,
    status,
    detail: `the peer says ${code}`,
    code,
    retryable: status === 429 || status === 503,
    request_id: "req_1",
  };
}

/** Begins an event stream. */
export function stream(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(": open\n\n");
}

/** Waits until `check` gives something; fails after `ms`. */
export async function until<T>(check: () => T | undefined | false, ms = 30_000): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const value = check();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${check.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
