// A model provider with a limit, as HTTP on loopback: good answers until the limit is met, then 429
// with the time until the reset, in headers and in words, then good answers again.
// Promises: every call is written down with the instants it came and was answered, by one clock;
// the
// limit ends at one instant, whatever is asked meanwhile.
// Leaves to others: understanding its answers (the product), what is asked of the calls
// (campaigns).

import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { wallMs } from "./operations.ts";
import type { Stage } from "./stage.ts";
import { sleep } from "./until.ts";

/** `status` 0: the connection was cut without an answer. */
export type Call = { readonly at: number; readonly endedAt: number; readonly status: number };

export type Limit = {
  /** Good answers before the limit is met. */
  readonly allowed: number;
  readonly resetMs: number;
  /** How long an answer takes, at most. */
  readonly takeMs: () => number;
  /** So many first calls after the reset are cut off without an answer. */
  readonly cutAfterReset: number;
};

type Season = { readonly limit: Limit; begun: number; cut: number; resetAt: number | null };

export class Provider {
  readonly #server: Server;
  readonly #calls: Call[] = [];
  readonly #season: Season;

  private constructor(limit: Limit) {
    this.#season = seasonOf(limit);
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(stage: Stage, limit: Limit): Promise<Provider> {
    const provider = new Provider(limit);
    provider.#server.listen(0, "127.0.0.1");
    await once(provider.#server, "listening");
    stage.afterwards(async () => {
      provider.#server.closeAllConnections();
      provider.#server.close();
    });
    return provider;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/messages`;
  }

  /** Calls that were answered or cut off, in the order in which they ended. */
  get calls(): readonly Call[] {
    return this.#calls;
  }

  /** When the limit ends; null until it was met. */
  get resetAt(): number | null {
    return this.#season.resetAt;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const at = wallMs();
    const season = this.#season;
    const { limit } = season;
    const isAllowed = season.begun < limit.allowed;
    season.begun += 1;
    await sleep(limit.takeMs());
    if (!isAllowed) season.resetAt ??= wallMs() + limit.resetMs;
    const { resetAt } = season;
    const leftMs = isAllowed || resetAt === null ? 0 : Math.ceil(resetAt - wallMs());
    // Whatever is answered after the reset is after it, also when it was asked before.
    const isCut = !isAllowed && leftMs <= 0 && season.cut < limit.cutAfterReset;
    if (isCut) season.cut += 1;
    const status = isCut ? 0 : leftMs > 0 ? 429 : 200;
    this.#calls.push({ at, endedAt: wallMs(), status });
    if (status === 0) response.destroy();
    else if (status === 429) refuse(response, leftMs);
    else accept(response);
  }
}

function seasonOf(limit: Limit): Season {
  return { limit, begun: 0, cut: 0, resetAt: null };
}

function refuse(response: ServerResponse, leftMs: number): void {
  const message = `Rate limit reached. Please try again in ${(leftMs / 1_000).toFixed(3)}s.`;
  response.writeHead(429, {
    "content-type": "application/json",
    "retry-after": String(Math.ceil(leftMs / 1_000)),
    "retry-after-ms": String(leftMs),
  });
  response.end(JSON.stringify({ error: { message, code: "rate_limit_exceeded" } }));
}

function accept(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ text: "done", usage: { input_tokens: 7, output_tokens: 5 } }));
}
