// The checker of approvals is checked: questions in every state pass, and rows changed by hand are
// caught, each by the invariant it breaks. Changes go around triggers and CHECKs, and are undone.
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { runnerOf } from "../../src/store/db.ts";
import type { Violation } from "../../src/store/house/invariants.ts";
import { invariants, violationsOf } from "../../src/store/house/invariants.ts";
import { asked, by, startOne, uuidOf } from "../engine/asking.ts";
import type { Claimed } from "../engine/duo.ts";
import { ok } from "../engine/duo.ts";
import { origin } from "../engine/fixtures.ts";
import { useStage } from "../engine/stage.ts";
import type { Planted } from "./planted.ts";
import { everyFaultIsNamed } from "./planted.ts";
import { openAs } from "./sessions.ts";

const stage = useStage();
let owner: pg.Client;

/** Questions that are held, suspended, approved, edited, executed, rejected, expired, given up. */
async function play(engine: RunningEngine, project: string): Promise<void> {
  await engine.registerRuntime(project, "w1", {}, origin);
  const one = (): Promise<Claimed> => startOne(engine, project);
  const approve = async (id: string, args?: { pr: number }): Promise<void> => {
    const edited = args === undefined ? {} : { arguments: args };
    const answer = { kind: "approve", comment: null, ...edited } as const;
    ok(await engine.answerApproval(project, id, answer, by("ada")));
  };
  await asked(engine, project, await one());
  await asked(engine, project, await one(), { mode: "suspend" });
  const executed = await one();
  const approvalId = uuidOf(await asked(engine, project, executed));
  await approve(approvalId);
  const done = { arguments: { pr: 42 } };
  ok(await engine.executed(project, { ...executed, approvalId, done }, origin));
  await approve(uuidOf(await asked(engine, project, await one())), { pr: 7 });
  const rejected = uuidOf(await asked(engine, project, await one()));
  const no = { kind: "reject", comment: null } as const;
  ok(await engine.answerApproval(project, rejected, no, by("ada")));
  const killed = await one();
  await asked(engine, project, killed);
  ok(await engine.kill(project, killed.runId, "runaway", origin));
  await asked(engine, project, await one(), { expiresInMs: 1000 });
  await asked(engine, project, await one(), { expiresInMs: 1000, onExpiry: "approve" });
  stage.tick(1000);
  await engine.sweepOnce();
}

beforeAll(async () => {
  await stage.project();
  await play(stage.engine, await stage.project());
  owner = await openAs(stage.database.connection, null);
});
afterAll(async () => {
  await owner?.end();
});

/** What the checker finds after changes; everything is rolled back. */
async function found(...changes: string[]): Promise<Violation[]> {
  await owner.query("begin");
  try {
    await owner.query("set local session_replication_role = replica");
    await owner.query("drop index signalbox.approval_key");
    await owner.query("drop index signalbox.approval_pending");
    const checks = await owner.query<{ name: string }>(
      `select k.conname as name from pg_constraint k
       where k.conrelid = 'signalbox.approval'::regclass and k.contype = 'c'`,
    );
    for (const { name } of checks.rows) {
      await owner.query(`alter table signalbox.approval drop constraint ${name}`);
    }
    for (const change of changes) {
      const { rowCount } = await owner.query(change);
      if ((rowCount ?? 0) === 0) throw new Error(`touched nothing: ${change}`);
    }
    const all: Violation[] = [];
    for (const one of invariants) all.push(...(await violationsOf(runnerOf(owner), one)));
    return all;
  } finally {
    await owner.query("rollback");
  }
}

const set = (what: string, where: string): string =>
  `update signalbox.approval set ${what} where ${where}`;
const copied = (what: string, where: string): string =>
  `insert into signalbox.approval select (jsonb_populate_record(a, '${what}')).*
   from signalbox.approval a where ${where}`;
const other = `"id": "00000000-0000-7000-8000-0000000000ff"`;

const mutations: Planted = {
  "I-5 questions": {
    "a question that was due an hour ago": [
      set(
        "due_at = now() - interval '1 hour', expires_at = now() - interval '1 hour'",
        "status = 'pending'",
      ),
    ],
    "a question without an instant": [set("due_at = null", "status = 'pending'")],
  },
  "I-9 answers": {
    "an approval that was a rejection": [
      set("status = 'approved', decided_sha256 = asked_sha256", "status = 'rejected'"),
    ],
    "a question that was never asked for": [set("asked_seq = asked_seq + 50", "true")],
    "a decision that no event tells of": [
      set("status = 'rejected', decided_at = now(), decided_by = 'x'", "status = 'pending'"),
    ],
    "another hash than the one that was decided": [
      set("decided_sha256 = sha256('x')", "status = 'approved'"),
    ],
    "a question that is gone": ["delete from signalbox.approval where status = 'expired'"],
  },
  "I-20 questions and runs": {
    "a run that waits for nothing": ["delete from signalbox.approval where status = 'pending'"],
    "a run that goes on with its question open": [
      `update signalbox.run set state = 'running', approval_mode = null
       where state = 'waiting_approval' and lease_expires_at is not null`,
    ],
    "two open questions of a run": [
      copied(`{${other}}`, "a.status = 'pending' and a.mode = 'hold'"),
    ],
  },
  "I-21 executed": {
    "another action than was decided": [
      set("executed_sha256 = sha256('x')", "executed_at is not null"),
    ],
    "the execution of a rejected action": [
      set("executed_at = now(), executed_sha256 = asked_sha256", "status = 'rejected'"),
    ],
    "a decision that differs without an edit": [
      set("edited_arguments = null", "edited_arguments is not null"),
    ],
    "a key with two actions": [copied(`{${other}}`, "a.status = 'rejected'")],
  },
  "I-27 projects of questions": {
    "a question in another project": [
      set(
        `project_id = (select p.id from signalbox.project p
        where not exists (select from signalbox.run r where r.project_id = p.id))`,
        "true",
      ),
    ],
  },
};

test("there are questions in every state", async () => {
  const { rows } = await owner.query<{ status: string }>(
    "select distinct a.status from signalbox.approval a order by a.status",
  );
  expect(rows.map(({ status }) => status)).toEqual([
    "approved",
    "cancelled",
    "expired",
    "pending",
    "rejected",
  ]);
});

everyFaultIsNamed("approvals", mutations, found);

describe("what raw SQL may not do either", () => {
  test.each([
    ["decide twice", set("status = 'rejected'", "status = 'approved'")],
    ["change what was asked", set("arguments = '{}'", "status = 'pending'")],
    ["ask twice at a time", copied(`{${other}, "key": "k"}`, "a.status = 'pending'")],
    [
      "keep a link of a decided question",
      set("link_digest = sha256('x'), link_by = 'x'", "status = 'approved'"),
    ],
    [
      "execute something else",
      set(
        "executed_at = now(), executed_sha256 = sha256('x')",
        "status = 'approved' and executed_at is null",
      ),
    ],
  ])("%s", async (_, sql) => {
    await owner.query("begin");
    try {
      await expect(owner.query(sql)).rejects.toThrow(/approval/);
    } finally {
      await owner.query("rollback");
    }
  });
});
