// The stop of everything: one row above all projects, that every claim and every renewal reads.
import { expect, test } from "vitest";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { claimUpTo, ok, submitAll, useDuo } from "./duo.ts";
import { origin } from "./fixtures.ts";

const duo = useDuo();
const fire = { reason: "fire", cancelLive: false };

const renewals = async (engine: RunningEngine, project: string, leases: Leases) => {
  const beat = ok(await engine.heartbeat(project, { runtime: "w1", agents: [], leases }, origin));
  return beat.leases.map((lease) => (lease.ok ? "ok" : lease.code));
};
type Leases = Awaited<ReturnType<typeof claimUpTo>>;

test("no project is claimed from or renewed until it is lifted, new ones included", async () => {
  const [one, two] = [await duo.project(), await duo.project()];
  await submitAll(duo.a, one, 2, { maxAttempts: 1 });
  const [id = ""] = await submitAll(duo.a, two, 2, { maxAttempts: 1 });
  const held = await claimUpTo(duo.a, two, 1);
  expect(ok(await duo.b.stopEverything(fire, origin))).toMatchObject({
    stop_reason: "fire",
    stopped_by: "test",
  });
  const later = await duo.project();
  await submitAll(duo.a, later, 1);
  for (const project of [one, two, later]) {
    for (const engine of [duo.a, duo.b]) {
      expect(await claimUpTo(engine, project, 9)).toEqual([]);
    }
  }
  expect(await renewals(duo.a, two, held)).toEqual(["stale_fencing_token"]);
  expect(await duo.a.run(two, id)).toMatchObject({ state: "pending", attempts_used: 0 });
  expect(await duo.a.project(later)).toMatchObject({
    stop_reason: "fire",
    stop_scope: "everything",
  });
  const blocked = await duo.a.explain(one, (await submitAll(duo.a, one, 1))[0] as string);
  expect(blocked?.reasons.map(({ code }) => code)).toContain("project_stopped");

  expect(ok(await duo.a.resumeEverything("out", origin)).stopped_at).toBeNull();
  for (const project of [one, two, later]) {
    expect((await claimUpTo(duo.b, project, 9)).length).toBeGreaterThan(0);
  }
  const { items } = await duo.a.projectEvents(two, { afterFeed: 0, limit: 100, type: "project." });
  const told = items.filter(({ data }) => data["scope"] === "everything");
  expect(told.map(({ type, actor, data }) => [type, actor, data["reason"]])).toEqual([
    ["project.stopped", "test", "fire"],
    ["project.resumed", "test", "out"],
  ]);
});

test("each of 1,100 projects is told, and what is live in the last one ends", async () => {
  await duo.owner.query(
    `with p as (insert into signalbox.project (id, name, created_at)
       select gen_random_uuid(), 'crowd-' || n, clock_timestamp() from generate_series(1, 1100) n
       returning id)
     insert into signalbox.feed_counter (project_id) select id from p`,
  );
  const last = fromTypeId("prj", ok(await duo.a.createProject("zzz", origin)).id) as string;
  await duo.a.registerRuntime(last, "w1", {}, origin);
  const [id = ""] = await submitAll(duo.a, last, 1);
  expect(await claimUpTo(duo.a, last, 1)).toHaveLength(1);
  ok(await duo.a.stopEverything(fire, origin));
  expect(await duo.a.run(last, id)).toMatchObject({ state: "pending", attempts_used: 0 });
  ok(await duo.a.resumeEverything("out", origin));
  const { rows } = await duo.owner.query<{ untold: number }>(
    `select count(*)::integer as untold from signalbox.project p where (select count(*)
       from signalbox.event e where e.stream_id = p.id and e.data ->> 'scope' = 'everything') < 2`,
  );
  expect(rows).toEqual([{ untold: 0 }]);
  expect((await duo.a.projects()).map(({ name }) => name)).toContain("zzz");
});

test("a project's own stop stays when that of everything is lifted", async () => {
  const project = await duo.project();
  await submitAll(duo.a, project, 1);
  ok(await duo.a.stopProject(project, { reason: "mine", cancelLive: false }, origin));
  ok(await duo.a.stopEverything(fire, origin));
  expect(ok(await duo.a.resumeProject(project, "mine is over", origin))).toMatchObject({
    stop_scope: "everything",
  });
  ok(await duo.a.stopProject(project, { reason: "mine again", cancelLive: false }, origin));
  ok(await duo.a.resumeEverything("out", origin));
  expect(await duo.a.project(project)).toMatchObject({
    stop_scope: "project",
    stop_reason: "mine again",
  });
  expect(await claimUpTo(duo.a, project, 9)).toEqual([]);
  ok(await duo.a.resumeProject(project, "over", origin));
  expect(await claimUpTo(duo.a, project, 9)).toHaveLength(1);
});

