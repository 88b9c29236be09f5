// What benches have shown, kept as one JSON file each, and docs/benchmarks.md made from them.
// Promises: the page is made from the JSON files alone; every figure stands there with what was
// asked, median, range and verdict, whether it holds or not; a fault is shown, never left out.
// Leaves to others: measuring (benches/), judging (figures.ts).

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Campaign } from "./campaign.ts";
import { limitOf } from "./figures.ts";
import type { Figure } from "./figures.ts";
import { tableOf } from "./markdown.ts";
import { evidence, root } from "./places.ts";
import type { Played, Shown } from "./play.ts";

const PAGE = join(root, "docs/benchmarks.md");

/** A bench, and the step under which its JSON file and its pages lie. */
type Placed = Pick<Campaign, "name" | "step">;
const folderOf = ({ step = "step-2" }: Placed): string => join(evidence, step);

/** Writes what one bench has shown and makes the page again. */
export function keepShown({ documents, ...shown }: Played, benches: readonly Placed[]): void {
  const bench = benches.find(({ name }) => name === shown.bench) ?? { name: shown.bench };
  const folder = folderOf(bench);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${shown.bench}.json`);
  writeFileSync(path, `${JSON.stringify(shown, null, 2)}\n`);
  const pages = [...documents].map(([name, text]) => {
    const page = join(folder, name);
    writeFileSync(page, text);
    return page;
  });
  const order = benches.map(({ name }) => name);
  writeFileSync(PAGE, pageOf(readAll(benches), order));
  tidied([path, PAGE, ...pages]);
}

/** In the repository's own format, where the formatter is installed. */
function tidied(paths: string[]): void {
  const formatter = join(root, "node_modules/.bin/oxfmt");
  if (existsSync(formatter)) execFileSync(formatter, paths, { cwd: root, stdio: "ignore" });
}

function readAll(benches: readonly Placed[]): Shown[] {
  const paths = benches.map((bench) => join(folderOf(bench), `${bench.name}.json`));
  return paths
    .filter((path) => existsSync(path))
    .map((path) => JSON.parse(readFileSync(path, "utf8")) as Shown);
}

/** The page: a table of what was asked, then every figure of every bench. */
export function pageOf(all: readonly Shown[], order: readonly string[]): string {
  const sorted = all.toSorted((a, b) => order.indexOf(a.bench) - order.indexOf(b.bench));
  const missing = order.filter((name) => !all.some(({ bench }) => bench === name));
  const parts = [...introduction(sorted), ...summaryOf(sorted), ...sorted.flatMap(sectionOf)];
  if (missing.length > 0) parts.push("", `Not measured yet: ${missing.join(", ")}.`);
  return `${parts.join("\n")}\n`;
}

function introduction(all: readonly Shown[]): string[] {
  const newest = all.toSorted((a, b) => b.date.localeCompare(a.date))[0];
  return [
    "# Benchmarks",
    "",
    "Made by `npm run bench` from the files in `docs/evidence/step-2/` (and `step-3/`): do not",
    "edit. A figure is the median over the repetitions with its range; of a speed the median has",
    "to hold, of a count every repetition. What falls short stands here as measured. A `+` behind",
    "a commit: with changes that were not committed yet.",
    ...(newest === undefined ? [] : ["", machineOf(newest)]),
  ];
}

function machineOf({ machine }: Shown): string {
  const { cores, processor, memory_gib: memory, node, system, postgres } = machine;
  const settings = Object.entries(postgres ?? {}).map(([name, value]) => `${name} ${value}`);
  return `Newest run on ${cores} cores (${processor}), ${memory} GiB, ${system}, Node ${node}${
    settings.length === 0 ? "" : `, PostgreSQL with ${settings.join(", ")}`
  }. Client, server and database share these cores.`;
}

function summaryOf(all: readonly Shown[]): string[] {
  if (all.length === 0) return [];
  const rows = all.map((one) => [
    `[${one.bench}](#${one.bench})`,
    one.row,
    one.asked,
    headlineOf(one),
    one.passed ? "yes" : "**no**",
  ]);
  return ["", ...tableOf(["bench", "what", "asked", "measured (median)", "holds?"], rows)];
}

function headlineOf({ fault, figures }: Shown): string {
  const shown = figures.filter(
    ({ headline, passed, values }) => (headline === true || !passed) && values.length > 0,
  );
  const words = shown.map((one) => `${wordsOf(one)} ${one.median}${unitOf(one)}`);
  return [...(fault === null ? [] : [`fault: ${fault}`]), ...words].join("; ");
}

function sectionOf(one: Shown): string[] {
  const { load_before: load } = one.machine;
  const rows = one.figures.map((figure) => [
    wordsOf(figure),
    limitOf(figure),
    figure.values.length === 0 ? "not measured" : `${figure.median}${unitOf(figure)}`,
    figure.values.length === 0 ? "" : `${figure.least_value} to ${figure.most_value}`,
    limitOf(figure) === "" ? "" : figure.passed ? "yes" : "**no**",
  ]);
  return [
    "",
    `## ${one.bench}`,
    "",
    `${one.row}: ${one.asked}.`,
    "",
    ...tableOf(["figure", "asked", "median", "range", "holds?"], rows),
    "",
    `\`${one.command}\`, ${one.date.slice(0, 10)}, commit ${one.commit}, ` +
      `${one.repetitions} repetitions, ${one.took_s} s, load before ${load}.`,
    ...(one.fault === null ? [] : ["", `Fault: ${one.fault}`]),
    ...one.notes.flatMap((note) => ["", note]),
  ];
}

const wordsOf = ({ name }: Figure): string => name.replaceAll("_", " ").replace(/ ms$/, "");
const unitOf = ({ unit }: Figure): string => (unit === "" ? "" : ` ${unit}`);
