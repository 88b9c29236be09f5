// The verbs of stories: each asks the real engine one thing and answers in words.
// Promises: a refusal is answered `refused <code>`; a run `state` with its fields; names of stories
// (`r1`, `w1`) stand for ids and fences, so a worker's line writes with the lease it was given.
// Leaves to others: comparing (stories.ts), time and projects (stage.ts).

import type { Fence, RunCommand } from "../../src/domain/command.ts";
import type { Refusal } from "../../src/domain/refusal.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { NewRun } from "../../src/domain/submission.ts";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import type { Connection } from "../setup/database.ts";
import { withClient } from "../setup/database.ts";
import { newRunOf, origin } from "./fixtures.ts";
import type { Asked } from "./stories.ts";

/** What a story knows: its project, the runs by name, the leases each worker was given. */
export type Scene = {
  readonly engine: RunningEngine;
  readonly tick: (ms: number) => void;
  readonly connection: Connection;
  readonly projectId: string;
  readonly elsewhere: string;
  readonly runs: Map<string, string>;
  /** `worker run` → the fence of that worker's newest attempt at it. */
  readonly fences: Map<string, Fence>;
  /** Whether nobody was up since the last sweep. */
  readonly house: { away: boolean };
};

type Verb = (scene: Scene, asked: Asked) => Promise<string>;

const refused = (refusal: Refusal): string => `refused ${refusal.code}`;

/** `500ms`, `61s`, `5m` in milliseconds. */
function msOf(text: string): number {
  const [, count, unit] = /^\+?(-?\d+)(ms|s|m)$/.exec(text) ?? [];
  if (count === undefined) throw new Error(`not a duration: ${text}`);
  return Number(count) * { ms: 1, s: 1000, m: 60_000 }[unit as "ms" | "s" | "m"];
}

function listOf(text: string | undefined): string[] {
  return text === undefined || text === "" ? [] : text.split(",");
}

function idOf(scene: Scene, name: string | undefined): string {
  const id = scene.runs.get(name ?? "");
  if (id === undefined) throw new Error(`no run is called ${name}`);
  return id;
}

function nameOf(scene: Scene, wireId: string): string {
  const id = fromTypeId("run", wireId);
  return [...scene.runs].find(([, known]) => known === id)?.[0] ?? "unknown";
}

/** Now, as the engine sees it. */
async function nowOf({ engine, projectId }: Scene): Promise<number> {
  return engine.parts.reader.within([projectId], async (runner) => {
    const text = "select clock_timestamp() as now";
    const rows = await runner.query<{ now: number }>({ name: "story_now", text });
    return (rows[0]?.now as number) + engine.parts.context.offsetMs();
  });
}

async function specOf(scene: Scene, { fields }: Asked, ref: string | null): Promise<NewRun> {
  const now = await nowOf(scene);
  const text = (name: string): string | null => fields.get(name) ?? null;
  const number = (name: string, other: number): number => Number(fields.get(name) ?? other);
  const instant = (name: string): number | null => {
    const given = fields.get(name);
    return given === undefined ? null : now + msOf(given);
  };
  const duration = fields.get("max_duration");
  const parent = fields.get("parent");
  return newRunOf({
    ref,
    input: text("input"),
    queue: fields.get("queue") ?? "default",
    runner: fields.get("runner") ?? "default",
    requires: listOf(fields.get("requires")),
    agent: text("agent"),
    runtime: text("runtime"),
    priority: number("priority", 40),
    notBefore: instant("not_before"),
    deadlineAt: instant("deadline"),
    maxDurationS: duration === undefined ? null : msOf(duration) / 1000,
    maxAttempts: number("max_attempts", 3),
    idempotencyKey: text("idempotency"),
    concurrencyKey: text("key"),
    concurrencyLimit: number("limit", 1),
    dependsOn: listOf(fields.get("after")).map((name) =>
      name.startsWith("#") ? name : idOf(scene, name),
    ),
    failWithDependency: fields.get("on_failure") === "fail",
    parentRun: parent === undefined ? null : idOf(scene, parent),
    ...(fields.has("body") ? { bodySha256: String(fields.get("body")).padEnd(64, "0") } : {}),
  });
}

