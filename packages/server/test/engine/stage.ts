// The stage of engine tests: one database and one engine per test file, time that moves by hand, a
// fresh project per story; when the file is done, the checker reads the whole register.
// Leaves to others: the verbs of stories (verbs.ts), what the checker looks for (invariants.ts).

import { afterAll, beforeAll } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { EngineOptions, RunningEngine } from "../../src/engine/engine.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import { expectNoViolations } from "../store/checker.ts";
import { origin } from "./fixtures.ts";
import type { Scene } from "./verbs.ts";

export type Stage = {
  readonly database: FreshDatabase;
  readonly engine: RunningEngine;
  /** Moves time forward. The database's clock is what it was plus everything ticked. */
  tick(ms: number): void;
  /** A new project; its UUID. */
  project(): Promise<string>;
  /** A story's beginning: two new projects, nobody known yet. */
  scene(): Promise<Scene>;
};

type StageOptions = Pick<EngineOptions, "sweeps" | "random">;

/**
 * Opens a stage before the tests of the file and closes it after them. Sweeps are off unless asked
 * for: stories sweep by hand. Jitter is off (the middle of the spread).
 */
export function useStage(options: StageOptions = {}): Stage {
  let offset = 0;
  let count = 0;
  const open: { database?: FreshDatabase; engine?: RunningEngine } = {};
  beforeAll(async () => {
    const database = await freshDatabase();
    open.database = database;
    open.engine = await startEngine({
      connection: database.connection,
      version: "0.0.0",
      sweeps: false,
      random: () => 0.5,
      ...options,
      offsetMs: () => offset,
    });
  });
  afterAll(async () => {
    await open.engine?.stop();
    try {
      if (open.database !== undefined) await expectNoViolations(open.database.connection);
    } finally {
      await open.database?.drop();
    }
  });
  const stage: Stage = {
    get database() {
      return open.database as FreshDatabase;
    },
    get engine() {
      return open.engine as RunningEngine;
    },
    tick(ms) {
      offset += ms;
    },
    async project() {
      count += 1;
      const project = await stage.engine.createProject(`project-${count}`, origin);
      if (isRefusal(project)) throw new Error(project.detail);
      return fromTypeId("prj", project.id) as string;
    },
    async scene() {
      const [projectId, elsewhere] = [await stage.project(), await stage.project()];
      const { engine, database } = stage;
      return {
        engine,
        tick: (ms) => stage.tick(ms),
        connection: database.connection,
        projectId,
        elsewhere,
        runs: new Map(),
        fences: new Map(),
        house: { away: false },
      };
    },
  };
  return stage;
}
