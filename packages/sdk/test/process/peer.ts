// A scripted peer: the server's side of the worker protocol, as far as a worker needs it.
// Promises: hands out the runs it was given once each, stores events and reports in memory, renews
// every lease unless told otherwise, pushes directives, and can go silent (`cut`) and come back.
// It decides nothing: no state machine, no clock. The real server is tested in its own package.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import type {
  Claim,
  Directive,
  EventsRequest,
  EventSubmission,
  HeartbeatRequest,
  Json,
  ReportsRequest,
  Report,
  Run,
} from "../../src/wire.ts";

export type PeerLease = { leaseMs: number; timeLeftMs: number | null };

export class Peer {
  readonly events = new Map<string, EventSubmission[]>();
  readonly reports: Report[] = [];
  readonly registrations: Json[] = [];
  /** Attempts whose leases are no longer renewed. */
  readonly fenced = new Set<string>();
  heartbeats = 0;
  /** True: every connection is dropped unanswered. */
  cut = false;
  lease: PeerLease = { leaseMs: 60_000, timeLeftMs: null };
  readonly #server: Server;
  readonly #queue: Claim[] = [];
  readonly #streams = new Set<ServerResponse>();
  #count = 0;

  constructor() {
    this.#server = createServer((request, response) => {
      if (this.cut) return void request.socket.destroy();
      void this.#answer(request, response).catch(() => request.socket.destroy());
    });
  }

  static async open(): Promise<Peer> {
    const peer = new Peer();
    await new Promise<void>((resolve) => peer.#server.listen(0, "127.0.0.1", resolve));
    return peer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Queues a run to be claimed. Returns its attempt id. */
  give(input: Json): string {
    this.#count += 1;
    const claim = claimOf(this.#count, input, this.lease);
    this.#queue.push(claim);
    return claim.attempt_id;
  }

  /** Sends a directive over every open stream. */
  direct(directive: Directive): void {
    const text = `event: directive\ndata: ${JSON.stringify(directive)}\n\n`;
    for (const stream of this.#streams) stream.write(text);
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Whether anybody is left who could send something, or has sent what is not read yet. */
  async isAlone(): Promise<boolean> {
    const count = promisify(this.#server.getConnections.bind(this.#server));
    return (await count()) === 0;
  }

  report(attemptId: string, kind: Report["kind"]): Report | undefined {
    return this.reports.find((each) => each.attempt_id === attemptId && each.kind === kind);
  }

  lines(attemptId: string): string[] {
    const events = this.events.get(attemptId) ?? [];
    return events
      .filter((each) => each.type === "log.line")
      .map((each) => String(each.data?.["text"]));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? "/", "http://peer").pathname;
    if (path.endsWith("/directives")) return this.#stream(response);
    const body = await readJson(request);
    if (this.cut) return void request.socket.destroy();
    const answer = await this.#reply(path, body);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer));
  }

  async #reply(path: string, body: never): Promise<unknown> {
    if (path.startsWith("/v1/runtimes/")) {
      this.registrations.push(body);
      return { id: "rt_1", name: "zoo", state: "online", deadline_s: 60 };
    }
    if (path === "/v1/claims") return { claims: await this.#claim(body) };
    if (path === "/v1/heartbeats") return this.#renew(body);
    if (path === "/v1/events") return this.#append(body);
    if (path === "/v1/reports") return this.#take(body);
    throw new Error(`the peer has no ${path}`);
  }

  async #claim(body: { free: number; wait_ms?: number }): Promise<Claim[]> {
    const end = performance.now() + Math.min(body.wait_ms ?? 0, 200);
    while (this.#queue.length === 0 && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.#queue.splice(0, body.free);
  }

  #renew(body: HeartbeatRequest): unknown {
    this.heartbeats += 1;
    const leases = body.leases.map(({ run_id, attempt_id, lease_ms }) =>
      this.fenced.has(attempt_id)
        ? { run_id, attempt_id, ok: false, code: "stale_fencing_token" }
        : { run_id, attempt_id, ok: true, lease_ms },
    );
    return { leases, directives: [] };
  }

  #append(body: EventsRequest): unknown {
    const results = body.items.map(({ attempt_id, events }) => {
      const stored = this.events.get(attempt_id) ?? [];
      stored.push(...events);
      this.events.set(attempt_id, stored);
      return { ok: true, last_seq: String(stored.length), stored: events.length };
    });
    return { results };
  }

  #take(body: ReportsRequest): unknown {
    this.reports.push(...body.items);
    return { results: body.items.map(({ run_id }) => ({ ok: true, run: { id: run_id } })) };
  }

  #stream(response: ServerResponse): void {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(": open\n\n");
    this.#streams.add(response);
    response.on("close", () => this.#streams.delete(response));
  }
}

function claimOf(count: number, input: Json, lease: PeerLease): Claim {
  const run = { id: `run_${count}`, runner: "default", input, checkpoint: null } as Run;
  return {
    run,
    attempt_id: `att_zoo_${process.pid}_${performance.now()}_${count}`,
    fencing_token: 1,
    attempt_number: 1,
    attempt_key: "sba_attempt_secret_0123456789",
    child_key: "sba_child_secret_0123456789",
    side_effect_token: `set_${count}`,
    agent: "zoo",
    account: null,
    lease_ms: lease.leaseMs,
    time_left_ms: lease.timeLeftMs,
    traceparent: null,
  };
}

async function readJson(request: IncomingMessage): Promise<never> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString("utf8");
  return (text === "" ? null : JSON.parse(text)) as never;
}
