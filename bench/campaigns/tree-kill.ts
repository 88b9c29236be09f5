// Cancel and kill of process agents that do not want to end.
// Promises: agents ignore SIGTERM, have grandchildren, change session, stop themselves; the time is
// taken from the request to the moment when no process of the run is left, found in /proc by the
// run's own id in the environment, not by the product's code. A third part of the agents loses its
// worker to SIGKILL.
// Leaves to others: descendants that clear their environment and change session (SDK tests).

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Campaign, House } from "../stage/campaign.ts";
import { inOneHouse, never, sound } from "../stage/campaign.ts";
import type { Measured } from "../stage/figures.ts";
import { markedWith } from "../stage/proc.ts";
import { allEnded, submitAll } from "../stage/submit.ts";
import { until } from "../stage/until.ts";

/** Shell scripts by their habit, and how many processes each consists of at least. */
const HABITS: Record<string, { script: string; least: number }> = {
  "ignores SIGTERM": { script: "trap '' TERM; while :; do sleep 1; done", least: 2 },
  "ignores SIGTERM, so do its grandchildren": {
    script: "trap '' TERM; sh -c 'sh -c \"sleep 900; :\" & sleep 900; :' & sleep 900; :",
    least: 5,
  },
  "grandchildren in sessions of their own": {
    script: "trap '' TERM; setsid sh -c 'sleep 900; :' & setsid -f sleep 900; sleep 900; :",
    least: 4,
  },
  "stops itself": { script: "trap '' TERM; sleep 900 & kill -STOP $$; wait", least: 2 },
  "many branches": {
    script:
      "trap '' TERM; f() { [ $1 -gt 0 ] && { f $(($1 - 1)) & f $(($1 - 1)) & }; sleep 900; }; f 3",
    least: 15,
  },
};

const ENDINGS = ["cancel", "kill", "worker killed"] as const;
type Ending = (typeof ENDINGS)[number];
type Agent = { run: string; habit: string; ending: Ending };

const treeOf = (run: string): number => markedWith(`SIGNALBOX_RUN_ID=${run}`).length;

function startWorker({ stage, server }: House, queue: string, agents: number): string {
  const path = join(stage.folder, "agent.sh");
  const cases = Object.entries(HABITS).map(([habit, { script }]) => `"${habit}") ${script} ;;`);
  writeFileSync(path, `case $1 in\n${cases.join("\n")}\nesac\n`);
  const words = ["worker", "--agent", queue, "--queue", queue, "--concurrency", String(agents)];
  stage.signalbox(queue, [...words, "--", "sh", path, "{input.habit}"], { server });
  return queue;
}

/** Milliseconds from the request to the end of the last process of the run. */
async function end({ server }: House, { run, ending }: Agent): Promise<number> {
  const began = performance.now();
  const body = { reason: "campaign" };
  if (ending !== "worker killed") {
    await server.wire("operator").must(`POST /v1/runs/${run}/${ending}`, { body });
  }
  await until(`the end of every process of ${run}`, () => treeOf(run) === 0, { limitMs: 30_000 });
  return performance.now() - began;
}

async function repetition(house: House, n: number): Promise<Measured> {
  const { stage, server, register } = house;
  const queue = `tree-kill-${n}`;
  const habits = stage.quick ? ["ignores SIGTERM, so do its grandchildren"] : Object.keys(HABITS);
  const wanted = habits.flatMap((habit) => ENDINGS.map((ending) => ({ habit, ending })));
  const start = (part: string, count: number): string =>
    startWorker(house, `${queue}-${part}`, count);
  const asked = start("asked", habits.length * 2);
  const orphaned = start("orphaned", habits.length);
  const queueOf = (ending: Ending): string => (ending === "worker killed" ? orphaned : asked);
  const items = wanted.map(({ habit, ending }) => {
    const to = queueOf(ending);
    return { queue: to, agent: to, max_attempts: 1, input: { habit } };
  });
  const ids = await submitAll(server.wire("submitter"), items);
  const agents = wanted.map((one, at) => ({ ...one, run: ids[at] ?? "" }));
  const grown = (agent: Agent): boolean => treeOf(agent.run) >= (HABITS[agent.habit]?.least ?? 1);
  await until("every tree has grown", () => agents.every(grown), { limitMs: 60_000, everyMs: 200 });
  const doomed = stage.processes.named(orphaned);
  const ends = agents.map((agent) => end(house, agent));
  doomed?.signal("SIGKILL");
  const tookMs = await Promise.all(ends);
  await allEnded(register, asked, 60_000);
  const longest = (ending: Ending): number =>
    Math.max(...tookMs.filter((_, at) => agents[at]?.ending === ending));
  const histories = await register.histories(asked);
  const causes = (cause: string): number =>
    histories.filter((run) => run.state === "cancelled" && run.end_cause === cause).length;
  return {
    trees: agents.length,
    cancel_ms: longest("cancel"),
    kill_ms: longest("kill"),
    worker_killed_ms: longest("worker killed"),
    not_cancelled: 2 * habits.length - causes("cancel") - causes("kill"),
    wrong_cause: Math.abs(causes("cancel") - habits.length),
    left_over: agents.reduce((sum, { run }) => sum + treeOf(run), 0),
  };
}

export const treeKill: Campaign = {
  name: "tree-kill",
  row: "cancel / kill of a process that ignores SIGTERM and has grandchildren",
  asked: "whole tree gone ≤ 12 s, run `cancelled`",
  reps: 4,
  quickReps: 1,
  limitS: 300,
  figures: {
    trees: { unit: "", summed: true, headline: true },
    cancel_ms: { unit: "ms", most: 12_000, timed: true, headline: true },
    kill_ms: { unit: "ms", most: 12_000, timed: true, headline: true },
    worker_killed_ms: { unit: "ms", most: 12_000, timed: true, headline: true },
    not_cancelled: { ...never, headline: true },
    wrong_cause: never,
    left_over: never,
    ...sound,
  },
  open: inOneHouse(repetition),
};
