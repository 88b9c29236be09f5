// The stage of tests of plans: databases that differ in what is known about their tables, sessions
// of the product whose statements are noted, and how each database would execute them.
// Promises: a statement is explained on a session of its own role and settings, as often as it
// takes until a plan stays.
// Leaves to others: which statements are played (tests), which plans are good (plans.ts).

import type pg from "pg";
import { afterAll, beforeAll } from "vitest";
import { flushOptions } from "../../src/engine/engine.ts";
import type { Parts } from "../../src/engine/parts.ts";
import { Batcher } from "../../src/engine/services/batcher.ts";
import { Dispatcher } from "../../src/engine/services/dispatcher.ts";
import { silentLogger } from "../../src/std/logger.ts";
import type { SessionOptions } from "../../src/store/db.ts";
import type { Stage } from "../engine/stage.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import { addCrowd } from "./crowd.ts";
import type { Node, Sent } from "./plans.ts";
import { excessOf, Explainer, NotedSession } from "./plans.ts";
import { openAs } from "./sessions.ts";
import { crowdProjects } from "./spread.ts";

/** What a database knows about its tables. Nothing else is different between them. */
const databases: readonly [string, (app: pg.Client, owner: pg.Client) => Promise<void>][] = [
  ["empty and never analysed", async () => {}],
  [
    "analysed while empty, then filled",
    async (app, owner) => {
      await owner.query("analyze");
      await addCrowd(app, [1, 20_000], "all ages");
    },
  ],
  [
    "analysed before the first claim, then filled",
    async (app, owner) => {
      await addCrowd(app, [1, 5000], "pending");
      await owner.query("analyze");
      await addCrowd(app, [5001, 25_000], "all ages");
    },
  ],
  [
    "large and analysed: 100,000 runs, 300,000 events",
    async (app, owner) => {
      await addCrowd(app, [1, 100_000], "all ages");
      await owner.query("analyze");
    },
  ],
];
export const databaseNames = databases.map(([name]) => [name] as const);

/** Tables that grow with the work done; statistics of them are what the databases differ in. */
const growing = ["run", "run_spec", "event", "attempt", "lane", "agent", "presence", "account"];
const limits = ["exhaustion", "allowance", "allowance_period", "reservation", "usage", "slot"];

const opened = new Map<string, FreshDatabase>();

/** Opens the databases before the tests of the file, and drops them afterwards. */
export function usePlanDatabases(): void {
  beforeAll(async () => {
    for (const [name, prepare] of databases) {
      const database = await freshDatabase();
      opened.set(name, database);
      const owner = await openAs(database.connection, null);
      const app = await openAs(database.connection, "signalbox_app");
      for (const table of [...growing, ...limits]) {
        await owner.query(`alter table signalbox.${table} set (autovacuum_enabled = false)`);
      }
      await prepare(app, owner);
      await Promise.all([owner.end(), app.end()]);
    }
  }, 180_000);
  afterAll(async () => {
    for (const database of opened.values()) await database.drop();
  });
}

/** Plays on batchers of the product whose statements are noted in `sent`. */
export async function notedFlushes(
  { engine, database }: Stage,
  sent: Map<string, Sent>,
  play: (parts: Parts) => Promise<void>,
): Promise<void> {
  const session = new NotedSession(database.connection, flushOptions("noted"));
  const batcher = (name: "work" | "control"): Batcher =>
    new Batcher({
      name,
      wait: name === "control",
      sessions: [session],
      context: engine.parts.context,
      clock: engine.parts.clock,
      logger: silentLogger,
      maxRows: 1000,
      maxWaiting: 50_000,
      deadlineMs: 10_000,
      onCommitted: (done) => engine.parts.after.committed(done),
    });
  const [work, control] = [batcher("work"), batcher("control")];
  const dispatcher = new Dispatcher({ work, hub: engine.parts.hub, clock: engine.parts.clock });
  await play({ ...engine.parts, work, control, dispatcher });
  await Promise.all([work.stop(), control.stop()]);
  await engine.parts.after.settled();
  for (const [name, one] of session.sent) sent.set(name, one);
  await session.end();
}

/** Beyond the five after which a plan for all values may be taken. */
const EXECUTIONS = 7;

/** The plans of each statement on a session of these options: `[name, plans]`. */
export async function explained(
  database: string,
  options: SessionOptions,
  sent: ReadonlyMap<string, Sent>,
): Promise<[string, Node[]][]> {
  const { connection } = opened.get(database) as FreshDatabase;
  const projects = options.role === "signalbox_app" ? crowdProjects.slice(0, 1) : [];
  const explainer = new Explainer(connection, options, projects);
  await explainer.open();
  try {
    const found: [string, Node[]][] = [];
    for (const [name, one] of sent) {
      if (/^(?:begin|commit|rollback)$/.test(name)) continue;
      found.push([name, await explainer.plans(one, EXECUTIONS)]);
    }
    return found;
  } finally {
    await explainer.end();
  }
}

/** Statement and excess of each of its plans. */
export function excessIn([name, plans]: [string, Node[]]): string[] {
  return plans.flatMap((plan) => excessOf(plan).map((excess) => `${name} ${excess}`));
}
