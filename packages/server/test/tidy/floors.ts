// The floors as a table: who may import whom, and why. Read by the tidy tests; the linter has the
// same rules per folder in .oxlintrc.json, and `floors.test.ts` makes both bite.
// Promises: `floorFindings` judges one file by its path and text alone.
// Leaves to others: cycles (import/no-cycle), globals like Date.now (the linter).

import { posix } from "node:path";

import type { File } from "./repository.ts";
import { finding } from "./repository.ts";
import { importsOf } from "./source.ts";

type Floor = {
  /** Floors it may import, itself included. */
  readonly below: readonly string[];
  /** Packages and node modules it may import. */
  readonly packages: RegExp;
  readonly why: string;
};

const ANY = /^/;
const NO_TIMERS = /^(?!(?:node:)?timers(?:\/|$))/;
const but = (...names: string[]): RegExp =>
  new RegExp(`^(?!(?:${names.join("|")})(?:/|$))${NO_TIMERS.source.slice(1)}`);

/** Every floor of packages/server/src. A folder that is not here fails the test. */
export const floors: Readonly<Record<string, Floor>> = {
  std: { below: ["std"], packages: /^node:crypto$/, why: "std is material: it imports nothing" },
  domain: { below: ["std", "domain"], packages: /^$/, why: "the law is pure: std only" },
  store: {
    below: ["std", "domain", "store"],
    packages: but("fastify", "@fastify"),
    why: "imports point down; HTTP ends at http/; timers come from the injected clock",
  },
  engine: {
    below: ["std", "domain", "store", "engine"],
    packages: but("fastify", "@fastify", "pg"),
    why: "imports point down; all SQL lives in store/; timers come from the injected clock",
  },
  http: {
    below: ["std", "domain", "engine", "http"],
    packages: but("pg"),
    why: "a route asks the engine; all SQL lives in store/; timers come from the injected clock",
  },
  postgres: {
    below: ["std", "postgres"],
    packages: ANY,
    why: "the embedded server starts a database and knows nothing of runs",
  },
  cli: {
    below: ["std", "domain", "store", "engine", "http", "postgres", "cli", "."],
    packages: ANY,
    why: "the front desk may ask everybody",
  },
  ".": {
    below: ["std", "domain", "store", "engine", "http", "postgres", "."],
    packages: ANY,
    why: "index.ts and config.ts stand beside the front desk, not above it",
  },
};

/** What may import store/house/, the statements that see every project. */
const HOUSE_GUESTS = new RegExp(
  [
    "^store/house/",
    "^cli/(?:commands/verify|doctor/register)\\.",
    "^engine/(?:services/(?:sweeps|tail|health)|queries/fleet)[/.-]",
  ].join("|"),
);
/** Only commands decide; http hands them down. */
const VERDICTS = /^domain\/(?:decide|admit)\.ts$/;
const SERVER = "packages/server/src/";

/** Imports of one server file that point up or sideways: `path:line imports … because …`. */
export function floorFindings(file: File): string[] {
  const inside = file.path.slice(SERVER.length);
  const name = floorOf(inside);
  const floor = floors[name];
  if (floor === undefined) return [finding(file, 1, `is on no known floor: ${name}`)];
  const findings: string[] = [];
  for (const { specifier, line } of importsOf(file.text)) {
    const refuse = (why: string): void =>
      void findings.push(finding(file, line, `imports ${specifier}: ${why}`));
    if (!specifier.startsWith(".")) {
      if (!floor.packages.test(specifier)) refuse(floor.why);
      continue;
    }
    const target = posix.join(posix.dirname(inside), specifier);
    if (target.startsWith("..")) refuse("it leaves packages/server/src");
    else if (!floor.below.includes(floorOf(target))) refuse(floor.why);
    else if (target.startsWith("store/house/") && !HOUSE_GUESTS.test(inside)) {
      refuse("store/house/ sees all projects: sweeps, tail, health, fleet and verify only");
    } else if (name === "http" && VERDICTS.test(target)) refuse("only engine/commands decide");
  }
  return findings;
}

function floorOf(inside: string): string {
  const slash = inside.indexOf("/");
  return slash < 0 ? "." : inside.slice(0, slash);
}
