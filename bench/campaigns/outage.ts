// Server and database are gone for two leases while process agents live: they wait, frozen, and go
// on; nobody is punished for the silence that the house itself made.
// Promises: every process of server and database is killed; from one lease after that until the
// restart, each sample finds every agent stopped (state T in /proc); afterwards each goes on as the
// same process and finishes once.
// Leaves to others: workers cut off while others can still claim (stale-writes.ts).

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Campaign, House } from "../stage/campaign.ts";
import { inOneHouse, never, sound } from "../stage/campaign.ts";
import type { Measured } from "../stage/figures.ts";
import { markedWith } from "../stage/proc.ts";
import { allEnded, submitAll } from "../stage/submit.ts";
import { sleep, until } from "../stage/until.ts";

/** Notes its process and any SIGTERM, works until told to finish, answers with its process. */
const AGENT = `
note="$1/$SIGNALBOX_RUN_ID"
trap 'echo terminated >> "$note"' TERM
echo "$$" >> "$note"
while [ ! -e "$1/finish" ]; do sleep 1; done
echo "{\\"pid\\": $$}"
`;

const SAMPLE_MS = 100;
/** A busy machine may run a timer this late; agents freeze 10 % before the end of the lease. */
const LATE_MS = 300;

/** States of all processes of the agents, such as `TTST`. */
const statesOf = (mark: string): string =>
  markedWith(mark)
    .map(({ state }) => state)
    .join("");

type Watched = { running: number; samples: number };

/** Looks at the agents until the time is over. */
async function watch(mark: string, until: number): Promise<Watched> {
  const seen: Watched = { running: 0, samples: 0 };
  while (performance.now() < until) {
    const states = statesOf(mark);
    seen.running = Math.max(seen.running, states.replaceAll("T", "").length);
    seen.samples += 1;
    await sleep(SAMPLE_MS);
  }
  return seen;
}

async function repetition(house: House, n: number): Promise<Measured> {
  const { stage, server, register } = house;
  const queue = `outage-${n}`;
  const runs = stage.size(50, 4);
  const leaseMs = stage.options.profile === "default" ? 60_000 : stage.size(6_000, 3_000);
  const notes = stage.makeFolder(`notes-${n}`);
  const script = join(stage.folder, "agent.sh");
  writeFileSync(script, AGENT);
  const mark = `CAMPAIGN_AGENT=${queue}`;
  const serve = ["worker", "--agent", queue, "--queue", queue, "--concurrency", String(runs)];
  const command = ["--lease", String(leaseMs / 1_000), "--", "env", mark, "sh", script, notes];
  const worker = stage.signalbox(queue, [...serve, ...command], { server });
  const items = Array.from({ length: runs }, () => ({ queue, agent: queue }));
  const ids = await submitAll(server.wire("submitter"), items);
  const noteOf = (run: string): string => join(notes, run);
  const isLive = (): boolean => ids.every((run) => existsSync(noteOf(run)));
  await until("every agent works", isLive, { limitMs: 60_000 });
  await sleep(stage.random(n).between(0, leaseMs / 3));
  await server.kill9("every process");
  const downAt = performance.now();
  await sleep(leaseMs + LATE_MS);
  const frozen = await watch(mark, downAt + 2 * leaseMs);
  await server.restart();
  const downMs = performance.now() - downAt;
  const isGoingOn = (): boolean => !statesOf(mark).includes("T");
  await until("every agent goes on", isGoingOn, { limitMs: 30_000 });
  const wokeMs = performance.now() - downAt - downMs;
  writeFileSync(join(notes, "finish"), "");
  await allEnded(register, queue, 60_000);
  await worker.stop();
  const histories = await register.histories(queue);
  const pids = new Set(histories.map(({ output }) => (output as { pid?: number } | null)?.pid));
  const lines = ids.map((run) => readFileSync(noteOf(run), "utf8").trim().split("\n"));
  return {
    agents: runs,
    down_leases: downMs / leaseMs,
    running_while_lease_is_over: frozen.running,
    samples: frozen.samples,
    went_on_after_ms: wokeMs,
    attempts_lost: histories.reduce((sum, run) => sum + run.lost, 0),
    not_one_attempt: histories.filter(({ claims, counted }) => claims !== 1 || counted !== 1)
      .length,
    not_completed: runs - histories.filter(({ state }) => state === "completed").length,
    not_one_terminal: histories.filter((run) => run.terminal_events !== 1).length,
    killed_or_restarted: lines.filter((all) => all.length !== 1).length,
    other_process: lines.filter(([pid]) => !pids.has(Number(pid))).length,
  };
}

export const outage: Campaign = {
  name: "outage",
  row: "server and database down for 2 leases with 50 live process agents",
  asked: "no attempt lost, no agent killed (frozen and continued), each run finished once",
  reps: 3,
  quickReps: 1,
  limitS: 600,
  figures: {
    agents: { unit: "", summed: true, headline: true },
    down_leases: { unit: "", least: 2, headline: true },
    attempts_lost: { ...never, headline: true },
    killed_or_restarted: { ...never, headline: true },
    running_while_lease_is_over: { ...never, headline: true },
    samples: { unit: "", least: 3 },
    went_on_after_ms: { unit: "ms", headline: true },
    not_one_attempt: never,
    not_completed: never,
    not_one_terminal: { ...never, headline: true },
    other_process: never,
    ...sound,
  },
  open: inOneHouse(repetition),
};
