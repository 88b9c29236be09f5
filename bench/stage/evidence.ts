// Evidence: what a campaign has shown, kept in the repository as JSON and as one table.
// Promises: the table is made from the JSON files alone; every row names figure, command, date,
// seed and commit; a failed campaign is kept like a passed one.
// Leaves to others: running campaigns (main.ts).

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Figure } from "./figures.ts";
import { inWords, limitOf } from "./figures.ts";
import type { Machine } from "./machine.ts";
import { evidence, root } from "./places.ts";

export type Evidence = {
  campaign: string;
  profile: "test" | "default";
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

const STEP = "step-1";

/** Writes one campaign's evidence and makes the table again. Returns the file's path. */
export function keepEvidence(shown: Evidence, order: readonly string[]): string {
  const folder = join(evidence, STEP);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, fileOf(shown));
  writeFileSync(path, `${JSON.stringify(shown, null, 2)}\n`);
  const table = join(evidence, `${STEP}.md`);
  writeFileSync(table, tableOf(readAll(folder), order));
  tidied([path, table]);
  return path;
}

/** One file per campaign and profile: the newest run replaces the one before. */
function fileOf({ campaign, profile }: Evidence): string {
  return profile === "test" ? `${campaign}.json` : `${campaign}-${profile}.json`;
}

function readAll(folder: string): Evidence[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Evidence);
}

function tableOf(all: Evidence[], order: readonly string[]): string {
  const rows = all
    .toSorted(
      (a, b) =>
        order.indexOf(a.campaign) - order.indexOf(b.campaign) || a.profile.localeCompare(b.profile),
    )
    .map((one) => {
      const measured = one.fault ?? headline(one.figures);
      const verdict = one.passed ? "pass" : "**FAIL**";
      const times = one.profile === "test" ? "" : ", with the product's own times";
      return [
        `[${one.row}${times}](${STEP}/${fileOf(one)})`,
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
  return `${[...introduction(all), "", ...lines].join("\n")}\n`;
}

function introduction(all: Evidence[]): string[] {
  const newest = all.toSorted((a, b) => b.date.localeCompare(a.date))[0];
  const { machine } = newest ?? { machine: null };
  const postgres = machine?.postgres ?? {};
  const settings = Object.entries(postgres).map(([name, value]) => `${name} ${value}`);
  return [
    "# Evidence, step 1",
    "",
    "Made by `npm run campaign`, from the files in `step-1/`: do not edit. A measured",
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
