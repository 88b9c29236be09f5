// A receiver of webhooks: HTTP on loopback that can be away, and notes what comes and when.
// Promises: signatures are checked here with node:crypto alone; being away means that nobody
// listens on its port, which it has again afterwards.
// Leaves to others: what must have come (the campaigns).

import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

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
  readonly at: number;
};

type Body = { id: string; type: string; subject: string; feed?: string; outoforder?: boolean };

/** Whether one of the signatures is that of the secret. */
export function isSigned(
  headers: Readonly<Record<string, unknown>>,
  body: string,
  secret: string,
): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const text = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
  const right = `v1,${createHmac("sha256", key).update(text).digest("base64")}`;
  return String(headers["webhook-signature"]).split(" ").includes(right);
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
        this.arrivals.push({
          id: String(request.headers["webhook-id"]),
          event: body.id,
          type: body.type,
          stream: body.subject,
          feed: Number(body.feed),
          marked: body.outoforder === true,
          signed: isSigned(request.headers, text, this.secret),
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
