// Retention: runs that ended long ago are removed whole, nothing that is still needed is, sums and
// numbers stay right (the stage asks every invariant at the end), and followers are told.

import type { FeedItem, Resync } from "@signalbox/sdk";
import { Signalbox } from "@signalbox/sdk";
import { describe, expect, test } from "vitest";
import { createHttp } from "../../src/http/server.ts";
import { silentLogger } from "../../src/std/logger.ts";
import { ownedByRuns } from "../../src/store/house/retention.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { must } from "../http/scene.ts";
import { withClient } from "../setup/database.ts";
import type { Claimed } from "./duo.ts";
import { claimUpTo, ok } from "./duo.ts";
import { newRunOf, origin } from "./fixtures.ts";
import { openReceiver } from "./receiver.ts";
import { useStage } from "./stage.ts";

const stage = useStage();
const DAY = 86_400_000;

const uuid = (runId: string): string => fromTypeId("run", runId) as string;
const submit = async (
  projectId: string,
  parts: Parameters<typeof newRunOf>[0] = {},
): Promise<string> => {
  const [result] = await stage.engine.submit(projectId, [newRunOf(parts)], origin);
  if (result === undefined || "refused" in result) throw new Error("not submitted");
  return result.run.id;
};
const cancel = (projectId: string, runId: string): Promise<unknown> =>
  stage.engine.cancel(projectId, uuid(runId), { reason: null, cascade: false }, origin);
const ended = async (projectId: string): Promise<string> => {
  const runId = await submit(projectId, { tags: ["old"] });
  await cancel(projectId, runId);
  return runId;
};
const keep = async (projectId: string, days: number | null): Promise<void> =>
  void must(await stage.engine.setRetention(projectId, { retention_days: days }, origin));
/** A run that failed for good: a dead letter. */
const failed = async (projectId: string): Promise<string> => {
  const runId = await submit(projectId, { maxAttempts: 1 });
  must(await stage.engine.registerRuntime(projectId, "w1", {}, origin));
  const [claimed] = await claimUpTo(stage.engine, projectId, 1);
  const command = { kind: "fail", error: { code: "E", message: "no" }, retryable: false } as const;
  const item = { ...(claimed as Claimed), command };
  ok((await stage.engine.report(projectId, [item], origin))[0]);
  return runId;
};
const isThere = async (projectId: string, runId: string): Promise<boolean> =>
  (await stage.engine.run(projectId, uuid(runId))) !== null;

/** What a follower after this number hears until the newest event. */
async function heard(projectId: string, after: number): Promise<FeedItem[]> {
  const all = await stage.engine.projectEvents(projectId, { afterFeed: 0, limit: 500 });
  const newest = all.items.at(-1)?.feed;
  const items: FeedItem[] = [];
  const stop = new AbortController();
  const from = { afterFeed: after };
  for await (const some of stage.engine.followProject(projectId, from, stop.signal)) {
    items.push(...some);
    if (some.some((item) => "feed" in item && item.feed === newest)) break;
  }
  stop.abort();
  return items;
}

test("without a policy nothing is removed; with one, what ended longer ago alone", async () => {
  const projectId = await stage.project();
  const old = await ended(projectId);
  const waiting = await submit(projectId);
  stage.tick(11 * DAY);
  const fresh = await ended(projectId);
  expect(await stage.engine.removeOld()).toBe(0);
  await keep(projectId, 10);
  expect(await stage.engine.removeOld()).toBe(1);
  expect(await isThere(projectId, old)).toBe(false);
  expect(await isThere(projectId, waiting)).toBe(true);
  expect(await isThere(projectId, fresh)).toBe(true);
  expect(await stage.engine.removeOld()).toBe(0);
});

test("nothing of a removed run is left in any table that names runs", async () => {
  const projectId = await stage.project();
  const runId = await ended(projectId);
  stage.tick(2 * DAY);
  await keep(projectId, 1);
  await stage.engine.removeOld();
  await withClient(stage.database.connection, async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      `select c.table_name as name from information_schema.columns c
       where c.table_schema = 'signalbox' and c.column_name = 'run_id'`,
    );
    const known = [...Object.keys(ownedByRuns), "slot"];
    expect(known).toEqual(expect.arrayContaining(tables.map(({ name }) => name)));
    for (const [table, column] of Object.entries(ownedByRuns)) {
      const { rows } = await client.query(
        `select 1 from signalbox.${table} x where x.${column} = $1`,
        [uuid(runId)],
      );
      expect(`${table}: ${rows.length}`).toBe(`${table}: 0`);
    }
  });
});

