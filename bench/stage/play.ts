// How a bench is played: opened, repeated, judged, and its evidence put together.
// Promises: one that hangs ends as failed, not never; a fault ends it as failed with what was
// measured until then; seed, commit, machine and database stand in the evidence.
// Leaves to others: the command line (bench.ts), keeping (benchmarks.ts).

import { setTimeout as sleep } from "node:timers/promises";

import type { Campaign } from "./campaign.ts";
import { figuresOf, rounded } from "./figures.ts";
import type { Figure, Measured } from "./figures.ts";
import { commit, machine } from "./machine.ts";
import type { Machine } from "./machine.ts";
import { program, root } from "./places.ts";
import { Stage } from "./stage.ts";

/** What a bench has shown. */
export type Shown = {
  bench: string;
  row: string;
  asked: string;
  passed: boolean;
  /** Why it failed, when it did not come to figures. */
  fault: string | null;
  command: string;
  seed: number;
  commit: string;
  date: string;
  took_s: number;
  repetitions: number;
  machine: Machine;
  figures: Figure[];
  notes: string[];
};

/** With the pages it has written. */
export type Played = Shown & { documents: ReadonlyMap<string, string> };

export type Call = { reps: number | null; seed: number; quick: boolean };

async function repeat(
  bench: Campaign,
  stage: Stage,
  { reps, repetitions }: { reps: number; repetitions: Measured[] },
): Promise<void> {
  const began = performance.now();
  const opened = await bench.open(stage);
  for (let n = 0; n < reps; n += 1) {
    if (performance.now() - began > bench.limitS * 1_000) {
      throw new Error(`not done after ${bench.limitS} s: ${n} of ${reps}`);
    }
    const measured = await opened.repeat(n);
    repetitions.push(measured);
    const words = Object.entries(measured).map(([name, value]) => `${name} ${rounded(value)}`);
    stage.say(`  ${n + 1}/${reps}  ${words.join("  ")}`);
  }
  if (opened.close !== undefined) repetitions.push(await opened.close());
}

async function within<T>(work: Promise<T>, limitS: number): Promise<T> {
  const watchdog = new AbortController();
  const late = sleep(limitS * 1_000, null, { signal: watchdog.signal, ref: false }).then(() => {
    throw new Error(`hung: not done after ${limitS} s`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    watchdog.abort();
    late.catch(() => {});
  }
}

/** Plays one bench from its beginning to the end of everything it has started. */
export async function play(bench: Campaign, { reps: asked, seed, quick }: Call): Promise<Played> {
  const reps = asked ?? (quick ? bench.quickReps : bench.reps);
  const say = (line: string): void => console.log(line);
  say(`# ${bench.name}: ${bench.row}: ${bench.asked}`);
  say(`  seed ${seed}, commit ${commit()}, ${reps} repetitions${quick ? ", tiny counts" : ""}`);
  const stage = new Stage({ seed, profile: "default", quick, program, say });
  const on = machine();
  const began = performance.now();
  const repetitions: Measured[] = [];
  let fault: string | null = null;
  try {
    await within(repeat(bench, stage, { reps, repetitions }), bench.limitS + 120);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    // Evidence names no path of one machine.
    fault = words.replaceAll(root, ".");
    if (quick && error instanceof Error) say(`  ${error.stack}`);
  }
  const figures = figuresOf(bench.figures, repetitions, { quick });
  const passed = fault === null && figures.every((figure) => figure.passed);
  await stage.close({ keep: false });
  return {
    bench: bench.name,
    row: bench.row,
    asked: bench.asked,
    passed,
    fault,
    command: `npm run bench -- ${bench.name} --seed ${seed} --reps ${reps}`,
    seed,
    commit: commit(),
    date: new Date().toISOString(),
    took_s: Math.round((performance.now() - began) / 1_000),
    repetitions: reps,
    machine: { ...on, postgres: stage.postgres },
    figures,
    notes: [...new Set(stage.notes)],
    documents: stage.documents,
  };
}
