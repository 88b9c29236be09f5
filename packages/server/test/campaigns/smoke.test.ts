// The campaigns and benches of bench/ in their quick form: real servers, workers, kills and loads,
// with tiny counts.
// Promises: each is the very program that `npm run campaign` or `npm run bench` runs, so none rots
// between releases; durations are not judged here. Three at a time, since most of the time they
// wait for a lease or for the database.
// Leaves to others: the figures (docs/evidence), their own checkers (stage.test.ts, bench.test.ts).

import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";

import { benches } from "../../../../bench/benches/index.ts";
import { campaigns } from "../../../../bench/campaigns/index.ts";
import { root } from "../tidy/repository.ts";

const AT_ONCE = 3;
const LIMIT_MS = 240_000;

/** The program of each, and what node must be told for it. */
const programs = {
  campaign: [join(root, "bench/dist/main.js")],
  bench: ["--expose-gc", join(root, "bench/dist/bench.js")],
} as const;
type Kind = keyof typeof programs;

/** Whether a program is on the path. */
const isInstalled = (program: string): boolean =>
  spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
const missing = campaigns.filter(({ needs = [] }) => !needs.every(isInstalled));
for (const { name, needs } of missing) {
  console.warn(`campaign ${name} is NOT played: it needs ${needs?.join(", ")}`);
}

const names: Record<Kind, string[]> = {
  campaign: campaigns.filter((one) => !missing.includes(one)).map(({ name }) => name),
  bench: benches.map(({ name }) => name),
};
const all = (["campaign", "bench"] as const).flatMap((kind) =>
  names[kind].map((name) => [kind, name] as const),
);

type Played = { code: number; said: string };
const played = new Map<string, Promise<Played>>();

function play(kind: Kind, name: string): Promise<Played> {
  const args = [...programs[kind], name, "--quick"];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: root, timeout: LIMIT_MS }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? -1);
      resolve({ code, said: `${stdout}${stderr}` });
    });
  });
}

/** Plays all, a few at a time, in their order. */
function playAll(): void {
  const ended: Promise<unknown>[] = [];
  all.forEach(([kind, name], n) => {
    const before = ended[n - AT_ONCE] ?? Promise.resolve();
    const one = before.then(() => play(kind, name));
    ended.push(one);
    played.set(`${kind} ${name}`, one);
  });
}

// Campaigns read /proc and use flock, setsid and curl as every Linux system has them.
describe.skipIf(process.platform !== "linux")("in its quick form", () => {
  beforeAll(() => {
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const built = spawnSync(process.execPath, [tsc, "-p", join(root, "bench")]);
    expect(String(built.stdout)).toBe("");
    expect(built.status).toBe(0);
    playAll();
  }, LIMIT_MS);

  test.each(all)("%s %s passes", { timeout: LIMIT_MS }, async (kind, name) => {
    const nothing = { code: -1, said: "not played" };
    const { code, said } = (await played.get(`${kind} ${name}`)) ?? nothing;
    expect(said).toMatch(new RegExp(`^PASS ${name} `, "m"));
    expect(code).toBe(0);
  });
});

test.each(["campaign", "bench"] as const)(
  "a %s that does not exist is refused with the list of those that do",
  (kind) => {
    const args = [...programs[kind], "nothing-of-the-kind"];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(status).toBe(64);
    for (const name of names[kind]) expect(stderr).toContain(name);
  },
);
