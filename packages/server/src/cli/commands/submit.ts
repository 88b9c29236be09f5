// `submit`: stores a run for whatever worker serves it.
// Promises: only what was given is sent, so the server's defaults stay its own; with `--wait` the
// output is printed and the exit code says how the run ended.
// Leaves to others: checking values (the server names each wrong field), doing (workers).

import type { Backoff, Priority, RunSubmission } from "@signalbox/sdk";
import { type Call, clientOptions, type CommandSpec } from "../command.ts";
import { type Door, throughDoor } from "../door.ts";
import { exit } from "../exit-codes.ts";
import { resolveRun } from "../run-name.ts";
import { endOf } from "./runs.ts";

/** Flags that are fields of the submission as they stand. */
const textFields = {
  agent: "agent",
  queue: "queue",
  runner: "runner",
  runtime: "runtime",
  model: "model",
  account: "account",
  onAgentTimeout: "on_agent_timeout",
  key: "idempotency_key",
  concurrencyKey: "concurrency_key",
} as const satisfies Record<string, keyof RunSubmission>;

const numberFields = {
  maxAttempts: { field: "max_attempts", least: 1, most: 100 },
  maxDuration: { field: "max_duration_s", least: 1, most: 2_678_400 },
  agentTimeout: { field: "agent_timeout_s", least: 1, most: 2_592_000 },
  concurrencyLimit: { field: "concurrency_limit", least: 1, most: 1_000_000 },
} as const;

const listFields = { requires: "requires", tag: "tags" } as const;

/** The submission that the flags describe. */
function submissionFrom(call: Call): RunSubmission {
  const whole = call.object("body");
  const fields: { [name: string]: unknown } = { ...whole };
  for (const [flag, field] of Object.entries(textFields)) {
    const value = call.text(flag);
    if (value !== undefined) fields[field] = value;
  }
  for (const [flag, { field, ...range }] of Object.entries(numberFields)) {
    const value = call.number(flag, range);
    if (value !== undefined) fields[field] = value;
  }
  for (const [flag, field] of Object.entries(listFields)) {
    const value = call.texts(flag);
    if (value !== undefined) fields[field] = value;
  }
  const given: { [name: string]: unknown } = {
    input: call.json("input"),
    priority: priorityFrom(call),
    not_before: call.instant("notBefore"),
    deadline_at: call.instant("deadline"),
    metadata: call.pairs("metadata"),
    backoff: backoffFrom(call),
  };
  for (const [field, value] of Object.entries(given)) {
    if (value !== undefined) fields[field] = value;
  }
  return fields;
}

function priorityFrom(call: Call): Priority | undefined {
  const text = call.text("priority");
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : (text as Priority | undefined);
}

function backoffFrom(call: Call): Backoff | undefined {
  const baseMs = call.number("backoff", { least: 0, most: 86_400_000 });
  return baseMs === undefined ? undefined : { base_ms: baseMs };
}

/** Runs that flags name, by their ids: an id, the beginning of one, or `last`. */
async function namesResolved(call: Call, door: Door): Promise<Partial<RunSubmission>> {
  const resolve = (text: string): Promise<string> => resolveRun(door, text);
  const parent = call.text("parentRun");
  const before = call.texts("dependsOn");
  return {
    ...(parent !== undefined && { parent_run: await resolve(parent) }),
    ...(before !== undefined && { depends_on: await Promise.all(before.map(resolve)) }),
  };
}

export const submitCommand: CommandSpec = {
  words: "submit",
  says: "Submit a run",
  more:
    "Without --agent any worker may take it. JSON is given on the line, as @file, or as - for " +
    "stdin.",
  flags: [
    { flag: "--agent <name>", says: "only this agent may do it" },
    { flag: "--agent-timeout <s>", says: "how long it may be offline, in seconds" },
    { flag: "--on-agent-timeout <what>", says: "then: wait (default), or any other agent" },
    { flag: "--input <json>", says: "what it is about: JSON, @file, or - for stdin" },
    { flag: "--body <json>", says: "the whole submission; other flags win over its fields" },
    { flag: "--priority <p>", says: "critical, high, medium, low, or 0 to 99" },
    { flag: "--queue <name>", says: "waiting line (default: default)" },
    { flag: "--runner <name>", says: "which handler does it (default: default)" },
    { flag: "--requires <capability>", says: "capability the worker must have", many: true },
    {
      flag: "--depends-on <run>",
      says: "wait until this run has completed (`last`: the newest)",
      many: true,
    },
    { flag: "--tag <tag>", says: "to find it again", many: true },
    { flag: "--metadata <key=value>", says: "kept with the run", many: true },
    { flag: "--not-before <when>", says: "an instant, or 15m, 2h, 7d from now" },
    { flag: "--deadline <when>", says: "end as timeout if not done by then" },
    { flag: "--max-duration <s>", says: "longest time of one attempt, in seconds" },
    { flag: "--max-attempts <n>", says: "attempts, not retries (default 3)" },
    { flag: "--backoff <ms>", says: "wait before the second attempt, doubling (default 5000)" },
    { flag: "--key <key>", says: "idempotency key: the same key is the same run" },
    { flag: "--concurrency-key <key>", says: "runs that share it go one at a time" },
    { flag: "--concurrency-limit <n>", says: "or so many at a time" },
    { flag: "--runtime <name>", says: "only this worker may do it" },
    { flag: "--model <name>", says: "model it is for" },
    { flag: "--account <name>", says: "account it draws on" },
    { flag: "--parent-run <run>", says: "the run this one belongs to, or `last`" },
    { flag: "--wait", says: "wait for the end and print the output" },
  ],
  options: clientOptions,
  examples: [
    `signalbox submit --agent reviewer --input '{"pr": 42}'`,
    "git diff | jq -Rs '{diff: .}' | signalbox submit --agent reviewer --input - --wait",
    "signalbox submit --agent nightly --not-before 8h --key nightly-2026-01-31",
  ],
  act: async (call) => {
    const submission = submissionFrom(call);
    const isWaiting = call.on("wait");
    const otherwise = isWaiting ? "refuse" : "start_if_used";
    return throughDoor(call, { otherwise }, async (door) => {
      const { client } = door;
      const handle = await client.runs.submit({
        ...submission,
        ...(await namesResolved(call, door)),
      });
      const { run, created } = handle;
      if (!isWaiting) {
        call.screen.result(run, () => call.screen.line(run.id));
        if (!created) call.screen.aside("the run of this key existed already");
        return exit("ok");
      }
      const progress = call.screen.progress(`waiting for ${run.id} …`);
      const ended = await client.runs.wait(run.id).finally(progress.done);
      const isDone = ended.state === "completed";
      if (call.screen.json) call.screen.data(ended);
      else if (isDone) call.screen.data(ended.output);
      else call.screen.aside(endOf(call, ended));
      return isDone ? exit("ok") : exit("no");
    });
  },
};
