// A peer that speaks the worker protocol: hands out what the test queues, records what comes back.
// Promises: claims are held open until there is work, as a long poll is; every report is accepted
// unless the test decides otherwise; the order of arrival over all routes is kept in `journal`.
// Leaves to others: rules of runs (there are none here).

import type { ServerResponse } from "node:http";

import type {
  Claim,
  ClaimRequest,
  Directive,
  EventsRequest,
  EventSubmission,
  HeartbeatRequest,
  Json,
  Report,
  ReportsRequest,
  Run,
} from "../../src/index.ts";
import { json, problem, problemOf, startPeer, stream } from "./scripted-server.ts";
import type { Peer, Recorded } from "./scripted-server.ts";

export type Refusal = [status: number, code: string];
export type WorkerPeer = {
  peer: Peer;
  /** `start 1`, `events 1: log.line#1 …`, `complete 1`, `offline` … in order of arrival. */
  journal: string[];
  reports: Report[];
  /** Events that were taken, of all runs. */
  events: EventSubmission[];
  /** Lease not ok any more: attempt ids. */
  lost: Set<string>;
  /** What a report of this kind is refused with: `complete` → `[409, "already_terminal"]`. */
  refuse: Map<Report["kind"], Refusal>;
  /** What the next claims are refused with, one each. */
  refuseClaims: Refusal[];
  /** What a piece of events is refused with; null: it is taken. */
  refuseEvents: (events: readonly EventSubmission[]) => Refusal | null;
  /** Hands out runs 1, 2 … with these inputs. */
  give(...inputs: Json[]): void;
  direct(directive: Directive): void;
  beats(): HeartbeatRequest[];
  claims(): ClaimRequest[];
};

export const attemptOf = (n: number) => ({ run_id: `run_${n}`, attempt_id: `att_${n}` });

/** Starts the peer. */
export async function startWorkerPeer(): Promise<WorkerPeer> {
  const peer = await startPeer();
  const ready: Claim[] = [];
  const waiting: { request: ClaimRequest; response: ServerResponse }[] = [];
  const streams: ServerResponse[] = [];
  let given = 0;
  const handOut = (): void => {
    const next = waiting.shift();
    if (next === undefined) return;
    const claims = ready.splice(0, next.request.free);
    for (const claim of claims) claim.lease_ms = next.request.lease_ms ?? 60_000;
    json(next.response, { claims });
  };
  const box: WorkerPeer = {
    peer,
    journal: [],
    reports: [],
    events: [],
    lost: new Set(),
    refuse: new Map(),
    refuseClaims: [],
    refuseEvents: () => null,
    give(...inputs) {
      for (const input of inputs) ready.push(claimOf((given += 1), input));
      handOut();
    },
    direct(directive) {
      for (const response of streams) {
        response.write(`event: directive\ndata: ${JSON.stringify(directive)}\n\n`);
      }
    },
    beats: () => peer.of("POST /v1/heartbeats").map(({ body }) => body as HeartbeatRequest),
    claims: () => peer.of("POST /v1/claims").map(({ body }) => body as ClaimRequest),
  };
  peer.on("PUT /v1/runtimes/*", ({ body }, response) => {
    const { state } = body as { state: string };
    box.journal.push(state);
    json(response, { state });
    // A draining runtime is answered at once, with nothing.
    if (state === "draining") for (const { response: held } of waiting.splice(0)) empty(held);
  });
  peer.on("GET /v1/runtimes/*", (_, response) => {
    stream(response);
    streams.push(response);
  });
  peer.on("POST /v1/claims", ({ body }, response) => {
    const refusal = box.refuseClaims.shift();
    if (refusal !== undefined) return problem(response, ...refusal);
    waiting.push({ request: body as ClaimRequest, response });
    if (ready.length > 0) handOut();
  });
  peer.on("POST /v1/heartbeats", ({ body }, response) => answerBeat(box, { body, response }));
  peer.on("POST /v1/reports", (request, response) => answerReports(box, { request, response }));
  peer.on("POST /v1/events", ({ body }, response) => {
    const results = (body as EventsRequest).items.map(({ events, run_id }) => {
      const list = events.map(({ producer_seq, type }) => `${type}#${producer_seq}`);
      const refusal = box.refuseEvents(events);
      const what = refusal === null ? "events" : "refused";
      box.journal.push(`${what} ${run_id.slice(4)}: ${list.join(" ")}`);
      if (refusal !== null) return { ok: false, problem: problemOf(...refusal) };
      box.events.push(...events);
      return { ok: true, last_seq: "1", stored: events.length };
    });
    json(response, { results });
  });
  return box;
}

function empty(response: ServerResponse): void {
  json(response, { claims: [] });
}

function answerBeat(
  box: WorkerPeer,
  { body, response }: { body: unknown; response: ServerResponse },
): void {
  const leases = (body as HeartbeatRequest).leases.map(({ attempt_id, run_id }) =>
    box.lost.has(attempt_id)
      ? { run_id, attempt_id, ok: false, code: "stale_fencing_token" }
      : { run_id, attempt_id, ok: true },
  );
  json(response, { leases, directives: [] });
}

function answerReports(
  box: WorkerPeer,
  { request, response }: { request: Recorded; response: ServerResponse },
): void {
  const { items } = request.body as ReportsRequest;
  const results = items.map((report) => {
    box.reports.push(report);
    box.journal.push(`${report.kind} ${report.run_id.slice(4)}`);
    const refusal = box.refuse.get(report.kind);
    if (refusal !== undefined) return { ok: false, problem: problemOf(...refusal) };
    return { ok: true, run: { id: report.run_id, state: "running" } };
  });
  json(response, { results });
}

function claimOf(n: number, input: Json): Claim {
  const run = { id: `run_${n}`, runner: "default", input, checkpoint: null, fencing_token: 1 };
  return {
    run: run as unknown as Run,
    attempt_id: `att_${n}`,
    fencing_token: 1,
    attempt_number: 1,
    attempt_key: "sba_1",
    child_key: "sba_child",
    side_effect_token: `side_${n}`,
    agent: "reviewer",
    account: "acme/max-1",
    lease_ms: 60_000,
    time_left_ms: null,
    traceparent: null,
  };
}
