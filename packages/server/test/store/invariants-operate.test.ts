// The checker of what people do: a history with redrives, discards, stops of both scopes, a revoked
// key and reports of usage passes; mutated by hand it is caught, each by the invariant it breaks.
import type pg from "pg";
import { afterAll, beforeAll, expect } from "vitest";
import { runnerOf } from "../../src/store/db.ts";
import type { Violation } from "../../src/store/house/invariants.ts";
import { invariants, violationsOf } from "../../src/store/house/invariants.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { claimUpTo, ok, submitAll } from "../engine/duo.ts";
import type { Claimed } from "../engine/duo.ts";
import { origin } from "../engine/fixtures.ts";
import { useStage } from "../engine/stage.ts";
import type { Planted } from "./planted.ts";
import { everyFaultIsNamed } from "./planted.ts";
import { openAs } from "./sessions.ts";

const stage = useStage();
let owner: pg.Client;

const error = { code: "E-DB", message: "no row" };

beforeAll(async () => {
  const { engine } = stage;
  const project = await stage.project();
  await engine.registerRuntime(project, "w1", {}, origin);
  const report = async (one: Claimed | undefined, command: object): Promise<void> => {
    const item = { ...(one as Claimed), command } as Parameters<typeof engine.report>[1][number];
    ok((await engine.report(project, [item], origin))[0]);
  };
  const [redriven = "", discarded = "", open = ""] = await submitAll(engine, project, 3, {
    maxAttempts: 1,
  });
  for (const one of await claimUpTo(engine, project, 9)) {
    await report(one, { kind: "fail", error, retryable: false });
  }
  expect(open).not.toBe("");
  ok(await engine.redrive(project, redriven, {}, origin));
  ok(await engine.discard(project, discarded, "known", origin));
  const claim = async (): Promise<Claimed | undefined> => (await claimUpTo(engine, project, 1))[0];
  const first = await claim();
  await report(first, { kind: "release", cause: "shutdown" });
  const second = await claim();
  await report(second, { kind: "start" });
  const events = [{ type: "usage.recorded", producer_seq: 1, usage: { input_tokens: 7 } }];
  ok((await engine.append(project, [{ ...(second as Claimed), events }], origin))[0]);
  await submitAll(engine, project, 1);
  await claim();
  ok(await engine.stopProject(project, { reason: "fire", cancelLive: false }, origin));
  ok(await engine.stopEverything({ reason: "fire", cancelLive: false }, origin));
  ok(await engine.resumeEverything("out", origin));
  ok(await engine.resumeProject(project, "out", origin));
  await claim();
  const input = { name: "k", roles: ["operator" as const], expiresAt: null };
  const key = ok(await engine.createKey(project, input, origin));
  const by = { ...origin, actor: `key:${key.prefix}` };
  ok(await engine.pauseQueue(project, "slow", "why", by));
  ok(await engine.revokeKey(project, fromTypeId("key", key.id) as string, origin));
  ok(await engine.resumeQueue(project, "slow", null, by));
  owner = await openAs(stage.database.connection, null);
});
afterAll(async () => {
  await owner?.end();
});

/** What the checker finds after a mutation; everything is rolled back. */
async function found(...mutations: string[]): Promise<Violation[]> {
  await owner.query("begin");
  try {
    await owner.query("set local session_replication_role = replica");
    for (const mutation of mutations) {
      const { rowCount } = await owner.query(mutation);
      if ((rowCount ?? 0) === 0) throw new Error(`touched nothing: ${mutation}`);
    }
    const all: Violation[] = [];
    for (const one of invariants) all.push(...(await violationsOf(runnerOf(owner), one)));
    return all;
  } finally {
    await owner.query("rollback");
  }
}

const event = "signalbox.event";
const setRun = (what: string, where: string): string =>
  `update signalbox.run set ${what} where id = (select r.id from signalbox.run r where ${where}
    order by r.id limit 1)`;
const letter = (what: string, where: string): string =>
  `update signalbox.dead_letter set ${what} where ${where}`;
const mutations: Planted = {
  "I-9 attempts used": {
    "an attempt used that nobody claimed": [
      setRun("attempts_used = 0", "r.lease_expires_at is not null"),
    ],
    "a dead letter that used none": [setRun("attempts_used = 0", "r.state = 'failed'")],
  },
  "I-9 given back": {
    "a release nobody made": [setRun("releases = releases + 1", "r.state = 'failed'")],
    "an exhaustion nobody met": [setRun("exhaustions = 1", "r.state = 'failed'")],
    "two suspensions nobody asked for": [setRun("suspensions = 2", "r.state = 'failed'")],
  },
  "I-9 holders": {
    "a lease of another attempt": [
      setRun("attempt_id = gen_random_uuid()", "r.lease_expires_at is not null"),
    ],
    "a lease of another runtime": [setRun("runtime = 'w2'", "r.lease_expires_at is not null")],
  },
  "I-9 ends": {
    "an end at another instant": [
      setRun("finished_at = finished_at + interval '1 ms'", "r.state = 'failed'"),
    ],
    "an end for another cause": [setRun("end_cause = 'kill'", "r.state = 'failed'")],
    "another error than was told": [setRun('error = \'{"code": "E"}\'', "r.state = 'failed'")],
    "a dead letter nobody told of": [setRun("dead_lettered_at = null", "r.state = 'failed'")],
  },
  "I-18 reported": {
    "a report that was not booked": ["delete from signalbox.usage where producer_seq = 1"],
    "a report of another amount": ["update signalbox.usage set input_tokens = 8"],
  },
  "I-22 stops": {
    "a claim under the project's own stop": [
      `delete from ${event} where type = 'project.resumed' and not data ? 'scope'`,
    ],
    "a claim under the stop of everything": [
      `delete from ${event} where type = 'project.resumed' and data ->> 'scope' = 'everything'`,
    ],
  },
  "I-22 renewed under a stop": {
    "an attempt that counts though it was stopped": [
      "update signalbox.attempt set counted = true where cause = 'stopped'",
    ],
    "a lease that outlasts a stop": [
      `update signalbox.everything set stopped_at = now() - interval '20 seconds',
         stop_reason = 'fire', stopped_by = 'ada'`,
    ],
  },
  "I-23 letters": {
    "a dead letter that is in no list": ["delete from signalbox.dead_letter"],
    "a listed run that is none": [setRun("dead_lettered_at = null", "r.state = 'failed'")],
    "a redrive without its event": [`delete from ${event} where type = 'run.redriven'`],
    "a discard called open": [
      letter("closed_at = null, closed_by = null, note = null", "note is not null"),
    ],
    "a run that became another": [letter("became = gen_random_uuid()", "became is not null")],
    "a redrive its letter does not know": [
      "update signalbox.run_spec set redrive_of = (select l.run_id from signalbox.dead_letter l " +
        "where l.note is not null) where redrive_of is not null",
    ],
  },
  "I-28 revoked keys": {
    "a write long after the key was revoked": [
      `update ${event} set at = at + interval '61 seconds' where type = 'queue.resumed'`,
    ],
  },
};

everyFaultIsNamed("operate", mutations, found);
