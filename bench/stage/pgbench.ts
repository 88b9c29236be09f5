// pgbench next to us: the seven operations of a lifecycle as seven single-row transactions of the C
// client, on plain copies of the tables in the same database.
// Promises: the copies have the columns, types and indexes of the product's tables; each operation
// writes what ours writes there (the run, its attempt, one event) and is committed by itself.
// What it does less, and its note says so: no row-level security, no guards, no gap-free feed (a
// sequence numbers the events), no flush row, no fencing, no decisions, no idempotency.

import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { findTool } from "./durability.ts";
import type { Embedding } from "./embedding.ts";
import type { Measured } from "./figures.ts";
import type { Stage } from "./stage.ts";

/** Plays with so many connections: lifecycles per second. */
export type Pgbench = (connections: number) => Promise<Measured>;

const copies = `
  create schema plain;
  create sequence plain.feed cache 100;
  create function plain.new_id() returns uuid language sql as $$
    select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')
      || substr(replace(gen_random_uuid()::text, '-', ''), 13))::uuid
  $$;
  create table plain.run (like signalbox.run including all);
  create table plain.run_spec (like signalbox.run_spec including all);
  create table plain.attempt (like signalbox.attempt including all);
  create table plain.event (like signalbox.event including all);
  alter table plain.run set (fillfactor = 70);
  alter table plain.attempt set (fillfactor = 70);`;

const PROJECT = "'00000000-0000-7000-8000-000000000001'::uuid";
const EMPTY = "'00000000-0000-7000-8000-000000000000'";

/** The event of one operation, from the rows of `source`. */
const eventOf = (source: string, type: string, data = "null"): string => `
  insert into plain.event (stream_id, seq, project_id, feed, at, stream, type, source, actor,
    request_id, attempt, data)
  select ${source}.id, ${source}.last_seq, ${PROJECT}, nextval('plain.feed'), now(), 'run',
    '${type}', 'host', 'bench', 'bench', ${source}.fencing_token, ${data} from ${source}`;

const submit = `
with s as (insert into plain.run_spec (run_id, project_id, created_at, body_sha256, input_sha256,
    queue, runner, requires, depends_on, tags, submitted_by, metadata, input)
  values (plain.new_id(), ${PROJECT}, now(), sha256('body'), sha256('input'), 'bench', 'default',
    '{}', '{}', '{}', 'bench', '{}', '{"n": 1, "text": "hello, world"}') returning run_id),
r as (insert into plain.run (id, project_id, lane_id, rank, last_seq, created_at, priority,
    max_attempts, state)
  select s.run_id, ${PROJECT}, ${PROJECT}, (extract(epoch from now()) * 1000)::bigint, 1, now(), 40,
    3, 'pending' from s returning id, last_seq, fencing_token)
${eventOf("r", "run.created")};`;

const claim = `
with c as (select r.id from plain.run r where r.lane_id = ${PROJECT} and r.state = 'pending'
    and r.held = 0 order by r.rank, r.id limit 1 for no key update skip locked),
r as (update plain.run t set state = 'claimed', attempt_id = plain.new_id(), fencing_token = 1,
    attempts_used = 1, last_seq = t.last_seq + 1, claimed_at = now(), runtime = 'bench',
    lease_ms = 60000, lease_expires_at = now() + interval '1 minute',
    due_at = now() + interval '1 minute'
  from c where t.id = c.id returning t.id, t.last_seq, t.fencing_token, t.attempt_id),
a as (insert into plain.attempt (run_id, number, id, project_id, state, counted, runtime,
    claimed_at, key_digest, child_digest)
  select r.id, 1, r.attempt_id, ${PROJECT}, 'spawning', true, 'bench', now(), sha256('key'),
    sha256('child') from r),
e as (${eventOf("r", "run.claimed")})
select coalesce((select r.id::text from r), ${EMPTY}) as id \\gset`;

const step = (state: string, set: string, ended: string): string => `
with r as (update plain.run t set state = '${state}', last_seq = t.last_seq + 1, ${set}
  where t.id = :id::uuid returning t.id, t.last_seq, t.fencing_token),
a as (update plain.attempt t set ${ended} from r where t.run_id = r.id and t.number = 1)
${eventOf("r", `run.${state}`)};`;

const event = `
with r as (update plain.run t set last_seq = t.last_seq + 1,
    last_producer_seq = t.last_producer_seq + 1
  where t.id = :id::uuid returning t.id, t.last_seq, t.fencing_token)
${eventOf("r", "message.delta", `'{"text": "a few words of an answer"}'`)};`;

const start = step("running", "started_at = now()", "state = 'running', started_at = now()");
const complete = step(
  "completed",
  `end_cause = 'completed', finished_at = now(), attempt_end = 'completed', lease_ms = null,
    lease_expires_at = null, due_at = null, output = '{"verdict": "looks good"}',
    output_sha256 = sha256('output')`,
  "state = 'completed', ended_at = now(), cause = 'completed'",
);

const lifecycle = `${[submit, claim, start, event, event, event, complete].join("\n")}\n`;

/** Where the tools of PostgreSQL find the database. */
function environmentOf(url: string): Record<string, string> {
  // A URL that names a socket has no host, which `URL` refuses.
  const parsed = new URL(url.replace("@/", "@localhost/"));
  const asked = parsed.searchParams;
  return {
    PGHOST: asked.get("host") ?? parsed.hostname,
    PGPORT: asked.get("port") ?? (parsed.port || "5432"),
    PGUSER: decodeURIComponent(parsed.username),
    PGPASSWORD: decodeURIComponent(parsed.password),
    PGDATABASE: parsed.pathname.slice(1),
  };
}

/** Makes the copies and the script. Null, and a note, where there is no pgbench. */
export async function preparePgbench(
  stage: Stage,
  { register, url }: Embedding,
): Promise<Pgbench | null> {
  const tool = findTool("pgbench");
  if (tool === null) {
    stage.notes.push("pgbench was not found on this machine: not measured.");
    return null;
  }
  stage.notes.push(
    "pgbench writes the same rows to plain copies of the tables, without row-level security, " +
      "guards, gap-free feed, flush rows, fencing and decisions: the raw limit of single rows.",
  );
  await register.rows(copies);
  const script = join(stage.makeFolder("pgbench"), "lifecycle.sql");
  writeFileSync(script, lifecycle);
  const play = async (connections: number, seconds: number): Promise<string> => {
    const size = ["-c", String(connections), "-j", "2", "-T", String(seconds)];
    const args = ["-n", "-M", "prepared", ...size, "-f", script];
    const env = { ...process.env, ...environmentOf(url) };
    return (await promisify(execFile)(tool, args, { env, timeout: 60_000 })).stdout;
  };
  return async (connections) => {
    if (!stage.quick) await play(connections, 2);
    const said = await play(connections, stage.size(10, 1));
    const perSecond = Number(/^tps = ([\d.]+)/m.exec(said)?.[1] ?? NaN);
    return { pgbench: perSecond, pgbench_transaction_ms: (connections / perSecond / 7) * 1_000 };
  };
}