/** Submits one run per name; a name that is submitted again keeps standing for the first. */
async function submit(scene: Scene, all: readonly Asked[]): Promise<string> {
  const names = all.map(({ words }) => words[0] as string);
  const specs = await Promise.all(all.map((one, n) => specOf(scene, one, names[n] ?? null)));
  const results = await scene.engine.submit(scene.projectId, specs, origin);
  const answers = results.map((result, n) => {
    if (isRefusal(result)) return refused(result);
    const id = fromTypeId("run", result.run.id) as string;
    if (!result.created) return `same ${nameOf(scene, result.run.id)}`;
    scene.runs.set(names[n] as string, id);
    return "created";
  });
  return answers.join(" | ");
}

async function claim(scene: Scene, { words, fields }: Asked): Promise<string> {
  const [worker = ""] = words;
  const agents = listOf(fields.get("agents")).map((one) => {
    const [name = "", free = "1"] = one.split(":");
    return { name, free: Number(free) };
  });
  const input = {
    runtime: worker,
    agents,
    queues: fields.has("queues") ? listOf(fields.get("queues")) : null,
    runners: fields.has("runners") ? listOf(fields.get("runners")) : ["default"],
    free: Number(fields.get("free") ?? 1),
    leaseMs: msOf(fields.get("lease") ?? "60s"),
    waitMs: 0,
  };
  const { signal } = new AbortController();
  const { engine, projectId } = scene;
  let answer = await engine.claim(projectId, input, origin, signal);
  if (isRefusal(answer) && answer.code === "runtime_stale") {
    // As workers do: time has passed in the story, in which they would have been heard from.
    await engine.registerRuntime(projectId, worker, {}, origin);
    answer = await engine.claim(projectId, input, origin, signal);
  }
  if (isRefusal(answer)) return refused(answer);
  if (answer.claims.length === 0) return "none";
  const parts = answer.claims.map((one) => {
    const name = nameOf(scene, one.run.id);
    const attemptId = fromTypeId("att", one.attempt_id) as string;
    scene.fences.set(`${worker} ${name}`, { attemptId, token: one.fencing_token });
    const agent = one.agent === null ? "" : ` agent=${one.agent}`;
    return `${name} token=${one.fencing_token}${agent}`;
  });
  return parts.join(" ");
}

function fenceOf(scene: Scene, [worker, run]: readonly string[]): Fence {
  const fence = scene.fences.get(`${worker} ${run}`);
  if (fence === undefined) throw new Error(`${worker} was never given ${run}`);
  return fence;
}

/** A report of the worker's newest attempt at the run, whatever has become of its lease. */
const reportAs =
  (commandOf: (asked: Asked, now: number) => RunCommand): Verb =>
  async (scene, asked) => {
    const runId = idOf(scene, asked.words[1]);
    const fence = fenceOf(scene, asked.words);
    const command = commandOf(asked, await nowOf(scene));
    const items = [{ runId, fence, command }];
    const [answer] = await scene.engine.report(scene.projectId, items, origin);
    if (answer === undefined || isRefusal(answer)) return refused(answer as Refusal);
    return `${answer.state} used=${answer.attempts_used} token=${answer.fencing_token}`;
  };

async function append(scene: Scene, asked: Asked, type: string): Promise<string> {
  const runId = idOf(scene, asked.words[1]);
  const events = asked.words.slice(2).map((word) => ({
    type,
    producer_seq: Number(word),
    data: { text: asked.fields.get("text") ?? word },
  }));
  const items = [{ runId, fence: fenceOf(scene, asked.words), events }];
  const [answer] = await scene.engine.append(scene.projectId, items, origin);
  if (answer === undefined || isRefusal(answer)) return refused(answer as Refusal);
  return `stored=${answer.stored} last_seq=${answer.last_seq}`;
}

