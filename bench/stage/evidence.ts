// Evidence: what a campaign has shown, kept in the repository as JSON and as one table per step.
// Promises: the table is made from the JSON files alone; every row names figure, command, date,
// seed and commit; a failed campaign is kept like a passed one. Benches of a step stand in its
// table too; rows that tests show are written by hand in `<step>-tests.md`.
// Leaves to others: running campaigns (main.ts), the pages of benches (benchmarks.ts).

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Step } from "./campaign.ts";
import type { Figure } from "./figures.ts";
import { inWords, limitOf } from "./figures.ts";
import type { Machine } from "./machine.ts";
import { evidence, root } from "./places.ts";
import type { Profile } from "./stage.ts";

export type Evidence = {
  campaign: string;
  profile: Profile;
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

/** As it lies in a file: a bench has another word for its name, and no profile. */
type Kept = Omit<Evidence, "campaign" | "profile"> &
  ({ campaign: string; profile: Profile } | { bench: string });

const inFull: Record<Profile, string> = {
  test: "",
  default: ", with the product's own times",
  full: ", in full length",
};

/** Writes one campaign's evidence and makes the table of its step again. */
export function keepEvidence(shown: Evidence, step: Step, order: readonly string[]): void {
  const folder = join(evidence, step);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, fileOf(shown));
  writeFileSync(path, `${JSON.stringify(shown, null, 2)}\n`);
  tidied([path]);
  makeTable(step, order);
}

/** Makes the table of a step from its files. `order`: names of campaigns and benches. */
export function makeTable(step: Step, order: readonly string[]): void {
  const table = join(evidence, `${step}.md`);
  const byHand = join(evidence, `${step}-tests.md`);
  const tests = existsSync(byHand) ? `\n${readFileSync(byHand, "utf8")}` : "";
  writeFileSync(table, tableOf(readAll(join(evidence, step)), { step, order }) + tests);
  tidied([table]);
}

const nameOf = (one: Kept): string => ("bench" in one ? one.bench : one.campaign);
const profileOf = (one: Kept): Profile => ("bench" in one ? "test" : one.profile);

/** One file per campaign and profile: the newest run replaces the one before. */
function fileOf(one: Kept): string {
  const profile = profileOf(one);
  return profile === "test" ? `${nameOf(one)}.json` : `${nameOf(one)}-${profile}.json`;
}

function readAll(folder: string): Kept[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Kept);
}

function tableOf(all: Kept[], { step, order }: { step: Step; order: readonly string[] }): string {
  const place = (one: Kept): number => order.indexOf(nameOf(one));
  const rows = all
    .toSorted((a, b) => place(a) - place(b) || profileOf(a).localeCompare(profileOf(b)))
    .map((one) => {
      const measured = one.fault ?? headline(one.figures);
      const verdict = one.passed ? "pass" : "**FAIL**";
      return [
        `[${one.row}${inFull[profileOf(one)]}](${step}/${fileOf(one)})`,
        one.asked,
        measured,
        verdict,
        `\`${one.command}\``,
        one.date.slice(0, 10),
        String(one.seed),
        one.commit,
      ];
    });
  const head = ["row", "asked", "measured", "verdict", "command", "date", "seed", "commit"];
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return `${[...introduction(all, step), "", ...lines].join("\n")}\n`;
}

function introduction(all: Kept[], step: Step): string[] {
  const newest = all.toSorted((a, b) => b.date.localeCompare(a.date))[0];
  const { machine } = newest ?? { machine: null };
  const postgres = machine?.postgres ?? {};
  const settings = Object.entries(postgres).map(([name, value]) => `${name} ${value}`);
  return [
    `# Evidence, ${step.replace("-", " ")}`,
    "",
    `Made by \`npm run campaign\`, from the files in \`${step}/\`: do not edit here. A measured`,
    "figure is the median over all repetitions with its range; the verdict is over every",
    "single repetition, for speeds (which others on the machine disturb) over the median.",
    "A `+` behind a commit: with changes that were not committed yet.",
    `Newest run on ${machine?.cores ?? "?"} cores (${machine?.processor ?? "?"}), ` +
      `${machine?.memory_gib ?? "?"} GiB, Node ${machine?.node ?? "?"}, ` +
      `PostgreSQL with ${settings.join(", ")}.`,
  ];
}

function headline(figures: Figure[]): string {
  const shown = figures.filter(({ headline, passed }) => headline === true || !passed);
  return shown.map((one) => `${inWords(one)}${one.passed ? "" : ` (${limitOf(one)})`}`).join("; ");
}

/** In the repository's own format, where the formatter is installed. */
function tidied(paths: string[]): void {
  const formatter = join(root, "node_modules/.bin/oxfmt");
  if (existsSync(formatter)) execFileSync(formatter, paths, { cwd: root, stdio: "ignore" });
}
