// Looking changes nothing: the status page, lists, single things and explain leave no trace in the
// register, however much there is that could be set right on the way.
// Promises: every GET of the API's own description is asked, and those for browsers; time has been
// moved by a day and nothing swept, so agents are silent, a limit and a lease are over, a run is
// past its deadline, a slot is due, a period has rolled; every table is compared row by row, also
// by who wrote it. At the end one sweep has to leave a trace: there was something to set right.
// What is about who asks is no trace of a read: when a key was used last, and that one was refused,
// so nobody asks for what he may not see.
// Leaves to others: streams, which are asked for by their own tests.

import { never, sound } from "../stage/campaign.ts";
import type { Campaign } from "../stage/campaign.ts";
import { good, origin } from "../stage/embedding.ts";
import type { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { Fleet, onOneEngine } from "../stage/fleet.ts";
import { changedTables, footprintOf } from "../stage/footprint.ts";
import { createHttp, silentLogger } from "../stage/product.ts";
import type { Doors } from "../stage/product.ts";
import type { Stage } from "../stage/stage.ts";

const DAY = 86_400_000;
const ACCOUNT = "acme/max-1";

type Ids = Record<string, string>;

/** A project in which time has much to do. Returns what its things are called. */
async function furnish(fleet: Fleet): Promise<Ids> {
  const { engine, project, embedding } = fleet;
  await fleet.agents(["a", "b"], { accounts: [ACCOUNT], max_concurrent: 3 });
  const allowance = await fleet.allowance({
    scope: "agent",
    name: "a",
    metric: "tokens",
    limit: 1_000,
    window: "hour",
  });
  const [blocked = ""] = await fleet.submit(1, { requires: ["gpu"] });
  await fleet.submit(1, { deadline_at: new Date(embedding.nowMs + 60_000).toISOString() });
  await fleet.submit(4);
  const [limited, done, live] = await fleet.claim(["a"], 4, { leaseMs: 60_000 });
  if (!limited || !done || !live) throw new Error("nothing was claimed");
  await fleet.finish(done, { inputTokens: 900 });
  await fleet.exhausted(limited, { status: 429, headers: { "retry-after": "90" } });
  await fleet.beat(["a", "b"]);
  const starts = embedding.nowMs + 60_000;
  const slot = good(
    await engine.createSlot(
      project,
      {
        agent: "b",
        type: "work",
        starts_at: new Date(starts).toISOString(),
        ends_at: new Date(starts + 2 * DAY).toISOString(),
      },
      origin,
    ),
  );
  await fleet.settled();
  return { allowance, blocked, done: done.claim.run.id, slot: slot.id };
}

/** Whom a path is asked for: the parameter's value by the thing before it. */
function pathsFor(path: string, wire: Readonly<Record<string, readonly string[]>>): string[] {
  const found = /^\/v1\/([a-z-]+)\/\{\w+\}/.exec(path);
  if (found === null) return [path];
  return (wire[found[1] ?? ""] ?? []).map((value) =>
    path.replace(/\{\w+\}/, encodeURIComponent(value)),
  );
}

type Described = {
  paths: Record<string, { get?: { responses: Record<string, { content?: object }> } }>;
};

/** Every address that can be read, without those that are streams and nothing else. */
async function addresses(doors: Doors, wire: Record<string, readonly string[]>): Promise<string[]> {
  const description = (await doors.inject({ url: "/openapi.json" })).json<Described>();
  const read = Object.entries(description.paths).flatMap(([path, { get }]) => {
    const kinds = Object.keys(get?.responses["200"]?.content ?? {});
    const isStream = kinds.length > 0 && kinds.every((kind) => kind === "text/event-stream");
    return get === undefined || isStream ? [] : pathsFor(path, wire);
  });
  // Waiting for an end that does not come is a read too, but a long one.
  const short = read.map((path) => (path.endsWith("/wait") ? `${path}?timeout_ms=10` : path));
  return [...short, "/", "/status.css", "/status.svg", "/metrics"];
}

async function keyOf(fleet: Fleet, project: string | null): Promise<string> {
  const roles = project === null ? (["owner"] as const) : (["admin"] as const);
  const input = { name: "reader", roles: [...roles], expiresAt: null };
  return good(await fleet.engine.createKey(project, input, origin)).key;
}

async function repetition(
  { stage, embedding }: { stage: Stage; embedding: Embedding },
  n: number,
): Promise<Measured> {
  const fleet = await Fleet.of(embedding, `reads-${n}`, `worker-${n}`);
  const ids = await furnish(fleet);
  embedding.tick(DAY);
  const doors = createHttp(embedding.engine, {
    logger: silentLogger,
    version: "bench",
    rates: { ordinary: { perSecond: 0, burst: 0 } },
  });
  await doors.ready();
  try {
    const keys = [await keyOf(fleet, fleet.project), await keyOf(fleet, null)];
    const runs = (await embedding.engine.runs(fleet.project, {}, { limit: 10, cursor: null }))
      .items;
    const wire = {
      runs: runs.map(({ id }) => id),
      agents: ["a", "b", "nobody"],
      accounts: [ACCOUNT, "nothing"],
      runtimes: [fleet.runtime],
      allowances: (
        await embedding.engine.allowances(fleet.project, { limit: 10, cursor: null })
      ).items.map(({ id }) => id),
      slots: [ids["slot"] ?? ""],
    };
    const urls = await addresses(doors, wire);
    const ask = async (url: string, key: string): Promise<number> =>
      (await doors.inject({ url, headers: { authorization: `Bearer ${key}` } })).statusCode;
    const asked: (readonly [string, string])[] = [];
    for (const key of keys) {
      for (const url of urls) if ((await ask(url, key)) !== 403) asked.push([url, key]);
    }
    const { uses, denials } = embedding.engine.parts;
    await Promise.all([fleet.settled(), uses.settled(), denials.settled()]);
    const before = await footprintOf(embedding.register);
    const answers: number[] = [];
    for (let round = 0; round < stage.size(10, 2); round += 1) {
      for (const [url, key] of asked) answers.push(await ask(url, key));
    }
    await fleet.settled();
    const changed = changedTables(before, await footprintOf(embedding.register)).filter(
      (table) => table !== "api_key",
    );
    if (changed.length > 0) stage.say(`  changed: ${changed.join(", ")}`);
    await embedding.engine.sweepOnce();
    const swept = changedTables(before, await footprintOf(embedding.register));
    return {
      addresses: urls.length,
      reads: answers.length,
      answered_200: answers.filter((status) => status === 200).length,
      faults: answers.filter((status) => status >= 500 && status !== 503).length,
      tables: before.size,
      tables_changed: changed.length,
      set_right_by_a_sweep: swept.length,
    };
  } finally {
    await doors.close();
  }
}

export const reads: Campaign = {
  name: "reads",
  row: "status page, lists, single things and explain, with much that time has made due",
  asked: "change nothing and emit nothing: every row of every table as it was",
  step: "step-3",
  reps: 3,
  quickReps: 1,
  limitS: 300,
  figures: {
    addresses: { unit: "", least: 30, headline: true },
    reads: { unit: "", summed: true, headline: true },
    answered_200: { unit: "", least: 25 },
    faults: never,
    tables: { unit: "", least: 20 },
    tables_changed: { ...never, headline: true },
    set_right_by_a_sweep: { unit: "", least: 3, headline: true },
    ...sound,
  },
  open: onOneEngine(repetition, { sweeps: false }),
};
