// Scenes of riders: a gated batcher with claims that have looked, found nothing and wait.
// Leaves to others: sessions and gates (gated.ts), the engine that lends its parts (stage.ts).

import type pg from "pg";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { Refusal } from "../../src/domain/refusal.ts";
import type { NewRun } from "../../src/domain/submission.ts";
import type { ClaimInput } from "../../src/engine/contract.ts";
import type { BatcherOptions } from "../../src/engine/services/batcher.ts";
import type { ClaimAnswer } from "../../src/engine/services/dispatcher.ts";
import type { Answer, ClaimItem, Granted } from "../../src/engine/services/flush/items.ts";
import { openAs } from "../store/sessions.ts";
import { origin } from "./fixtures.ts";
import type { Gated, GatedSession } from "./gated.ts";
import { gatedBatcher, submitOf } from "./gated.ts";
import type { Stage } from "./stage.ts";

export type Scene = Gated & {
  readonly stage: Stage;
  readonly project: string;
  readonly lane: GatedSession;
};

type SceneOptions = Partial<BatcherOptions> & { readonly lanes?: number };

export type Riding = {
  /** A session as the owner of the tables. */
  readonly owner: pg.Client;
  scene(options?: SceneOptions): Promise<Scene>;
  rowOf(id: string | undefined): Promise<Row | undefined>;
};

type Row = { state: string; held: number; token: number; used: number };

/** Scenes on a stage; each is stopped after its test. */
export function useRiding(stage: Stage): Riding {
  const built: Gated[] = [];
  const open: { owner?: pg.Client } = {};
  beforeAll(async () => {
    open.owner = await openAs(stage.database.connection, null);
  });
  afterEach(async () => {
    await Promise.all(built.splice(0).map((one) => one.stop()));
  });
  afterAll(() => open.owner?.end());
  const riding: Riding = {
    get owner() {
      return open.owner as pg.Client;
    },
    async scene(options = {}) {
      const project = await stage.project();
      await stage.engine.registerRuntime(project, "w1", {}, origin);
      const gated = gatedBatcher(stage.engine, stage.database.connection, options);
      built.push(gated);
      return { ...gated, stage, project, lane: gated.lanes[0] as GatedSession };
    },
    async rowOf(id) {
      const { rows } = await riding.owner.query<Row>(
        `select r.state, r.held, r.fencing_token as token, r.attempts_used as used
         from signalbox.run r where r.id = $1`,
        [id],
      );
      return rows[0];
    },
  };
  return riding;
}

export const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Who was woken has asked again and waits. */
export async function quiet(one: Scene): Promise<void> {
  for (let turns = 0; turns < 3; turns += 1) {
    if (one.batcher.waiting > 0) turns = 0;
    await turn();
  }
}

/** What worker `w1` asks with. */
export const ask: Omit<ClaimInput, "waitMs"> = {
  runtime: "w1",
  agents: [],
  queues: null,
  runners: ["default"],
  free: 1,
  leaseMs: 60_000,
};

export function claimItem(one: Scene, parts: Partial<ClaimItem> = {}): ClaimItem {
  return { kind: "claim", projectId: one.project, ...ask, origin, ...parts };
}

export type Waiting = {
  readonly answer: Promise<ClaimAnswer | Refusal>;
  readonly gone: AbortController;
};

/** A claim that has looked, found nothing and waits now. */
export async function parked(one: Scene, parts: Partial<ClaimItem> = {}): Promise<Waiting> {
  const gone = new AbortController();
  const before = one.flushes.length;
  const answer = one.dispatcher.claim(claimItem(one, parts), 30_000, gone.signal);
  while (one.flushes.length === before) await turn();
  await turn();
  return { answer, gone };
}

/** Submits runs in one request and returns their ids, in order. */
export async function submit(one: Scene, ...specs: Partial<NewRun>[]): Promise<string[]> {
  const item = await submitOf(one.stage.engine, one.project, specs);
  const answer = await one.batcher.add(item);
  if (isRefusal(answer)) throw new Error(answer.detail);
  return item.runs.map(({ id }) => id);
}

export function grantsOf(answer: ClaimAnswer | Refusal): readonly Granted[] {
  if (isRefusal(answer)) throw new Error(answer.detail);
  return answer.grants;
}

/** Runs that the claim was given. */
export async function idsOf({ answer }: Waiting): Promise<string[]> {
  return grantsOf(await answer).map((grant) => grant.run.id);
}

/** What the batcher said: `answered` or the code of the refusal. */
export function word(answer: Answer | Refusal): string {
  return isRefusal(answer) ? answer.code : "answered";
}

/** Completes a run that was granted. */
export async function finish(one: Scene, grant: Granted): Promise<void> {
  const fence = { attemptId: grant.attemptId, token: grant.run.fencingToken };
  const command = { kind: "complete", output: null } as const;
  const run = { projectId: one.project, runId: grant.run.id, fence };
  expect(word(await one.batcher.add({ kind: "run", ...run, what: { command }, origin }))).toBe(
    "answered",
  );
  await one.after.settled();
}
