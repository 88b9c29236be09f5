// The checker is checked: a valid history passes, and histories mutated by hand are caught, each by
// the invariant it breaks. Mutations go around triggers and CHECKs, and are undone.
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runnerOf } from "../../src/store/db.ts";
import type { Violation } from "../../src/store/house/invariants.ts";
import { invariants, violationsOf } from "../../src/store/house/invariants.ts";
import { useStage } from "../engine/stage.ts";
import { tell } from "../engine/stories.ts";
import type { Planted } from "./planted.ts";
import { everyFaultIsNamed } from "./planted.ts";
import { openAs } from "./sessions.ts";

const stage = useStage();
let owner: pg.Client;

const history = `
  worker w1
  submit done
  claim w1 -> done
  start w1 done
  log w1 done 1 2
  await_tool w1 done
  resume w1 done
  complete w1 done
  log w1 done 3
  submit twice
  claim w1 -> twice
  fail w1 twice
  tick 5s
  sweep
  claim w1 -> twice token=2
  start w1 twice
  tick 61s
  sweep
  tick 10s
  sweep
  claim w1 -> twice token=3
  fail w1 twice -> failed
  submit flagged
  claim w1 -> flagged
  cancel flagged
  release w1 flagged -> cancelled
  submit one key=k
  submit two key=k
  claim w1 free=2 -> one
  complete w1 one
  claim w1 -> two
  submit live
  submit after after=live
  claim w1 -> live
  start w1 live
  pause slow
  unpause slow
  stop
  lift
  claim w1 free=9 -> two live
  start w1 live
`;

beforeAll(async () => {
  await tell(stage, history);
  owner = await openAs(stage.database.connection, null);
  await owner.query(
    "create view run_named as select r.id, s.project_id from signalbox.run r join " +
      "signalbox.run_spec s on s.run_id = r.id",
  );
});
afterAll(async () => {
  await owner?.end();
});

