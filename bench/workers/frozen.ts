// A worker that is about to be stopped: claims runs, starts them, sleeps in the middle of its work
// and, when it wakes up, writes what it has without looking at the clock.
// `node frozen.js <settings as JSON>`. It looks for a file to begin to write, so that nothing but
// SIGSTOP and SIGCONT reaches it from outside.
// Promises: plain requests, nothing repeated; every answer is told as a line of JSON.
// Leaves to others: stopping and continuing it; finishing its runs meanwhile.

import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import type { Claim, ClaimResponse } from "@signalbox/sdk";

import { Wire } from "../stage/wire.ts";
import type { Reply } from "../stage/wire.ts";

export type FrozenSettings = {
  url: string;
  key: string;
  name: string;
  queue: string;
  runs: number;
  leaseMs: number;
  /** It writes once this file exists. */
  go: string;
};

/** What was tried with an old token, and what the server said. */
export type StaleWrite = { run: string; op: string; status: number; code: string | null };

const settings = JSON.parse(process.argv[2] ?? "{}") as FrozenSettings;
const { name, queue, runs, leaseMs } = settings;
const wire = new Wire({ url: settings.url, key: settings.key, name });

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function claimAll(): Promise<Claim[]> {
  const claims: Claim[] = [];
  while (claims.length < runs) {
    const free = runs - claims.length;
    const body = { runtime: name, queues: [queue], free, lease_ms: leaseMs, wait_ms: 5_000 };
    claims.push(...(await wire.must<ClaimResponse>("POST /v1/claims", { body })).claims);
  }
  return claims;
}

/** Everything a worker may say about a run, said with the token of a claim that is over. */
async function writeAll(claim: Claim): Promise<void> {
  const { attempt_id, fencing_token, attempt_key: key } = claim;
  const at = `POST /v1/runs/${claim.run.id}`;
  const fence = { attempt_id, fencing_token };
  const error = { code: "E-TEST", message: "too late" };
  const events = [{ type: "message.delta", producer_seq: 1, data: { text: "too late" } }];
  const told = (op: string, { status, code }: Reply): void =>
    tell({ run: claim.run.id, op, status, code } satisfies StaleWrite);
  told("complete", await wire.ask(`${at}/complete`, { body: { ...fence, output: "stale" } }));
  told("fail", await wire.ask(`${at}/fail`, { body: { ...fence, error } }));
  told("release", await wire.ask(`${at}/release`, { body: fence }));
  told("events", await wire.ask(`${at}/events`, { body: { ...fence, events } }));
  told("heartbeat", await wire.ask(`${at}/heartbeat`, { body: fence }));
  const own = { body: { ...fence, output: "stale" }, key };
  told("complete with the attempt's key", await wire.ask(`${at}/complete`, own));
}

await wire.must(`PUT /v1/runtimes/${name}`, { body: {} });
const claims = await claimAll();
for (const { run, attempt_id, fencing_token } of claims) {
  await wire.must(`POST /v1/runs/${run.id}/start`, { body: { attempt_id, fencing_token } });
}
tell({ ready: true });
while (!existsSync(settings.go)) await sleep(5);
for (const claim of claims) await writeAll(claim);
tell({ done: true });