test("asked for twice it is told once", async () => {
  const project = await duo.project();
  ok(await duo.a.stopEverything(fire, origin));
  ok(await duo.b.stopEverything({ ...fire, reason: "fire again" }, origin));
  ok(await duo.b.resumeEverything("out", origin));
  ok(await duo.a.resumeEverything("out again", origin));
  const { items } = await duo.a.projectEvents(project, { afterFeed: 0, limit: 99 });
  const types = items.map(({ type }) => type).filter((type) => /stopped|resumed/.test(type));
  expect(types).toEqual(["project.stopped", "project.resumed"]);
});

test("all of many projects are told in pieces, of the stop and of its end", async () => {
  await duo.owner.query(
    `with p as (insert into signalbox.project (id, name, created_at, last_seq)
         select gen_random_uuid(), 'many-' || n, now(), 0 from generate_series(1, 1203) n
         returning id)
       insert into signalbox.feed_counter (project_id) select p.id from p`,
  );
  const told = async (type: string): Promise<number> => {
    const { rows } = await duo.owner.query<{ n: number }>(
      `select count(*)::integer as n from signalbox.event e join signalbox.project p
         on p.id = e.stream_id where p.name like 'many-%' and e.type = $1
         and e.actor = 'test' and e.data ->> 'reason' = $2`,
      [type, type === "project.stopped" ? "fire" : "out"],
    );
    return rows[0]?.n ?? 0;
  };
  ok(await duo.a.stopEverything(fire, origin));
  expect(await told("project.stopped")).toBe(1203);
  ok(await duo.b.resumeEverything("out", origin));
  expect(await told("project.resumed")).toBe(1203);
});

test("a server that dies while it tells leaves the rest, and the lift, to another", async () => {
  const [one, two] = [await duo.project(), await duo.project()];
  await submitAll(duo.a, one, 1);
  ok(await duo.a.stopEverything(fire, origin));
  // The lift has begun, and nobody has been told.
  await duo.owner.query(
    `update signalbox.everything set lift_reason = 'out', lifted_by = 'ada',
       change_request = 'req-1', changes = changes + 1`,
  );
  expect(await claimUpTo(duo.b, one, 1)).toEqual([]);
  await duo.b.sweepOnce();
  await expect
    .poll(async () => (await duo.a.everything()).stopped_at, { timeout: 10_000, interval: 10 })
    .toBeNull();
  for (const project of [one, two]) {
    const page = { afterFeed: 0, limit: 100, type: "project." };
    const last = (await duo.a.projectEvents(project, page)).items.at(-1);
    expect(last).toMatchObject({ type: "project.resumed", actor: "ada", request_id: "req-1" });
  }
  expect(await claimUpTo(duo.b, one, 1)).toHaveLength(1);
});

test("a server that dies in between leaves the rest to the next sweep, cancels too", async () => {
  const project = await duo.project();
  const [id = ""] = await submitAll(duo.a, project, 1);
  const held = await claimUpTo(duo.a, project, 1);
  // The row, and nothing after it.
  await duo.owner.query(
    `update signalbox.everything set stopped_at = now() - interval '3 seconds',
       stop_reason = 'fire', stopped_by = 'ada', stop_cancels = true`,
  );
  expect(await renewals(duo.a, project, held)).toEqual(["project_stopped"]);
  await duo.b.sweepOnce();
  await expect
    .poll(() => duo.a.run(project, id), { timeout: 30_000, interval: 10 })
    .toMatchObject({ state: "cancelled", end_cause: "kill", status_reason: "fire" });
  ok(await duo.a.resumeEverything("out", origin));
});

test("claims that race with it are before it or refused", async () => {
  const project = await duo.project();
  await submitAll(duo.a, project, 60);
  const claiming = Promise.all(
    Array.from({ length: 30 }, async (_, n) => {
      const engine = n % 2 === 0 ? duo.a : duo.b;
      const { signal } = new AbortController();
      const input = {
        runtime: "w1",
        agents: [],
        queues: null,
        runners: ["default"],
        free: 1,
        leaseMs: 60_000,
        waitMs: 0,
      };
      const answer = await engine.claim(project, input, origin, signal);
      return isRefusal(answer) ? 0 : answer.claims.length;
    }),
  );
  ok(await duo.a.stopEverything(fire, origin));
  await claiming;
  const { rows } = await duo.owner.query<{ live: number }>(
    `select count(*)::integer as live from signalbox.run
     where project_id = $1 and lease_expires_at is not null`,
    [project],
  );
  expect(rows[0]?.live).toBe(0);
  ok(await duo.a.resumeEverything("out", origin));
});
