// SIGSTOP beyond the lease, the run finished by another, SIGCONT: the old worker's writes.
// Promises: a trial is one lease; one stopped process holds many. Each says everything a worker can
// say with its old token, first of all `complete`: none may be accepted.
// Leaves to others: freezing of process agents before the lease ends (outage.ts).

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Campaign, House } from "../stage/campaign.ts";
import { inOneHouse, never, sound } from "../stage/campaign.ts";
import { Hands } from "../stage/crew.ts";
import type { Measured } from "../stage/figures.ts";
import { workerProgram } from "../stage/places.ts";
import { allEnded, submitAll } from "../stage/submit.ts";
import type { FrozenSettings, StaleWrite } from "../workers/frozen.ts";

const LEASE_MS = 2_000;

async function repetition(house: House, n: number): Promise<Measured> {
  const { stage, server, register } = house;
  const { url, credentials } = server;
  const queue = `stale-writes-${n}`;
  const runs = stage.size(50, 6);
  const go = join(stage.folder, `go-${n}`);
  const name = `frozen-${n}`;
  const leaseMs = stage.options.profile === "default" ? 20_000 : LEASE_MS;
  const settings = { url, key: credentials.key, name, queue, runs, leaseMs, go };
  const items = Array.from({ length: runs }, () => ({ queue, backoff: { base_ms: 50 } }));
  await submitAll(server.wire("submitter"), items);
  const frozen = stage.processes.start({
    name,
    command: process.execPath,
    args: [workerProgram("frozen"), JSON.stringify(settings satisfies FrozenSettings)],
  });
  await frozen.saysLine('"ready"');
  frozen.signal("SIGSTOP");
  const heir = await new Hands(
    stage.processes,
    {
      url,
      key: credentials.key,
      name: `heir-${n}`,
      queue,
      concurrency: runs,
      leaseMs: 20_000,
      heartbeatMs: 5_000,
      habit: "finish",
    },
    stage.log,
  ).ready();
  await allEnded(register, queue, leaseMs + 60_000);
  writeFileSync(go, "");
  frozen.signal("SIGCONT");
  await frozen.saysLine('"done"', 60_000);
  await Promise.all([frozen.stop(), heir.process.stop()]);
  const writes = frozen.output
    .map((line) => JSON.parse(line) as Partial<StaleWrite>)
    .filter(({ op }) => op !== undefined);
  const isStale = ({ status, code }: Partial<StaleWrite>): boolean =>
    status === 409 && code === "stale_fencing_token";
  const completes = writes.filter(({ op }) => op === "complete");
  for (const write of writes.filter((one) => !isStale(one)).slice(0, 3)) {
    if (write.status !== 401 && write.status !== 429) stage.say(`  ${JSON.stringify(write)}`);
  }
  const histories = await register.histories(queue);
  const taken = histories.filter(({ output }) => JSON.stringify(output) === '"stale"');
  return {
    trials: completes.length,
    refused_409: completes.filter(isStale).length,
    not_refused: completes.filter((one) => !isStale(one)).length + runs - completes.length,
    other_writes: writes.length - completes.length,
    writes_accepted: writes.filter(({ status = 0 }) => status < 400).length,
    stale_outputs: taken.length,
    not_one_terminal: histories.filter((run) => run.terminal_events !== 1).length,
    not_completed_by_heir: runs - heir.ended.length,
  };
}

export const staleWrites: Campaign = {
  name: "stale-writes",
  row: "stale writes: worker stopped (SIGSTOP) beyond its lease, 200 trials with a short lease",
  asked: "200 refused with 409 `stale_fencing_token`, exactly one terminal event each",
  reps: 4,
  quickReps: 1,
  limitS: 300,
  figures: {
    trials: { unit: "", summed: true, headline: true },
    refused_409: { unit: "", summed: true, headline: true },
    not_refused: { ...never, headline: true },
    other_writes: { unit: "", summed: true },
    writes_accepted: never,
    stale_outputs: never,
    not_one_terminal: { ...never, headline: true },
    not_completed_by_heir: never,
    ...sound,
  },
  open: inOneHouse(repetition),
};
