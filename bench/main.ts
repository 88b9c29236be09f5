// `npm run campaign -- <name> [--reps N] [--seed S] [--profile P] [--quick] [--dry]`:
// plays one campaign (or `all`) against the built program and keeps what it has shown.
// Promises: prints seed, commit and machine; exit 0 when everything asked holds, 1 when not, 64 for
// a call it does not understand; ends only processes it has started. `--quick` uses tiny counts
// and, like `--dry`, keeps no evidence.
// Leaves to others: the campaigns (campaigns/), the evidence (stage/evidence.ts).

import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { benches } from "./benches/index.ts";
import { campaigns } from "./campaigns/index.ts";
import type { Campaign } from "./stage/campaign.ts";
import { keepEvidence } from "./stage/evidence.ts";
import type { Evidence } from "./stage/evidence.ts";
import { figuresOf, inWords, limitOf, rounded } from "./stage/figures.ts";
import type { Measured } from "./stage/figures.ts";
import { commit, machine } from "./stage/machine.ts";
import { program } from "./stage/places.ts";
import { Stage } from "./stage/stage.ts";
import type { Profile } from "./stage/stage.ts";

const USAGE = `npm run campaign -- <name> [options]

  --reps N                repetitions, instead of the campaign's own number
  --seed S                the seed of all its draws (default: from the clock)
  --profile P             test (short leases), default (the product's own times), or
                          full (at full length); default: test
  --quick                 tiny counts; nothing is kept
  --dry                   nothing is kept
  --program PATH          another signalbox to test: its bin/signalbox.mjs

Campaigns: all, ${campaigns.map(({ name }) => name).join(", ")}`;

type Call = {
  names: string[];
  reps: number | null;
  seed: number;
  profile: Profile;
  quick: boolean;
  dry: boolean;
  program: string;
};

const isProfile = (word: string): word is Profile => ["test", "default", "full"].includes(word);

function readCall(): Call | null {
  const whole = (value: string | undefined): number | null =>
    value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : null;
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        reps: { type: "string" },
        seed: { type: "string" },
        profile: { type: "string", default: "test" },
        quick: { type: "boolean", default: false },
        dry: { type: "boolean", default: false },
        program: { type: "string", default: program },
      },
    });
    const { profile, quick, dry } = values;
    const known = ["all", ...campaigns.map(({ name }) => name)];
    const isUnderstood =
      positionals.length > 0 &&
      positionals.every((name) => known.includes(name)) &&
      [values.reps, values.seed].every((value) => value === undefined || whole(value) !== null);
    if (!isUnderstood || !isProfile(profile)) return null;
    const seed = whole(values.seed) ?? Date.now() % 1_000_000_000;
    const names = positionals.includes("all") ? known.slice(1) : positionals;
    return { names, reps: whole(values.reps), seed, profile, quick, dry, program: values.program };
  } catch {
    return null;
  }
}

/** Plays `reps` repetitions into `repetitions`. Throws when the campaign did not come to an end. */
async function play(
  campaign: Campaign,
  stage: Stage,
  { reps, repetitions }: { reps: number; repetitions: Measured[] },
): Promise<void> {
  const began = performance.now();
  const timeIsUp = (): boolean => performance.now() - began > campaign.limitS * 1_000;
  const opened = await campaign.open(stage);
  for (let n = 0; n < reps; n += 1) {
    if (timeIsUp()) throw new Error(`not done after ${campaign.limitS} s: ${n} of ${reps}`);
    const measured = await opened.repeat(n);
    repetitions.push(measured);
    const words = Object.entries(measured).map(([name, value]) => `${name} ${rounded(value)}`);
    stage.say(`  ${n + 1}/${reps}  ${words.join("  ")}`);
  }
  if (opened.close !== undefined) repetitions.push(await opened.close());
}

/** A watchdog: a campaign that hangs ends as failed, not never. */
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

async function show(campaign: Campaign, call: Call): Promise<Evidence> {
  const { profile, quick, seed } = call;
  const reps = call.reps ?? (quick ? campaign.quickReps : campaign.reps);
  const say = (line: string): void => console.log(line);
  console.log(`# ${campaign.name}: ${campaign.row}: ${campaign.asked}`);
  console.log(`  seed ${seed}, commit ${commit()}, profile ${profile}, ${reps} repetitions`);
  const stage = new Stage({ seed, profile, quick, program: call.program, say });
  const on = machine();
  const began = performance.now();
  const repetitions: Measured[] = [];
  let fault: string | null = null;
  try {
    await within(play(campaign, stage, { reps, repetitions }), campaign.limitS + 120);
  } catch (error) {
    fault = error instanceof Error ? error.message : String(error);
  }
  const figures = figuresOf(campaign.figures, repetitions, { quick });
  const passed = fault === null && figures.every((figure) => figure.passed);
  await stage.close({ keep: !passed });
  if (!passed) console.log(`  kept for a look: ${stage.folder}`);
  const options = profile === "test" ? "" : ` --profile ${profile}`;
  return {
    campaign: campaign.name,
    profile,
    row: campaign.row,
    asked: campaign.asked,
    passed,
    fault,
    command: `npm run campaign -- ${campaign.name} --seed ${seed} --reps ${reps}${options}`,
    seed,
    commit: commit(),
    date: new Date().toISOString(),
    took_s: Math.round((performance.now() - began) / 1_000),
    repetitions: reps,
    machine: { ...on, postgres: stage.postgres },
    figures,
    notes: stage.notes,
  };
}

function print(shown: Evidence): void {
  const { cores, processor, node, load_before: load, postgres } = shown.machine;
  console.log(`  ${cores} cores (${processor}), load before ${load}, node ${node}`);
  console.log(`  postgres ${JSON.stringify(postgres)}`);
  for (const figure of shown.figures) {
    const limit = limitOf(figure);
    const mark = limit === "" ? " " : figure.passed ? "ok" : "NO";
    console.log(`  ${mark.padEnd(3)}${inWords(figure)}${limit === "" ? "" : `  [${limit}]`}`);
  }
  for (const note of shown.notes) console.log(`  note: ${note}`);
  if (shown.fault !== null) console.log(`  fault: ${shown.fault}`);
  console.log(`${shown.passed ? "PASS" : "FAIL"} ${shown.campaign} (${shown.took_s} s)\n`);
}

/** In every table of evidence: campaigns, then benches. */
const order = [...campaigns, ...benches].map(({ name }) => name);

async function main(): Promise<number> {
  const call = readCall();
  if (call === null) {
    console.error(USAGE);
    return 64;
  }
  let passed = true;
  for (const name of call.names) {
    const campaign = campaigns.find((one) => one.name === name);
    if (campaign === undefined) continue;
    const shown = await show(campaign, call);
    print(shown);
    passed &&= shown.passed;
    const isKept = !call.quick && !call.dry;
    if (isKept) keepEvidence(shown, campaign.step ?? "step-1", order);
  }
  return passed ? 0 : 1;
}

process.exitCode = await main();
