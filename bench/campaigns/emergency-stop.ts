// Emergency stop with 200 live runs: of a project in even repetitions, of everything in odd ones.
// Promises: workers are plain HTTP clients with a directive stream each; every one of them goes on
// renewing and claiming after the stop; the server is killed and started again while it stands; a
// worker's key may not lift it; what is claimed afterwards has the checkpoint it had.
// Leaves to others: processes that are told to stop (tree-kill.ts).

import { inOneHouse, never, sound } from "../stage/campaign.ts";
import type { Campaign, House } from "../stage/campaign.ts";
import { EventSource } from "../stage/event-source.ts";
import type { Measured } from "../stage/figures.ts";
import { wallMs } from "../stage/operations.ts";
import { sleep, until } from "../stage/until.ts";
import { Wire } from "../stage/wire.ts";

const WORKERS = 20;
const LEASE_MS = 60_000;

type Held = {
  run: { id: string; checkpoint?: { at: string } | null };
  attempt_id: string;
  fencing_token: number;
};
type Worker = { name: string; wire: Wire; held: Held[]; stream: EventSource };
type Told = Map<string, { kind: string; at: number }>;

/** What a request brought; `answered` is false while the server is away. */
type Brought<T> = { answered: boolean; items: T[] };

async function claim(
  wire: Wire,
  runtime: string,
  queue: string,
  free: number,
): Promise<Brought<Held>> {
  const body = { runtime, queues: [queue], free, lease_ms: LEASE_MS, wait_ms: 0 };
  const { status, body: said } = await wire.ask<{ claims?: Held[] }>("POST /v1/claims", { body });
  return { answered: status > 0, items: said.claims ?? [] };
}

const fenceOf = ({ run, attempt_id, fencing_token }: Held) => ({
  run_id: run.id,
  attempt_id,
  fencing_token,
});

/** Renewals that went through, of those that were asked for. */
async function renew({ wire, name, held }: Worker): Promise<Brought<{ ok: boolean }>> {
  const body = { runtime: name, leases: held.map(fenceOf) };
  const asked = wire.ask<{ leases?: { ok: boolean }[] }>("POST /v1/heartbeats", { body });
  const { status, body: said } = await asked;
  return { answered: status > 0, items: (said.leases ?? []).filter(({ ok }) => ok) };
}

async function hire(house: House, name: string, told: Told): Promise<Worker> {
  const { server } = house;
  const admin = server.wire(name, false);
  const body = { name, roles: ["worker"] };
  const { key } = await admin.must<{ key: string }>("POST /v1/keys", { body });
  const wire = new Wire({ url: server.url, key, name });
  await wire.must(`PUT /v1/runtimes/${name}`, { body: {} });
  const stream = new EventSource({
    url: server.url,
    key,
    path: `/v1/runtimes/${name}/directives`,
    onMessage: ({ data, at }) => {
      const { kind, run_id } = JSON.parse(data) as { kind: string; run_id: string };
      if (!told.has(run_id)) told.set(run_id, { kind, at });
    },
  });
  await stream.opened;
  return { name, wire, held: [], stream };
}

/** Saves a checkpoint per run, as a worker does with its heartbeat. */
async function work(worker: Worker, queue: string, free: number): Promise<void> {
  const { wire, name } = worker;
  worker.held = (await claim(wire, name, queue, free)).items;
  const starts = worker.held.map((one) => ({ kind: "start", ...fenceOf(one) }));
  await wire.must("POST /v1/reports", { body: { items: starts } });
  const leases = worker.held.map((one) => ({ ...fenceOf(one), checkpoint: { at: one.run.id } }));
  await wire.must("POST /v1/heartbeats", { body: { runtime: name, leases } });
}

/** Goes on claiming and renewing while the stop stands; what went through. */
async function insist(workers: readonly Worker[], queue: string, phase: { isOver: boolean }) {
  const passed = { claims: 0, renewals: 0, asked: 0 };
  await Promise.all(
    workers.map(async (worker) => {
      while (!phase.isOver) {
        const renewed = await renew(worker);
        const claimed = await claim(worker.wire, worker.name, queue, 10);
        passed.renewals += renewed.items.length;
        passed.claims += claimed.items.length;
        passed.asked += Number(renewed.answered) + Number(claimed.answered);
        await sleep(50);
      }
    }),
  );
  return passed;
}

