// The campaigns of bench/ in their quick form: real servers, workers, kills, with tiny counts.
// Promises: each is the very program that `npm run campaign` runs, so none rots between releases;
// durations are not judged here. Three at a time, since most of the time they wait for a lease.
// Leaves to others: the figures (docs/evidence), the campaigns' own checkers (stage.test.ts).

import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";

import { campaigns } from "../../../../bench/campaigns/index.ts";
import { root } from "../tidy/repository.ts";

const AT_ONCE = 3;
const LIMIT_MS = 240_000;
const names = campaigns.map(({ name }) => name);

type Played = { code: number; said: string };
const played = new Map<string, Promise<Played>>();

function play(name: string): Promise<Played> {
  const args = [join(root, "bench/dist/main.js"), name, "--quick"];
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
  names.forEach((name, n) => {
    const before = ended[n - AT_ONCE] ?? Promise.resolve();
    const one = before.then(() => play(name));
    ended.push(one);
    played.set(name, one);
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
  });

  test.each(names)("%s passes", { timeout: LIMIT_MS }, async (name) => {
    const { code, said } = (await played.get(name)) ?? { code: -1, said: "not played" };
    expect(said).toMatch(new RegExp(`^PASS ${name} `, "m"));
    expect(code).toBe(0);
  });
});

test("a campaign that does not exist is refused with the list of those that do", () => {
  const args = [join(root, "bench/dist/main.js"), "nothing-of-the-kind"];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(status).toBe(64);
  for (const name of names) expect(stderr).toContain(name);
});