/** What the checker finds after a mutation; everything is rolled back. */
async function found(...mutations: string[]): Promise<Violation[]> {
  await owner.query("begin");
  try {
    await owner.query("set local session_replication_role = replica");
    for (const name of ["event_pkey", "event_seq_check", "event_feed_check"]) {
      await owner.query(`alter table signalbox.event drop constraint ${name}`);
    }
    await owner.query("drop index signalbox.event_feed");
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
/** The event of a type that stands first in the register. */
const first = (type: string, more = ""): string =>
  `(stream_id, seq) in (select e.stream_id, e.seq from ${event} e where e.type = '${type}' ${more}
    order by e.feed limit 1)`;
const set = (what: string, where: string): string => `update ${event} set ${what} where ${where}`;
const setRun = (what: string, where: string): string =>
  `update signalbox.run set ${what} where id = (select r.id from signalbox.run r where ${where}
    order by r.id limit 1)`;
const other = "'00000000-0000-7000-8000-0000000000ff'";

const mutations: Planted = {
  "I-1 tokens": {
    "a token bumped": [set("attempt = 7", first("run.claimed"))],
    "a second claim of a live lease": [set("attempt = 2, lease_delta = 1", first("run.started"))],
    "the end of a lease dropped": [set("lease_delta = 0", first("run.requeued"))],
    "a claim dropped": [`delete from ${event} where ${first("run.claimed")}`],
  },
  "I-2 stale writes": {
    "an event of an attempt after its lease": [
      set("late = false", first("log.line", "and e.late")),
    ],
    "an event under the token of an attempt that is over": [
      set("attempt = 1", first("run.started", "and e.attempt = 2")),
    ],
    "an event called late that was not": [set("late = true", first("log.line"))],
  },
  "I-3 attempt ids": {
    "an id used twice": [`update signalbox.attempt set id = ${other}`],
  },
  "I-4 early reclaim": {
    "taken back before its expiry": [
      set(
        "lease_expires_at = lease_expires_at + interval '1 day'",
        first("run.requeued", "and 'attempt.lost' = any (e.also)"),
      ),
    ],
    "a lease longer than the claim said": [
      set("lease_expires_at = lease_expires_at + interval '1 ms'", first("run.claimed")),
    ],
    "a lost lease without an expiry": [
      set("lease_expires_at = null", "'attempt.lost' = any (also)"),
    ],
  },
  "I-5 limbo": {
    "an overdue run": [setRun("due_at = now() - interval '6 seconds'", "r.state = 'running'")],
    "a lease without an instant": [setRun("due_at = null", "r.state = 'claimed'")],
    "a deadline without an instant": [setRun("deadline_at = now()", "r.state = 'pending'")],
    "a cancel that nobody carried out": [
      setRun("cancel_requested_at = now() - interval '36 seconds'", "r.state = 'claimed'"),
    ],
    "a wait for a key the run does not have": [setRun("held = held | 4", "r.state = 'pending'")],
    "a wait for dependencies that are done": [setRun("open_dependencies = 0", "r.held = 2")],
  },
  "I-6 path": {
    "a step the table does not have": [set("to_state = 'waiting_tool'", first("run.claimed"))],
    "a step from where the run was not": [set("from_state = 'pending'", first("run.completed"))],
    "two swapped": [
      set("seq = seq + 1000", first("run.started")),
      set("seq = seq - 999", first("run.waiting_tool")),
    ],
  },
  "I-6 types": {
    "a type that does not lead there": [set("type = 'run.requeued'", first("run.completed"))],
    "an end that says nothing of the attempt": [set("also = null", first("run.completed"))],
  },
  "I-7 one end": {
    "a terminal event twice": [
      `insert into ${event} (stream_id, seq, project_id, feed, at, stream, type, source, to_state,
         from_state, actor, request_id) select e.stream_id, e.seq + 9, e.project_id, e.feed + 9000,
         e.at, e.stream, e.type, e.source, e.to_state, e.from_state, e.actor, e.request_id
         from ${event} e where e.type = 'run.completed' limit 1`,
    ],
    "life after the end": [set("late = false, attempt = null", first("log.line", "and e.late"))],
  },
  "I-8 numbers": {
    "an event dropped from the middle": [`delete from ${event} where ${first("run.started")}`],
    "the first of a stream dropped": [`delete from ${event} where ${first("run.submitted")}`],
    "a number twice": [set("seq = seq - 1", first("run.started"))],
    "two swapped in the feed": [
      set("feed = feed + 100000", first("run.started")),
      set("feed = feed - 1", first("run.waiting_tool")),
    ],
  },
  "I-8 feed": {
    "a gap in the feed": [set("feed = feed + 5000", first("run.started"))],
    "a number of the feed twice": [set("feed = feed - 1", first("run.started"))],
    "a counter that ran ahead": ["update signalbox.feed_counter set n = n + 1"],
  },
  "I-9 fold": {
    "a state without its event": [setRun("state = 'waiting_tool'", "r.state = 'claimed'")],
    "a token without its claim": [setRun("fencing_token = 9", "r.state = 'claimed'")],
    "a number without its event": [setRun("last_seq = last_seq + 1", "r.state = 'claimed'")],
    "a lease without its claim": [
      setRun("lease_expires_at = now(), due_at = now()", "r.state = 'completed'"),
    ],
  },
  "I-10 streams": {
    "a project whose number ran ahead": ["update signalbox.project set last_seq = last_seq + 1"],
    "a queue without its event": [`delete from ${event} where ${first("queue.resumed")}`],
  },
  "I-12 origin": {
    "a run nobody submitted": [
      "delete from signalbox.run_spec where run_id in (select id from run_named limit 1)",
    ],
    "a submission without its run": [
      "delete from signalbox.run where id in (select id from run_named limit 1)",
    ],
    "a run that begins with something else": [set("type = 'run.requeued'", first("run.submitted"))],
  },
  "I-13 producer numbers": {
    "a number stored twice": [set("producer_seq = 1", "producer_seq = 2")],
  },
  "I-14 counters": {
    "an attempt counted that was given back": [
      "update signalbox.attempt set counted = true where cause = 'stopped'",
    ],
    "more used than allowed": [setRun("attempts_used = 4", "r.state = 'failed'")],
    "an attempt without its row": ["delete from signalbox.attempt where number = 2"],
  },
  "I-14 given back": {
    "a hundred and eleven given back": [
      `insert into signalbox.attempt (run_id, number, id, project_id, state, counted, runtime,
         claimed_at, ended_at, cause, key_digest, child_digest)
       select a.run_id, 100 + n, gen_random_uuid(), a.project_id, 'released', false, 'w1', now(),
         now(), 'shutdown', a.key_digest, a.child_digest
       from (select a.run_id, a.project_id, a.key_digest, a.child_digest from signalbox.attempt a
         limit 1) a, generate_series(1, 111) n`,
    ],
  },
  "I-15 attempts end once": {
    "an attempt that ended without an event": [
      "update signalbox.attempt set ended_at = now(), cause = 'kill', state = 'killed' " +
        "where ended_at is null",
    ],
    "an attempt that never ended": [
      "update signalbox.attempt set ended_at = null, cause = null, state = 'running' " +
        "where cause = 'completed'",
    ],
    "a cause nobody knows": [
      "update signalbox.attempt set cause = 'weather' where cause = 'completed'",
    ],
    "an end of another kind": [
      "update signalbox.attempt set state = 'failed' where state = 'completed'",
    ],
  },
  "I-16 concurrency keys": {
    "two at once": [
      setRun("concurrency_key = 'k'", "r.state = 'running'"),
      `update signalbox.run set concurrency_key = 'k' where lease_expires_at is not null`,
    ],
  },
  "I-22 after a cancel": {
    "a cancelled run claimed again": [
      set("type = 'run.cancel_requested'", first("run.started", "and e.attempt = 2")),
    ],
  },
  "I-23 dead letters": {
    "a dead letter that did not fail": [
      setRun("dead_lettered_at = now()", "r.state = 'completed'"),
    ],
  },
  "I-27 projects": Object.fromEntries(
    ["run", "attempt", "event", "run_dependency", "lane"].map((table) => [
      `a row of ${table} in another project`,
      [
        `update signalbox.${table} set project_id = (select p.id from signalbox.project p
           where not exists (select from signalbox.run r where r.project_id = p.id) limit 1)`,
      ],
    ]),
  ),
  "I-27 projects of tags": {
    "a tag in another project": [
      `insert into signalbox.run_tag (project_id, tag, run_id)
         select p.id, 'blue', r.id from signalbox.project p, signalbox.run r
         where p.id <> r.project_id limit 1`,
    ],
  },
  "I-29 actors": {
    "an event by nobody": [set("actor = null", first("run.claimed"))],
    "an event in no request": [set("request_id = null", first("run.claimed"))],
  },
};

test("the history is not empty", async () => {
  const { rows } = await owner.query("select 1 from signalbox.event e");
  expect(rows.length).toBeGreaterThan(40);
});

everyFaultIsNamed("runs", mutations, found);

describe("of state-bearing fields, whatever is changed is found", () => {
  const states = "pending claimed running waiting_tool completed failed cancelled timeout";
  const fields: Record<string, string[]> = {
    type: ["run.started", "run.requeued", "run.completed", "run.claimed", "log.line"],
    seq: ["seq + 1", "seq - 1", "seq + 100"],
    feed: ["feed + 1", "feed - 1", "feed + 100"],
    from_state: ["null", ...states.split(" ").map((state) => `'${state}'`)],
    to_state: ["null", ...states.split(" ").map((state) => `'${state}'`)],
    attempt: ["null", "attempt + 1", "1", "2", "9"],
    lease_delta: ["0", "1", "-1"],
    late: ["not late"],
  };
  // Explained survivors: the type of what a runner wrote is bound by nothing but a hash chain, and
  // so is the token of a cancel request or of what changes no state.
  const free = "source = 'runner' or (to_state is null and type = 'run.cancel_requested')";

  test.each(Object.keys(fields))("%s", async (field) => {
    const { rows } = await owner.query<{ stream_id: string; seq: string }>(
      `select e.stream_id, e.seq from ${event} e where e.stream = 'run' order by e.feed`,
    );
    const survivors: string[] = [];
    let tried = 0;
    for (const [n, { stream_id: id, seq }] of rows.entries()) {
      const values = fields[field] as string[];
      const raw = values[n % values.length] as string;
      const value = field === "type" ? `'${raw}'` : raw;
      const statement =
        `update ${event} set ${field} = ${value} where stream_id = '${id}' and seq = ${seq} ` +
        `and ${field} is distinct from ${value} ` +
        (field === "type" || field === "attempt" ? `and not (${free})` : "");
      const violations = await found(statement).catch((error: Error) => {
        if (error.message.startsWith("touched nothing")) return null;
        throw error;
      });
      if (violations === null) continue;
      tried += 1;
      if (violations.length === 0) survivors.push(statement);
    }
    expect(survivors).toEqual([]);
    expect(tried).toBeGreaterThan(15);
  });
});
