// Retention beside what else reads the register: followers with filters and on the tail, and dead
// letters with the runs they became (the stage asks every invariant at the end).

import type { FeedItem } from "@signalbox/sdk";
import { describe, expect, test } from "vitest";
import type { FeedFilter } from "../../src/engine/contract.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { must } from "../http/scene.ts";
import { withClient } from "../setup/database.ts";
import { claimUpTo } from "./duo.ts";
import { newRunOf, origin } from "./fixtures.ts";
import { useStage } from "./stage.ts";

const stage = useStage();
const DAY = 86_400_000;

const uuid = (runId: string): string => fromTypeId("run", runId) as string;
async function submit(projectId: string): Promise<string> {
  const [result] = await stage.engine.submit(projectId, [newRunOf({ maxAttempts: 1 })], origin);
  if (result === undefined || "refused" in result) throw new Error("not submitted");
  return uuid(result.run.id);
}
async function ended(projectId: string): Promise<void> {
  const how = { reason: null, cascade: false };
  await stage.engine.cancel(projectId, await submit(projectId), how, origin);
}
async function removeAllOf(projectId: string): Promise<number> {
  stage.tick(2 * DAY);
  must(await stage.engine.setRetention(projectId, { retention_days: 1 }, origin));
  return stage.engine.removeOld();
}
const floorOf = async (projectId: string): Promise<string> =>
  (await stage.engine.project(projectId))?.feed_floor as string;

/** A live follower; `next` is the next set it hears. */
function follower(projectId: string, from: { afterFeed: number } & FeedFilter) {
  const stop = new AbortController();
  const stream = stage.engine.followProject(projectId, from, stop.signal)[Symbol.asyncIterator]();
  const next = async (): Promise<readonly FeedItem[]> =>
    ((await stream.next()).value ?? []) as readonly FeedItem[];
  const leave = async (): Promise<void> => {
    stop.abort();
    await stream.return?.(undefined);
  };
  return { next, leave };
}

describe("a follower below the floor hears one resync, in a set of its own", () => {
  test.each([{ type: "run." }, {}])("with %j", async (filter) => {
    const projectId = await stage.project();
    await ended(projectId);
    expect(await removeAllOf(projectId)).toBe(1);
    const { next, leave } = follower(projectId, { afterFeed: 1, ...filter });
    expect(await next()).toEqual([{ type: "resync", after_feed: await floorOf(projectId) }]);
    await submit(projectId);
    const heard: FeedItem[] = [];
    while (!heard.some(({ type }) => type === "run.submitted")) heard.push(...(await next()));
    expect(heard.map(({ type }) => type)).not.toContain("resync");
    await leave();
  });
});

test("followers on the tail hear one resync when what they had not heard was removed", async () => {
  const projectId = await stage.project();
  const followers = [{}, { type: "run." }].map((filter) =>
    follower(projectId, { afterFeed: 1, ...filter }),
  );
  const first = followers.map(({ next }) => next());
  await submit(projectId);
  for (const items of await Promise.all(first)) {
    expect(items.map(({ type }) => type)).toEqual(["run.submitted"]);
  }
  // As if three events had come and gone while the tail could not read.
  await withClient(stage.database.connection, async (client) => {
    await client.query("begin");
    await client.query("update signalbox.feed_counter set n = n + 3 where project_id = $1", [
      projectId,
    ]);
    await client.query(
      `update signalbox.project p set feed_floor = f.n from signalbox.feed_counter f
       where f.project_id = p.id and p.id = $1`,
      [projectId],
    );
    await client.query("commit");
  });
  const second = followers.map(({ next }) => next());
  await submit(projectId);
  const resync = { type: "resync", after_feed: await floorOf(projectId) };
  for (const items of await Promise.all(second)) expect(items).toEqual([resync]);
  for (const { next, leave } of followers) {
    expect((await next()).map(({ type }) => type)).toEqual(["run.submitted"]);
    await leave();
  }
});

test("dead letters go with their runs, before or after the run that one became", async () => {
  const projectId = await stage.project();
  await stage.engine.registerRuntime(projectId, "w1", {}, origin);
  const runId = await submit(projectId);
  const [claim] = await claimUpTo(stage.engine, projectId, 1);
  if (claim === undefined) throw new Error("nothing was claimed");
  const command = {
    kind: "fail" as const,
    error: { code: "E-DB", message: "no row" },
    retryable: true,
  };
  await stage.engine.report(projectId, [{ ...claim, command }], origin);
  stage.tick(DAY);
  const { run } = must(await stage.engine.redrive(projectId, runId, {}, origin));
  stage.tick(DAY);
  // The dead letter has been closed for a day only: what was said of it last counts.
  must(await stage.engine.setRetention(projectId, { retention_days: 1 }, origin));
  expect(await stage.engine.removeOld()).toBe(1);
  expect(await stage.engine.run(projectId, runId)).toBeNull();
  const all = { limit: 10, cursor: null };
  for (const status of ["open", "redriven"] as const) {
    expect(must(await stage.engine.letterGroups(projectId, { status }, all)).items).toEqual([]);
  }
  expect(await stage.engine.run(projectId, uuid(run.id))).toMatchObject({ state: "pending" });
});
