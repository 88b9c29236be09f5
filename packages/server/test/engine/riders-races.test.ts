// Races of riders: two servers with waiting claims, submissions at both, and orders that come while
// a run is being claimed. Every run goes to exactly one worker and ends once; the checker reads
// every history when the file is done.
import { expect, test } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { ok, useDuo } from "./duo.ts";
import { newRunOf, origin } from "./fixtures.ts";

const duo = useDuo();
const complete = { kind: "complete", output: null } as const;

/** Works off what it is given until it is told to go; returns the runs in the order they came. */
async function worker(
  engine: RunningEngine,
  project: string,
  free: number,
  gone: AbortSignal,
): Promise<string[]> {
  const mine: string[] = [];
  const ask = { runtime: "w1", agents: [], queues: null, runners: ["default"], free };
  while (!gone.aborted) {
    const options = { ...ask, leaseMs: 60_000, waitMs: 20_000 };
    const { claims } = ok(await engine.claim(project, options, origin, gone));
    const items = claims.map((one) => ({
      runId: fromTypeId("run", one.run.id) as string,
      fence: {
        attemptId: fromTypeId("att", one.attempt_id) as string,
        token: one.fencing_token,
      },
      command: complete,
    }));
    mine.push(...items.map(({ runId }) => runId));
    if (items.length > 0) await engine.report(project, items, origin);
  }
  return mine;
}

/** Two servers that know of each other, each with waiting workers. */
async function crew(project: string, gone: AbortSignal): Promise<Promise<string[]>[]> {
  await duo.a.sweepOnce();
  await duo.b.sweepOnce();
  await duo.a.sweepOnce();
  return [1, 1, 2, 3].flatMap((free) =>
    [duo.a, duo.b].map((engine) => worker(engine, project, free, gone)),
  );
}

async function states(project: string): Promise<Record<string, number>> {
  const { rows } = await duo.owner.query<{ state: string; n: number }>(
    `select r.state, count(*)::integer as n from signalbox.run r where r.project_id = $1
     group by r.state order by r.state`,
    [project],
  );
  return Object.fromEntries(rows.map(({ state, n }) => [state, n]));
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 50_000;
  while (!(await holds())) expect(performance.now()).toBeLessThan(end);
}

test("submissions at both servers: each run goes to one worker of either", async () => {
  const project = await duo.project();
  const gone = new AbortController();
  const workers = await crew(project, gone.signal);
  const ids: string[] = [];
  const submitter = async (engine: RunningEngine): Promise<void> => {
    for (let n = 0; n < 60; n += 1) {
      const specs = Array.from({ length: 1 + (n % 3) }, () => newRunOf({ priority: n }));
      const results = await engine.submit(project, specs, origin);
      ids.push(...results.map((one) => fromTypeId("run", ok(one).run.id) as string));
    }
  };
  await Promise.all([submitter(duo.a), submitter(duo.b), submitter(duo.a)]);
  await until(async () => (await states(project))["completed"] === ids.length);
  gone.abort();
  const done = (await Promise.all(workers)).flat();
  expect(done.toSorted()).toEqual(ids.toSorted());
});

test("cancel and kill right after the submission: each run ends once, in one way", async () => {
  const project = await duo.project();
  const gone = new AbortController();
  const workers = await crew(project, gone.signal);
  let count = 0;
  const submitter = async (engine: RunningEngine, other: RunningEngine): Promise<void> => {
    for (let n = 0; n < 50; n += 1) {
      const [result] = await engine.submit(project, [newRunOf()], origin);
      const id = fromTypeId("run", ok(result).run.id) as string;
      count += 1;
      const server = n % 2 === 0 ? engine : other;
      const ask = { reason: null, cascade: false };
      const answer =
        n % 3 === 0
          ? await server.kill(project, id, "runaway", origin)
          : await server.cancel(project, id, ask, origin);
      if (isRefusal(answer)) expect(answer.code).toBe("already_terminal");
    }
  };
  await Promise.all([submitter(duo.a, duo.b), submitter(duo.b, duo.a)]);
  await until(async () => {
    const { completed = 0, cancelled = 0, ...others } = await states(project);
    return completed + cancelled === count && Object.keys(others).length === 0;
  });
  gone.abort();
  const given = (await Promise.all(workers)).flat();
  expect(new Set(given).size).toBe(given.length);
});

test("one concurrency key, riders of two servers: never two at a time, all at last", async () => {
  const project = await duo.project();
  const gone = new AbortController();
  const workers = await crew(project, gone.signal);
  const submitter = async (engine: RunningEngine): Promise<void> => {
    for (let n = 0; n < 15; n += 1) {
      const spec = newRunOf({ concurrencyKey: "k" });
      for (const one of await engine.submit(project, [spec, spec], origin)) ok(one);
    }
  };
  await Promise.all([submitter(duo.a), submitter(duo.b)]);
  await until(async () => {
    await duo.a.sweepOnce();
    return (await states(project))["completed"] === 60;
  });
  gone.abort();
  expect((await Promise.all(workers)).flat()).toHaveLength(60);
});

test("stops while claims ride: nothing is claimed under them, and nothing is lost", async () => {
  const project = await duo.project();
  const gone = new AbortController();
  const workers = await crew(project, gone.signal);
  let stopped = true;
  const submitter = async (engine: RunningEngine): Promise<void> => {
    for (let n = 0; n < 60; n += 1) ok((await engine.submit(project, [newRunOf()], origin))[0]);
  };
  const stopper = async (): Promise<void> => {
    for (let n = 0; n < 6; n += 1) {
      const server = n % 2 === 0 ? duo.a : duo.b;
      ok(await server.stopProject(project, { reason: "fire", cancelLive: false }, origin));
      stopped = true;
      const live = await duo.owner.query(
        `select 1 from signalbox.run r where r.project_id = $1 and r.state = 'claimed'
         and r.fencing_token > 0 and r.lease_expires_at is not null`,
        [project],
      );
      expect(live.rows.length).toBe(0);
      ok(await server.resumeProject(project, "it is out", origin));
      stopped = false;
    }
  };
  await Promise.all([submitter(duo.a), submitter(duo.b), stopper()]);
  expect(stopped).toBe(false);
  await until(async () => (await states(project))["completed"] === 120);
  gone.abort();
  const given = (await Promise.all(workers)).flat();
  expect(new Set(given).size).toBe(120);
});