/** Renews every lease the worker was given, or those named. */
async function heartbeat(scene: Scene, { words }: Asked): Promise<string> {
  const [worker = "", ...named] = words;
  const names = named.length > 0 ? named : [...scene.runs.keys()];
  const mine = names.filter((name) => scene.fences.has(`${worker} ${name}`));
  const leases = mine.map((name) => ({
    runId: idOf(scene, name),
    fence: fenceOf(scene, [worker, name]),
  }));
  const input = { runtime: worker, agents: [], leases };
  const answer = await scene.engine.heartbeat(scene.projectId, input, origin);
  if (isRefusal(answer)) return refused(answer);
  const told = answer.leases.map((lease) => {
    const name = nameOf(scene, lease.run_id);
    return lease.ok ? `${name}:ok` : `${name}:${lease.code}`;
  });
  const directives = answer.directives.map((one) => {
    return "run_id" in one ? `${one.kind}:${nameOf(scene, one.run_id)}` : one.kind;
  });
  return [...told, ...directives].join(" ");
}

async function show(scene: Scene, { words }: Asked): Promise<string> {
  const id = idOf(scene, words[0]);
  const run = await scene.engine.run(scene.projectId, id);
  if (run === null) return "absent";
  const page = { order: "desc", limit: 1 } as const;
  const { items } = await scene.engine.runEvents(scene.projectId, id, page);
  const last = Date.parse(items[0]?.at ?? "");
  const wait = run.not_before === null ? "none" : `${(Date.parse(run.not_before) - last) / 1000}s`;
  return [
    run.state,
    `used=${run.attempts_used}`,
    `token=${run.fencing_token}`,
    `cause=${run.end_cause}`,
    `wait=${wait}`,
    `error=${run.error?.code ?? "none"}`,
    `reason="${run.status_reason ?? ""}"`,
    `dead_letter=${run.dead_lettered_at === null ? "no" : "yes"}`,
    `flag=${run.cancel_requested_at === null ? "no" : "yes"}`,
    `output=${JSON.stringify(run.output)}`,
    `checkpoint=${JSON.stringify(run.checkpoint)}`,
  ].join(" ");
}

async function events(scene: Scene, { words }: Asked): Promise<string> {
  const id = idOf(scene, words[0]);
  const page = { order: "asc", limit: 500 } as const;
  const { items } = await scene.engine.runEvents(scene.projectId, id, page);
  return items.map((event) => [event.type, ...event.also].join("+")).join(" ");
}

async function attempts(scene: Scene, { words }: Asked): Promise<string> {
  const rows = await scene.engine.attempts(scene.projectId, idOf(scene, words[0]));
  return rows
    .map((one) => `${one.number}:${one.state}:${one.cause}:${one.counted ? "counted" : "free"}`)
    .join(" ");
}

/** Nobody was up for a time: time passes and the installation's pulse stays where it was. */
async function outage(scene: Scene, { words }: Asked): Promise<string> {
  const ms = msOf(words[0] ?? "");
  scene.tick(ms);
  scene.house.away = true;
  await movePulse(scene, ms);
  return "over";
}

/** Sets the installation's pulse to so many milliseconds ago; ahead, no sweep sees an outage. */
async function movePulse({ connection }: Scene, ms: number): Promise<void> {
  const text = `update signalbox.control_heartbeat
    set at = clock_timestamp() - make_interval(secs => $1::float8 / 1000)`;
  await withClient(connection, (client) => client.query(text, [ms]));
}

/** Sweeps once. Sweeping by hand is seldom, which is no outage unless the story says so. */
async function sweep(scene: Scene): Promise<string> {
  if (!scene.house.away) await movePulse(scene, -60_000);
  scene.house.away = false;
  await scene.engine.sweepOnce();
  return "ok";
}

async function stateOf(answer: Promise<{ state: string } | Refusal>): Promise<string> {
  const given = await answer;
  return isRefusal(given) ? refused(given) : given.state;
}