async function repetition(house: House, n: number): Promise<Measured> {
  const { stage, server, register } = house;
  const all = n % 2 === 1;
  const queue = `stop-${n}`;
  const live = stage.size(200, 40);
  const admin = server.wire("admin", false);
  const owner = new Wire({ url: server.url, key: server.ownerKey() });
  const told: Told = new Map();
  const workers = await Promise.all(
    Array.from({ length: WORKERS }, (_, at) => hire(house, `${queue}-w${at}`, told)),
  );
  const items = Array.from({ length: live }, () => ({ queue, max_attempts: 1 }));
  await admin.must("POST /v1/runs/batch", { body: { items } });
  for (const worker of workers) await work(worker, queue, live / WORKERS);
  const held = workers.flatMap((worker) => worker.held);
  const stopper = all ? owner : admin;
  const place = all ? "/v1/everything" : "/v1";
  const began = wallMs();
  await stopper.must(`POST ${place}/stop`, { body: { reason: "the campaign says so" } });
  const stoppedMs = wallMs() - began;
  const phase = { isOver: false };
  const insisting = insist(workers, queue, phase);
  await until("all are told", () => told.size >= live || null, { limitMs: 5_000 }).catch(() => {});
  await sleep(stage.size(3_000, 500));
  for (const { stream } of workers) stream.cut();
  const lifting = workers[0]?.wire.ask(`POST /v1/resume`, { body: { reason: "I want to work" } });
  const forbidden = (await lifting)?.status === 403;
  await server.kill9("every process");
  await server.restart();
  await sleep(stage.size(2_000, 500));
  phase.isOver = true;
  const passed = await insisting;
  const [row] = await register.rows<{ counted: number; pending: number }>(
    `select coalesce(sum(r.attempts_used), 0)::integer as counted,
       count(*) filter (where r.state = 'pending')::integer as pending
     from signalbox.run r join signalbox.run_spec s on s.run_id = r.id where s.queue = $1`,
    [queue],
  );
  await stopper.must(`POST ${place}/resume`, { body: { reason: "it is over" } });
  const again = await goOn(workers, queue, live);
  const late = held.map(({ run }) => (told.get(run.id)?.at ?? Infinity) - began);
  return {
    live: held.length,
    stop_answered_ms: stoppedMs,
    not_told: live - held.filter(({ run }) => told.get(run.id)?.kind === "stop").length,
    told_after_ms: Math.max(...late),
    asked_during_stop: passed.asked,
    claims_during_stop: passed.claims,
    renewals_during_stop: passed.renewals,
    attempts_counted: row?.counted ?? NaN,
    not_pending: live - (row?.pending ?? 0),
    worker_may_lift_it: forbidden ? 0 : 1,
    ...again,
  };
}

/** Claims all of them again and completes them. */
async function goOn(workers: readonly Worker[], queue: string, live: number): Promise<Measured> {
  const claims: Held[] = [];
  for (const { wire, name } of workers) {
    await wire.must(`PUT /v1/runtimes/${name}`, { body: {} });
    const { items: own } = await claim(wire, name, queue, live);
    claims.push(...own);
    const done = own.map((one) => ({ kind: "complete", output: null, ...fenceOf(one) }));
    if (done.length > 0) await wire.must("POST /v1/reports", { body: { items: done } });
  }
  const kept = claims.filter(({ run }) => run.checkpoint?.at === run.id).length;
  return { not_claimed_again: live - claims.length, checkpoints_lost: live - kept };
}

export const emergencyStop: Campaign = {
  name: "emergency-stop",
  row: "emergency stop with 200 live runs on 20 workers; the server killed while it stands",
  asked:
    "no claim or renewal after it; every worker told ≤ 1 s; no attempt counted; lifted by a " +
    "person only, runs go on from their checkpoints",
  step: "step-4",
  reps: 10,
  quickReps: 2,
  limitS: 600,
  figures: {
    live: { unit: "", least: 40, headline: true },
    stop_answered_ms: { unit: "ms" },
    not_told: never,
    told_after_ms: { unit: "ms", most: 1_000, timed: true, headline: true },
    asked_during_stop: { unit: "", least: 20, summed: true, headline: true },
    claims_during_stop: { ...never, headline: true },
    renewals_during_stop: { ...never, headline: true },
    attempts_counted: { ...never, headline: true },
    not_pending: never,
    worker_may_lift_it: never,
    not_claimed_again: never,
    checkpoints_lost: { ...never, headline: true },
    ...sound,
  },
  open: inOneHouse(repetition),
};