describe("what is still needed stays", () => {
  test("a run that a waiting run depends on", async () => {
    const projectId = await stage.project();
    const first = await submit(projectId);
    const second = await submit(projectId, { dependsOn: [uuid(first)] });
    await cancel(projectId, first);
    stage.tick(2 * DAY);
    await keep(projectId, 1);
    await stage.engine.removeOld();
    expect(await isThere(projectId, first)).toBe(true);
    await cancel(projectId, second);
    stage.tick(2 * DAY);
    await stage.engine.removeOld();
    expect(await isThere(projectId, first)).toBe(false);
  });

  test("the parent of a run that has not ended", async () => {
    const projectId = await stage.project();
    const parent = await submit(projectId);
    const child = await submit(projectId, { parentRun: uuid(parent) });
    await cancel(projectId, parent);
    stage.tick(2 * DAY);
    await keep(projectId, 1);
    await stage.engine.removeOld();
    expect(await isThere(projectId, parent)).toBe(true);
    await cancel(projectId, child);
    stage.tick(2 * DAY);
    await stage.engine.removeOld();
    expect(await isThere(projectId, parent)).toBe(false);
    expect(await isThere(projectId, child)).toBe(false);
  });

  test("a dead letter that nobody has answered, until somebody does", async () => {
    const projectId = await stage.project();
    const [open, discarded] = [await failed(projectId), await failed(projectId)];
    stage.tick(2 * DAY);
    await keep(projectId, 1);
    must(await stage.engine.discard(projectId, uuid(discarded), "known", origin));
    expect(await stage.engine.removeOld()).toBe(0);
    stage.tick(2 * DAY);
    await stage.engine.removeOld();
    expect(await isThere(projectId, open)).toBe(true);
    expect(await isThere(projectId, discarded)).toBe(false);
    must(await stage.engine.redrive(projectId, uuid(open), {}, origin));
    stage.tick(2 * DAY);
    await stage.engine.removeOld();
    expect(await isThere(projectId, open)).toBe(false);
  });

  test("or until the time that the project gives its dead letters is over", async () => {
    const projectId = await stage.project();
    const open = await failed(projectId);
    await keep(projectId, 1);
    const change = { dead_letter_days: 30 };
    const project = must(await stage.engine.setRetention(projectId, change, origin));
    expect(project).toMatchObject({ retention_days: 1, dead_letter_days: 30 });
    stage.tick(29 * DAY);
    await stage.engine.removeOld();
    expect(await isThere(projectId, open)).toBe(true);
    stage.tick(2 * DAY);
    await stage.engine.removeOld();
    expect(await isThere(projectId, open)).toBe(false);
  });

  test("a run with events that are not delivered yet", async () => {
    const projectId = await stage.project();
    const at = await openReceiver();
    const input = { url: at.url, allow_private: true, types: ["run.*"] };
    const hook = must(await stage.engine.createWebhook(projectId, { input, owner: true, origin }));
    const runId = await ended(projectId);
    stage.tick(2 * DAY);
    await keep(projectId, 1);
    await stage.engine.removeOld();
    expect(await isThere(projectId, runId)).toBe(true);
    at.answer = () => 500;
    await stage.engine.parts.deliveries().once();
    await stage.engine.removeOld();
    expect(await isThere(projectId, runId)).toBe(true);
    at.answer = () => 200;
    for (let n = 0; n < 4; n++) {
      stage.tick(60_000);
      await stage.engine.parts.deliveries().once();
    }
    expect(at.got.map(({ event }) => event.type)).toContain("run.cancelled");
    await stage.engine.removeOld();
    expect(await isThere(projectId, runId)).toBe(false);
    const page = {
      limit: 10,
      cursor: null,
      webhookId: fromTypeId("whk", hook.id) as string,
      state: null,
    };
    expect((await stage.engine.deliveries(projectId, page))?.items).toEqual([]);
    await at.close();
  });
});

