// A project with very many runs for lists: common ones on top, and at the very bottom, an hour
// older, a few of each kind that a filter may be about.
// Promises: what is copied was made by the product through its own doors; the same filter finds
// the same runs in every repetition.
// Leaves to others: asking (campaigns/dashboard-runs.ts).

import type { Claim, ClaimResponse, RunSummary } from "@signalbox/sdk";

import { copyRuns } from "./backlog.ts";
import type { Server } from "./server.ts";
import { uuidOf } from "./type-id.ts";
import type { Wire } from "./wire.ts";

type Submission = {
  queue: string;
  agent?: string;
  runner?: string;
  tags?: string[];
  conversation_id?: string;
  workspace_id?: string;
  bot_id?: string;
};
type End = "completed" | "failed" | "cancelled" | "pending";
type Kind = {
  readonly share: number;
  readonly end: End;
  readonly agent: string;
  readonly code?: string;
  readonly run: Submission;
};

const HOUR_MS = 3_600_000;
/** Copies of each run that is seldom. */
const SELDOM = 20;

/** What most runs are, and which share of all. */
const common: readonly Kind[] = [
  { share: 0.6, end: "completed", agent: "ada", run: { queue: "default", tags: ["nightly"] } },
  { share: 0.25, end: "completed", agent: "bob", run: { queue: "mail", tags: ["daily"] } },
  { share: 0.05, end: "failed", agent: "ada", code: "boom", run: { queue: "default" } },
  { share: 0.1, end: "pending", agent: "ada", run: { queue: "later" } },
];
const seldom: readonly Kind[] = [
  {
    share: 0,
    end: "failed",
    agent: "eve",
    code: "seldom",
    run: {
      queue: "seldom",
      agent: "eve",
      runner: "seldom",
      tags: ["seldom"],
      conversation_id: "seldom",
      workspace_id: "seldom",
      bot_id: "seldom",
    },
  },
  { share: 0, end: "cancelled", agent: "eve", run: { queue: "default", tags: ["nightly"] } },
];

/** Fills the default project of the server with about so many runs. The server is not told. */
export async function fillWithRuns(server: Server, count: number): Promise<void> {
  const wire = server.wire("filler", false);
  const register = server.register();
  try {
    await wire.must("PUT /v1/runtimes/filler", { body: {} });
    const templates = new Map<Kind, string>();
    for (const kind of [...seldom, ...common]) templates.set(kind, await made(wire, kind));
    for (const [kind, template] of templates) {
      const many = Math.max(SELDOM, Math.round(count * kind.share));
      const copies = { count: many, ...(kind.share === 0 && { earlierMs: HOUR_MS }) };
      await copyRuns(register, uuidOf(template), copies);
    }
    await register.rows("vacuum (analyze)");
    await register.rows("checkpoint");
  } finally {
    await register.close();
  }
}

/** One run of this kind, as a worker would have made it. Its id. */
async function made(wire: Wire, { end, agent, code, run }: Kind): Promise<string> {
  const { id } = await wire.must<RunSummary>("POST /v1/runs", {
    body: { ...run, max_attempts: 1 },
  });
  if (end === "pending") return id;
  if (end === "cancelled") {
    await wire.must(`POST /v1/runs/${id}/cancel`, { body: {} });
    return id;
  }
  const body = {
    runtime: "filler",
    agents: [{ name: agent }],
    queues: [run.queue],
    runners: [run.runner ?? "default"],
    free: 1,
    wait_ms: 5_000,
  };
  const { claims } = await wire.must<ClaimResponse>("POST /v1/claims", { body });
  const [{ attempt_id, fencing_token }] = claims as [Claim];
  const fence = { attempt_id, fencing_token };
  await wire.must(`POST /v1/runs/${id}/start`, { body: fence });
  const last =
    end === "completed"
      ? { verb: "complete", body: { ...fence, output: { n: 1 } } }
      : { verb: "fail", body: { ...fence, error: { code, message: "It broke." } } };
  await wire.must(`POST /v1/runs/${id}/${last.verb}`, { body: last.body });
  return id;
}
