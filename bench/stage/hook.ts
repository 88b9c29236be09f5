// A receiver of webhooks: HTTP on loopback that can be away, and notes what comes and when.
// Promises: signatures are checked with the package `standardwebhooks` and bodies with
// `cloudevents`, none of the product's own code; being away means that nobody listens on its port,
// which it has again afterwards.
// Leaves to others: what must have come (the campaigns).

import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import { HTTP } from "cloudevents";
import type { CloudEvent } from "cloudevents";
import { Webhook } from "standardwebhooks";

import type { Stage } from "./stage.ts";

/** One delivery as it arrived. */
export type Arrival = {
  readonly id: string;
  readonly event: string;
  readonly type: string;
  readonly stream: string;
  readonly feed: number;
  readonly marked: boolean;
  readonly signed: boolean;
  readonly valid: boolean;
  readonly at: number;
};

type Body = { id: string; type: string; subject: string; feed?: string; outoforder?: boolean };

type Headers = Record<string, string>;

/** Whether it is signed for the secret, and not minutes ago, in the sense of Standard Webhooks. */
function isSigned(headers: Headers, body: string, secret: string): boolean {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

/** Whether headers and body are one CloudEvent with all that the specification asks for. */
function isCloudEvent(headers: Headers, body: string): boolean {
  try {
    return (HTTP.toEvent({ headers, body }) as CloudEvent).validate();
  } catch {
    return false;
  }
}

export class Hook {
  readonly arrivals: Arrival[] = [];
  secret = "";
  #server: Server;
  #port = 0;

  private constructor() {
    this.#server = this.#make();
  }

  static async open(stage: Stage): Promise<Hook> {
    const hook = new Hook();
    await hook.back();
    stage.afterwards(() => hook.away());
    return hook;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`;
  }

  /** Nobody listens from now on. */
  async away(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Listens again, on the same port. */
  async back(): Promise<void> {
    this.#server = this.#make();
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  #make(): Server {
    return createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        const body = JSON.parse(text) as Body;
        const headers = request.headers as Headers;
        this.arrivals.push({
          id: String(request.headers["webhook-id"]),
          event: body.id,
          type: body.type,
          stream: body.subject,
          feed: Number(body.feed),
          marked: body.outoforder === true,
          signed: isSigned(headers, text, this.secret),
          valid: isCloudEvent(headers, text),
          at: performance.now(),
        });
        response.writeHead(204).end();
      });
    });
  }
}

/** First arrivals of a stream that came after a later event of it and do not say so. */
export function disordered(arrivals: readonly Arrival[]): Arrival[] {
  const newest = new Map<string, number>();
  const seen = new Set<string>();
  return arrivals.filter(({ id, stream, feed, marked }) => {
    if (seen.has(id)) return false;
    seen.add(id);
    const before = newest.get(stream) ?? 0;
    newest.set(stream, Math.max(before, feed));
    return feed < before && !marked;
  });
}