describe("followers", () => {
  test("with a cursor among removed events hear one resync, and the rest in order", async () => {
    const projectId = await stage.project();
    await ended(projectId);
    await ended(projectId);
    const all = await stage.engine.projectEvents(projectId, { afterFeed: 0, limit: 100 });
    const middle = Number(all.items[1]?.feed);
    stage.tick(2 * DAY);
    const fresh = await submit(projectId);
    await keep(projectId, 1);
    await stage.engine.removeOld();
    const items = await heard(projectId, middle);
    const notices = items.filter((item) => item.type === "resync");
    const floor = (await stage.engine.project(projectId))?.feed_floor as string;
    expect(notices).toEqual([{ type: "resync", after_feed: floor }]);
    expect(items[0]?.type).toBe("resync");
    expect(items.map((item) => ("stream_id" in item ? item.stream_id : ""))).toContain(fresh);
  });

  test("who begin at the beginning, or above what was removed, hear none", async () => {
    const projectId = await stage.project();
    await ended(projectId);
    stage.tick(2 * DAY);
    await submit(projectId);
    await keep(projectId, 1);
    await stage.engine.removeOld();
    const floor = Number((await stage.engine.project(projectId))?.feed_floor);
    expect(floor).toBeGreaterThan(0);
    for (const after of [0, floor]) {
      const items = await heard(projectId, after);
      expect(items.map(({ type }) => type)).not.toContain("resync");
      expect(items.map(({ type }) => type)).toContain("run.submitted");
    }
  });
});

test("the client hears of a resync on its stream, or throws if it has no ear for it", async () => {
  const projectId = await stage.project();
  await ended(projectId);
  await ended(projectId);
  stage.tick(2 * DAY);
  await submit(projectId);
  await keep(projectId, 1);
  await stage.engine.removeOld();
  const made = must(
    await stage.engine.createKey(
      projectId,
      { name: "reader", roles: ["viewer"], expiresAt: null },
      origin,
    ),
  );
  const app = createHttp(stage.engine, { logger: silentLogger, version: "0.0.0" });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  try {
    const client = new Signalbox({ url, key: made.key });
    const notices: Resync[] = [];
    const types: string[] = [];
    const onResync = (notice: Resync): void => void notices.push(notice);
    for await (const event of client.events.follow({ afterFeed: "1", onResync })) {
      types.push(event.type);
      if (event.type === "project.changed") break;
    }
    const floor = (await client.projects.current()).feed_floor;
    expect(notices).toEqual([{ type: "resync", after_feed: floor }]);
    const first = client.events.follow({ afterFeed: "1" }).next();
    await expect(first).rejects.toMatchObject({ code: "resync" });
  } finally {
    await app.close();
  }
});

test("what removed runs were charged stays in the sums of their allowances", async () => {
  const projectId = await stage.project();
  const limit = { scope: "project", metric: "runs", limit: 100, window: "month" } as const;
  const made = must(await stage.engine.createAllowance(projectId, limit, origin));
  await stage.engine.registerRuntime(projectId, "w1", {}, origin);
  await submit(projectId);
  const claim = must(
    await stage.engine.claim(
      projectId,
      {
        runtime: "w1",
        agents: [{ name: "a", free: 1 }],
        queues: null,
        runners: ["default"],
        free: 1,
        leaseMs: 60_000,
        waitMs: 0,
      },
      origin,
      new AbortController().signal,
    ),
  ).claims[0];
  if (claim === undefined) throw new Error("nothing was claimed");
  const fence = {
    attemptId: fromTypeId("att", claim.attempt_id) as string,
    token: claim.fencing_token,
  };
  await stage.engine.report(
    projectId,
    [{ runId: uuid(claim.run.id), fence, command: { kind: "complete", output: null } }] as never,
    origin,
  );
  const id = fromTypeId("alw", made.id) as string;
  expect((await stage.engine.allowance(projectId, id))?.spent).toBe(1);
  await keep(projectId, 1);
  stage.tick(2 * DAY);
  expect(await stage.engine.removeOld()).toBe(1);
  await withClient(stage.database.connection, async (client) => {
    const { rows } = await client.query(
      "select w.removed_spent::integer as n from signalbox.allowance w where w.id = $1",
      [id],
    );
    expect(rows).toEqual([{ n: 1 }]);
  });
});
