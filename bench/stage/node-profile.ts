// Where this process spends its time: V8's sampling profiler, by function and by file.
// Promises: self time only, as shares of the sampled time, `(idle)` among it; functions are named
// with their file inside the repository or package, never with a path of this machine.
// Leaves to others: the load while it samples (benches/profile.ts).

import { Session } from "node:inspector/promises";
import type { Profiler } from "node:inspector";

/** A function, or a file, and its share of the time sampled. */
export type Share = { name: string; share: number };

export type NodeProfile = { functions: Share[]; files: Share[] };

const SAMPLE_MICROS = 500;

/** Samples while `work` goes on. */
export async function profiled(work: () => Promise<void>): Promise<NodeProfile> {
  const session = new Session();
  session.connect();
  try {
    await session.post("Profiler.enable");
    await session.post("Profiler.setSamplingInterval", { interval: SAMPLE_MICROS });
    await session.post("Profiler.start");
    await work();
    const { profile } = await session.post("Profiler.stop");
    return sharesOf(profile);
  } finally {
    session.disconnect();
  }
}

/** A place in code: `engine/services/batcher.js`, `pg/lib/client.js`, `node:net`. */
function fileOf(url: string): string {
  if (url === "") return "(native)";
  const packaged = url.lastIndexOf("/node_modules/");
  if (packaged >= 0) return url.slice(packaged + "/node_modules/".length);
  return url.replace(/^.*\/(?:dist|packages)\//, "");
}

function sharesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): NodeProfile {
  const micros = new Map<number, number>();
  let total = 0;
  for (const [at, id] of samples.entries()) {
    const delta = timeDeltas[at] ?? 0;
    micros.set(id, (micros.get(id) ?? 0) + delta);
    total += delta;
  }
  const functions = new Map<string, number>();
  const files = new Map<string, number>();
  const add = (to: Map<string, number>, name: string, time: number): void =>
    void to.set(name, (to.get(name) ?? 0) + time);
  for (const { id, callFrame } of nodes) {
    const time = micros.get(id) ?? 0;
    const { functionName, url, lineNumber } = callFrame;
    const name = functionName === "" ? "(anonymous)" : functionName;
    const isReal = url !== "";
    add(functions, isReal ? `${name} ${fileOf(url)}:${lineNumber + 1}` : name, time);
    add(files, isReal ? fileOf(url) : name, time);
  }
  const ranked = (all: Map<string, number>): Share[] =>
    [...all]
      .map(([name, time]) => ({ name, share: time / total }))
      .toSorted((a, b) => b.share - a.share);
  return { functions: ranked(functions), files: ranked(files) };
}