async function okOf(answer: Promise<object>, word: string): Promise<string> {
  const given = await answer;
  return isRefusal(given) ? refused(given) : word;
}

const error = { code: "boom", message: "It broke." };

/** All verbs by name. */
export const verbs: Readonly<Record<string, Verb>> = {
  worker: (scene, { words, fields }) =>
    stateOf(
      scene.engine.registerRuntime(
        scene.projectId,
        words[0] ?? "",
        {
          ...(fields.has("capabilities")
            ? { capabilities: listOf(fields.get("capabilities")) }
            : {}),
          ...(fields.has("state") ? { state: fields.get("state") as "draining" } : {}),
        },
        origin,
      ),
    ),
  submit: (scene, asked) => submit(scene, [asked]),
  claim,
  start: reportAs(() => ({ kind: "start" })),
  await_tool: reportAs(() => ({ kind: "await_tool" })),
  resume: reportAs(() => ({ kind: "resume" })),
  complete: reportAs(({ fields }) => ({
    kind: "complete",
    output: fields.get("output") ?? null,
  })),
  fail: reportAs(({ fields }) => ({
    kind: "fail",
    error: { ...error, code: fields.get("code") ?? error.code },
    retryable: fields.get("retryable") !== "no",
  })),
  release: reportAs(({ fields }) => ({
    kind: "release",
    cause: (fields.get("cause") ?? "shutdown") as "shutdown",
    ...(fields.has("checkpoint") ? { checkpoint: fields.get("checkpoint") as string } : {}),
  })),
  exhaust: reportAs(({ fields }, now) => {
    const until = fields.get("until");
    return { kind: "exhaust", notBefore: until === undefined ? null : now + msOf(until) };
  }),
  terminated: reportAs(() => ({ kind: "terminated", process: { exitCode: 0 } })),
  log: (scene, asked) => append(scene, asked, "log.line"),
  emit: (scene, asked) => append(scene, asked, asked.fields.get("type") ?? "message.delta"),
  heartbeat,
  cancel: (scene, { words }) =>
    stateOf(
      scene.engine.cancel(
        scene.projectId,
        idOf(scene, words[0]),
        { reason: "changed my mind", cascade: words[1] === "cascade" },
        origin,
      ),
    ),
  kill: (scene, { words }) =>
    stateOf(scene.engine.kill(scene.projectId, idOf(scene, words[0]), "runaway", origin)),
  pause: (scene, { words }) =>
    okOf(scene.engine.pauseQueue(scene.projectId, words[0] ?? "", "cleaning", origin), "paused"),
  unpause: (scene, { words }) =>
    okOf(scene.engine.resumeQueue(scene.projectId, words[0] ?? "", null, origin), "resumed"),
  stop: (scene, { words }) => {
    const input = { reason: "fire", cancelLive: words[0] === "cancel_live" };
    return okOf(scene.engine.stopProject(scene.projectId, input, origin), "stopped");
  },
  lift: (scene) => okOf(scene.engine.resumeProject(scene.projectId, "it is out", origin), "lifted"),
  tick: async (scene, { words }) => {
    scene.tick(msOf(words[0] ?? ""));
    return "ok";
  },
  sweep,
  outage,
  show,
  events,
  attempts,
  explain: async (scene, { words }) => {
    const found = await scene.engine.explain(scene.projectId, idOf(scene, words[0]));
    if (found === null) return "absent";
    return found.reasons.length === 0
      ? found.state
      : found.reasons.map((reason) => reason.code).join(" ");
  },
  bulk: (scene, { words, fields }) => {
    // `bulk a b c b.after=#a c.after=#b`: a field belongs to the run before its dot.
    const all = words.map((name) => ({
      words: [name],
      fields: new Map(
        [...fields].flatMap(([key, value]) =>
          value.split(";").flatMap((part) => {
            const [who, what] = part.split(":");
            return who === name ? [[key, what ?? ""] as const] : [];
          }),
        ),
      ),
    }));
    return submit(scene, all);
  },
};
