// A crew for tests of who may work: a project with workers and agents, in few words.
// Leaves to others: stories about leases and ends (verbs.ts), the stage itself (stage.ts).

import type * as wire from "@signalbox/sdk";
import type { NewRun } from "../../src/domain/submission.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { ok } from "./duo.ts";
import { newRunOf, origin } from "./fixtures.ts";
import type { Stage } from "./stage.ts";

/** A claimed run with what its worker needs to report. */
export type Held = { readonly claim: wire.Claim; readonly runId: string };

export class Crew {
  readonly stage: Stage;
  readonly projectId: string;

  constructor(stage: Stage, projectId: string) {
    this.stage = stage;
    this.projectId = projectId;
  }

  static async of(stage: Stage): Promise<Crew> {
    return new Crew(stage, await stage.project());
  }

  get engine(): Stage["engine"] {
    return this.stage.engine;
  }

  async worker(name: string, capabilities: string[] = []): Promise<void> {
    ok(await this.engine.registerRuntime(this.projectId, name, { capabilities }, origin));
  }

  async agent(name: string, settings: wire.AgentRegistration = {}): Promise<wire.Agent> {
    return ok(await this.engine.registerAgent(this.projectId, name, settings, origin));
  }

  async allowance(input: wire.AllowanceInput): Promise<wire.Allowance> {
    return ok(await this.engine.createAllowance(this.projectId, input, origin));
  }

  /** Submits runs; their ids. */
  async submit(count: number, parts: Partial<NewRun> = {}): Promise<string[]> {
    const specs = Array.from({ length: count }, () => newRunOf(parts));
    const results = await this.engine.submit(this.projectId, specs, origin);
    return results.map((result) => fromTypeId("run", ok(result).run.id) as string);
  }

  /** Claims for agents at a worker, which registers again if it was silent for too long. */
  async claim(runtime: string, agents: string[], free = 1): Promise<Held[]> {
    const input = {
      runtime,
      agents: agents.map((name) => ({ name, free })),
      queues: null,
      runners: ["default"],
      free,
      leaseMs: 60_000,
      waitMs: 0,
    };
    const { signal } = new AbortController();
    const ask = () => this.engine.claim(this.projectId, input, origin, signal);
    let answer = await ask();
    if ("refused" in answer && answer.code === "runtime_stale") {
      await this.worker(runtime);
      answer = await ask();
    }
    return ok(answer).claims.map((claim) => ({
      claim,
      runId: fromTypeId("run", claim.run.id) as string,
    }));
  }

  fence({ claim }: Held) {
    return {
      attemptId: fromTypeId("att", claim.attempt_id) as string,
      token: claim.fencing_token,
    };
  }

  async report(held: Held, command: Parameters<Stage["engine"]["report"]>[1][number]["command"]) {
    const item = { runId: held.runId, fence: this.fence(held), command };
    const [answer] = await this.engine.report(this.projectId, [item], origin);
    return answer as NonNullable<typeof answer>;
  }

  async complete(held: Held, usage?: { inputTokens?: number; costMicros?: number }) {
    const consumed = usage === undefined ? {} : { usage };
    return ok(await this.report(held, { kind: "complete", output: null, ...consumed }));
  }

  async exhaust(held: Held, report: wire.LimitReport) {
    const item = { runId: held.runId, fence: this.fence(held), report };
    return ok(await this.engine.exhausted(this.projectId, item, origin));
  }

  async append(held: Held, events: wire.EventSubmission[]) {
    const item = { runId: held.runId, fence: this.fence(held), events };
    const [answer] = await this.engine.append(this.projectId, [item], origin);
    return answer as NonNullable<typeof answer>;
  }

  async beat(runtime: string, agents: string[]): Promise<void> {
    ok(await this.engine.heartbeat(this.projectId, { runtime, agents, leases: [] }, origin));
  }

  async run(runId: string): Promise<wire.Run> {
    return (await this.engine.run(this.projectId, runId)) as wire.Run;
  }

  /** Codes of what blocks a run, by explain. */
  async why(runId: string): Promise<string[]> {
    const { reasons = [] } = (await this.engine.explain(this.projectId, runId)) ?? {};
    return reasons.map((reason) => reason.code);
  }

  async status(name: string): Promise<string | undefined> {
    await this.engine.parts.after.settled();
    return (await this.engine.agent(this.projectId, name))?.status;
  }

  /** From → to of every change of an agent's status, in order. */
  async history(name: string): Promise<string[]> {
    await this.engine.parts.after.settled();
    const page = { order: "asc", limit: 100, type: "agent.status_changed" } as const;
    const events = await this.engine.agentEvents(this.projectId, name, page);
    return (events?.items ?? []).map(
      ({ data }) => `${String(data["from"])} → ${String(data["to"])}`,
    );
  }

  async use(id: string): Promise<{ spent: number; reserved: number }> {
    const uuid = fromTypeId("alw", id) as string;
    const found = (await this.engine.allowance(this.projectId, uuid)) as wire.Allowance;
    return { spent: found.spent, reserved: found.reserved };
  }

  /** Types of a stream's events in the project's feed. */
  async feed(type: string): Promise<wire.Event[]> {
    const page = { afterFeed: 0, limit: 500, type };
    return (await this.engine.projectEvents(this.projectId, page)).items;
  }
}
