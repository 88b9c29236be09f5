// The limit parser: what it concludes from a corpus of real messages, and what hostile ones cost.
// Promises: the corpus is scored by its own program, with the built parser, in a process of its
// own;
// it is not part of the repository: where it does not lie beside it, only the cost is measured, and
// the evidence says so. Hostile texts are those of `npm run bench:limits`, 1 MiB each.
// Leaves to others: single texts and what is concluded (packages/server/test/domain/limit-notice).

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { never } from "../stage/campaign.ts";
import type { Campaign } from "../stage/campaign.ts";
import type { FigureKind, Measured } from "../stage/figures.ts";
import { root } from "../stage/places.ts";
import type { Stage } from "../stage/stage.ts";

const run = promisify(execFile);
const corpus = join(root, "../shared/ratelimits");
const scorer = join(corpus, "score.mjs");
const set = join(corpus, "dev.jsonl");
const hasCorpus = existsSync(scorer) && existsSync(set);
const scored = "packages/server/test/domain/limit-notice/fixtures/scored.mjs";

type Count = { n: number; ok: number };
type Counts = Record<"reason" | "hint" | "negatives", Count> & { crashes: number; odd: number };

/** Reads the scorer's counts and says them as shares. */
export function scoreOf({ reason, hint, negatives, crashes, odd }: Counts): Measured {
  return {
    messages: reason.n + negatives.n,
    reason_right: (100 * reason.ok) / reason.n,
    time_right: (100 * hint.ok) / hint.n,
    false_alarms: negatives.n - negatives.ok,
    crashes,
    odd_answers: odd,
  };
}

async function score(): Promise<Measured> {
  const args = [scorer, join(root, scored), "--set", set, "--json"];
  const { stdout } = await run(process.execPath, args);
  return scoreOf((JSON.parse(stdout) as { counts: Counts }).counts);
}

/** Reads what `bench/limits.mjs` says. */
export function costOf(said: string): Measured {
  const number = (words: RegExp): number => Number(words.exec(said)?.[1] ?? NaN);
  return {
    hostile_texts: number(/^(\d+) texts/m),
    slowest_ms: number(/^slowest: ([\d.]+) ms/m),
    twice_the_text: number(/^time\(2n\)\/time\(n\): ([\d.]+)/m),
  };
}

async function cost(stage: Stage): Promise<Measured> {
  const args = [join(root, "bench/limits.mjs"), ...(stage.quick ? ["--quick"] : [])];
  // It ends with 1 when something costs too much: what it says is judged here.
  const said = await run(process.execPath, args).catch((error: { stdout?: string }) => error);
  return costOf(said.stdout ?? "");
}

const ofCorpus: Record<string, FigureKind> = {
  messages: { unit: "", headline: true },
  reason_right: { unit: "%", least: 97, headline: true },
  time_right: { unit: "%", least: 97, headline: true },
  false_alarms: { unit: "", most: 1, headline: true },
  crashes: never,
  odd_answers: never,
};

export const limitParser: Campaign = {
  name: "limit-parser",
  row: "limit parser: corpus of real messages; 1 MiB of hostile text",
  asked: "reason and time right ≥ 97 %, ≤ 1 false alarm; ≤ 50 ms, time(2n) / time(n) ≤ 2.5",
  step: "step-3",
  reps: 1,
  quickReps: 1,
  limitS: 600,
  figures: {
    ...(hasCorpus ? ofCorpus : {}),
    hostile_texts: { unit: "", least: 30 },
    slowest_ms: { unit: "ms", most: 50, timed: true, headline: true },
    twice_the_text: { unit: "×", most: 2.5, timed: true, headline: true },
  },
  open: async (stage) => {
    if (!hasCorpus) stage.notes.push("The corpus was not there: only the cost was measured.");
    return {
      repeat: async () => ({ ...(hasCorpus ? await score() : {}), ...(await cost(stage)) }),
    };
  },
};
