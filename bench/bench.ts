// `npm run bench -- [name|all] [--reps N] [--seed S] [--quick] [--dry]`: plays benches against the
// built program and keeps what they have shown, whether it holds or not.
// Promises: prints machine, durability, seed, commit, median and range; exit 0 when everything
// asked holds, 1 when not, 64 for a call it does not understand; several benches are played in a
// process each, so that none measures the heap another has left. `--quick` keeps nothing.
// Leaves to others: the benches (benches/), playing (stage/play.ts), keeping (stage/benchmarks.ts).

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { benches } from "./benches/index.ts";
import { campaigns } from "./campaigns/index.ts";
import { keepShown } from "./stage/benchmarks.ts";
import type { Campaign } from "./stage/campaign.ts";
import { makeTable } from "./stage/evidence.ts";
import { inWords, limitOf } from "./stage/figures.ts";
import { play } from "./stage/play.ts";
import type { Played, Shown } from "./stage/play.ts";

const names = benches.map(({ name }) => name);

const USAGE = `npm run bench -- [name|all] [options]

  --reps N   repetitions, instead of the bench's own number
  --seed S   the seed of all its draws (default: from the clock)
  --quick    tiny counts; nothing is kept, durations are not judged
  --dry      nothing is kept

Benches: all, ${names.join(", ")}`;

type Call = { names: string[]; reps: number | null; seed: number; quick: boolean; dry: boolean };

function readCall(): Call | null {
  const whole = (value: string | undefined): number | null =>
    value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : null;
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        reps: { type: "string" },
        seed: { type: "string" },
        quick: { type: "boolean", default: false },
        dry: { type: "boolean", default: false },
      },
    });
    const { quick, dry } = values;
    const asked = positionals.length === 0 ? ["all"] : positionals;
    const isUnderstood =
      asked.every((name) => name === "all" || names.includes(name)) &&
      [values.reps, values.seed].every((value) => value === undefined || whole(value) !== null);
    if (!isUnderstood) return null;
    const seed = whole(values.seed) ?? Date.now() % 1_000_000_000;
    const chosen = asked.includes("all") ? names : asked;
    return { names: chosen, reps: whole(values.reps), seed, quick, dry };
  } catch {
    return null;
  }
}

function print(shown: Shown): void {
  const { cores, processor, memory_gib, node, load_before: load, postgres } = shown.machine;
  console.log(`  ${cores} cores (${processor}), ${memory_gib} GiB, load before ${load}, ${node}`);
  console.log(`  postgres ${JSON.stringify(postgres)}`);
  for (const figure of shown.figures) {
    const limit = limitOf(figure);
    const mark = limit === "" ? " " : figure.passed ? "ok" : "NO";
    console.log(`  ${mark.padEnd(3)}${inWords(figure)}${limit === "" ? "" : `  [${limit}]`}`);
  }
  for (const note of shown.notes) console.log(`  note: ${note}`);
  if (shown.fault !== null) console.log(`  fault: ${shown.fault}`);
  console.log(`${shown.passed ? "PASS" : "FAIL"} ${shown.bench} (${shown.took_s} s)\n`);
}

/** One bench in a process of its own. Exit codes other than "does not hold" count as that too. */
function playApart(name: string, { reps, seed, quick, dry }: Call): boolean {
  const words = ["--seed", String(seed), ...(reps === null ? [] : ["--reps", String(reps)])];
  const flags = [...(quick ? ["--quick"] : []), ...(dry ? ["--dry"] : [])];
  const args = [...process.execArgv, fileURLToPath(import.meta.url), name, ...words, ...flags];
  return spawnSync(process.execPath, args, { stdio: "inherit" }).status === 0;
}

/** Its file and the page of benches; of a later step also the table that it shares. */
function keep(shown: Played, { step = "step-2" }: Campaign): void {
  keepShown(shown, benches);
  if (step !== "step-2") makeTable(step, [...campaigns.map(({ name }) => name), ...names]);
}

async function main(): Promise<number> {
  const call = readCall();
  if (call === null) {
    console.error(USAGE);
    return 64;
  }
  const [only] = call.names;
  const bench = benches.find(({ name }) => name === only);
  if (call.names.length > 1 || bench === undefined) {
    const failed = call.names.filter((name) => !playApart(name, call));
    const held = call.quick ? "All work; no speed was judged." : "Everything asked holds.";
    console.log(failed.length === 0 ? held : `Not held: ${failed.join(", ")}`);
    return failed.length === 0 ? 0 : 1;
  }
  const shown = await play(bench, call);
  print(shown);
  if (!call.quick && !call.dry) keep(shown, bench);
  return shown.passed ? 0 : 1;
}

process.exitCode = await main();
