// The checker of what is stored is checked: a history with inputs, outputs, keys, questions and
// deliveries passes; what is changed by hand is caught, each by the invariant it breaks.
import { createHash } from "node:crypto";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunCommand } from "../../src/domain/command.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { runnerOf } from "../../src/store/db.ts";
import type { Violation } from "../../src/store/house/invariants.ts";
import { invariants, violationsOf } from "../../src/store/house/invariants.ts";
import { claimUpTo, ok, submitAll } from "../engine/duo.ts";
import { newRunOf, origin } from "../engine/fixtures.ts";
import { openReceiver } from "../engine/receiver.ts";
import { useStage } from "../engine/stage.ts";

import type { Planted } from "./planted.ts";
import { everyFaultIsNamed } from "./planted.ts";
import { openAs } from "./sessions.ts";

const stage = useStage();
let owner: pg.Client;

beforeAll(async () => {
  const { engine } = stage;
  const project = await stage.project();
  await engine.registerRuntime(project, "w1", {}, origin);
  await submitAll(engine, project, 2, { idempotencyKey: "once" });
  await submitAll(engine, project, 60);
  for (const one of await claimUpTo(engine, project, 3)) {
    const command: RunCommand = { kind: "complete", output: { b: 1, a: [1e300] } };
    ok((await engine.report(project, [{ ...one, command }], origin))[0]);
  }
  ok(await engine.createKey(project, { name: "k", roles: ["viewer"], expiresAt: null }, origin));
  const at = await openReceiver();
  at.answer = () => 500;
  const input = { url: at.url, allow_private: true };
  ok(await engine.createWebhook(project, { input, owner: true, origin }));
  const [made] = await engine.submit(project, [newRunOf()], origin);
  const id = fromTypeId("run", (ok(made) as { run: { id: string } }).run.id) as string;
  await engine.cancel(project, id, { reason: null, cascade: false }, origin);
  await engine.parts.deliveries().once();
  await at.close();
  owner = await openAs(stage.database.connection, null);
});
afterAll(() => owner?.end());

async function found(...changes: string[]): Promise<Violation[]> {
  await owner.query("begin");
  try {
    await owner.query("set local session_replication_role = replica");
    await owner.query("drop index signalbox.run_spec_idempotency");
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

const last = "run_id = (select max(s.run_id::text)::uuid from signalbox.run_spec s)";
const large = (bytes: number): string => `to_jsonb(repeat('x', ${bytes}))`;
const ofKey = (secret: string): string =>
  createHash("sha256").update(secret).digest().toString("hex");
const secret = "s".repeat(42) + "-";
const gone = "insert into signalbox.usage (run_id, number, producer_seq, project_id, at) ";

const planted: Planted = {
  "I-11 inputs": {
    "the input of the newest run changed": [
      `update signalbox.run_spec set input = '{"pr": 43}' where ${last}`,
    ],
  },
  "I-11 accepted": {
    "another digest than was told": [
      `update signalbox.run_spec set input_sha256 = sha256('x') where ${last}`,
    ],
    "an output without its digest": [
      "update signalbox.run set output_sha256 = null where output is not null",
    ],
    "an output that is gone": ["update signalbox.run set output = null where output is not null"],
  },
  "I-9 attempts": {
    "a claim at another instant": [
      "update signalbox.attempt set claimed_at = claimed_at - interval '1 ms'",
    ],
    "an end at another instant": [
      "update signalbox.attempt set ended_at = ended_at + interval '1 ms' where ended_at < now()",
    ],
    "an end for another cause": [
      "update signalbox.attempt set cause = 'kill' where cause = 'completed'",
    ],
    "a start nobody reported": [
      "update signalbox.event set type = 'run.resumed' where type = 'run.started'",
    ],
  },
  "I-13 keys": {
    "a key for two runs": [
      "update signalbox.run_spec set idempotency_key = 'once' where idempotency_key is null",
    ],
  },
  "I-30 keys in clear": {
    "a key in an event": [
      `update signalbox.api_key set digest = '\\x${ofKey(secret)}', prefix = 'abc'
       where name = 'k'`,
      `update signalbox.event set data = data || '{"x": "use sbx_abc_${secret}."}'
       where type = 'key.created'`,
    ],
  },
  "I-31 sizes": {
    "an input above 256 KiB": [
      `update signalbox.run_spec set input = ${large(262_143)} where ${last}`,
    ],
    "metadata above 16 KiB": [
      `update signalbox.run_spec set metadata = jsonb_build_object('a', ${large(16_400)})`,
    ],
    "an authorization above 16 KiB": [
      `update signalbox.run_spec set authorization_snapshot = ${large(16_400)}`,
    ],
    "an output above 1 MiB": [
      `update signalbox.run set output = ${large(1_048_575)} where output is not null`,
    ],
    "a checkpoint above 256 KiB": [`update signalbox.run set checkpoint = ${large(262_143)}`],
    "an event that is too large": [
      `update signalbox.event set data = jsonb_build_object('a', ${large(82_000)})
       where type = 'run.submitted'`,
    ],
    "arguments above 32 KiB": [
      `insert into signalbox.approval (id, project_id, run_id, attempt_id, token, key, title,
         action, arguments, risk, mode, on_expiry, status, asked_at, asked_seq, asked_sha256,
         expires_at, decided_at) select gen_random_uuid(), r.project_id, r.id, r.id, 1, 'k', 't',
         'a', ${large(33_000)}, 'low', 'hold', 'timeout', 'cancelled', now(), 1, sha256('x'),
         now() + interval '1 day', now() from signalbox.run r limit 1`,
    ],
  },
  "I-31 text": {
    "a database of another encoding": [
      "update pg_database set encoding = 8 where datname = current_database()",
    ],
  },
  "I-33 removed": {
    "a delivery whose event is gone": [
      "delete from signalbox.event where stream_id in (select stream_id from signalbox.delivery)",
    ],
    "usage of a run that is gone": [
      `${gone} select gen_random_uuid(), 1, 1, p.id, now() from signalbox.project p limit 1`,
    ],
  },
};

everyFaultIsNamed("contents", planted, found);

test("what is large only as the database writes it is none of them", async () => {
  const numbers = `(select jsonb_agg('1e300'::numeric) from generate_series(1, 40000))`;
  const changes = [`update signalbox.run set output = ${numbers} where output is not null`];
  expect((await found(...changes)).map(({ invariant }) => invariant)).toEqual([]);
});

test("a text that only looks like a key is none", async () => {
  const change = `update signalbox.event set data = data || '{"x": "sbx_abc_${secret}"}'
    where type = 'key.created'`;
  expect(await found(change)).toEqual([]);
});
