// A storm: two servers, four agents on three accounts, allowances of every scope, and everything
// that can happen to attempts in an order that a seed draws. Afterwards the books must balance.
import { expect, test } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import type { Crew, Held } from "./crew.ts";
import { useFleet } from "./fleet-scene.ts";
import { origin } from "./fixtures.ts";

const fleet = useFleet();
const agents = ["a", "b", "c", "d"];

/** Numbers 0 ≤ r < 1 that a seed draws. */
function drawn(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

class Storm {
  readonly #crews: readonly Crew[];
  readonly #random: () => number;
  readonly allowances: string[] = [];
  readonly live: Held[] = [];
  readonly ended: Held[] = [];
  readonly odd: string[] = [];
  #number = 0;

  constructor(crews: readonly Crew[], seed: number) {
    this.#crews = crews;
    this.#random = drawn(seed);
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }

  get crew(): Crew {
    return this.#pick(this.#crews);
  }

  async step(): Promise<void> {
    const kinds = ["claim", "claim", "usage", "end", "end", "late", "operate", "submit"] as const;
    const kind = this.#pick(kinds);
    if (kind === "submit") return this.#submit();
    if (kind === "claim") return this.#claim();
    if (kind === "operate") return this.#operate();
    const held = this.#pick(kind === "late" ? this.ended : this.live);
    if (held === undefined) return;
    if (kind === "usage" || kind === "late") return this.#usage(held);
    return this.#end(held);
  }

  #note(answer: unknown): void {
    const lawful = ["stale_fencing_token", "already_terminal", "invalid_transition", "not_found"];
    if (!isRefusal(answer)) return;
    const { code } = answer;
    if (!lawful.includes(code)) this.odd.push(code);
  }

  async #submit(): Promise<void> {
    const parent = this.#random() < 0.3 ? this.#pick(this.live)?.runId : undefined;
    const model = this.#pick([null, "large", "small"]);
    const estimate = this.#random() < 0.5 ? { tokens: 20, cost_micros: 3 } : null;
    await this.crew.submit(3, { parentRun: parent ?? null, model, estimate });
  }

  async #claim(): Promise<void> {
    const names = this.#random() < 0.5 ? [this.#pick(agents)] : agents;
    this.live.push(...(await this.crew.claim("w1", names, 2)));
  }

  async #usage(held: Held): Promise<void> {
    this.#number += 1;
    const usage = { input_tokens: Math.floor(this.#random() * 30), cost_micros: 2 };
    const event = { type: "usage.recorded", producer_seq: this.#number, usage };
    const twice = this.#random() < 0.3;
    const answers = await Promise.all(
      this.#crews.slice(0, twice ? 2 : 1).map((crew) => crew.append(held, [event])),
    );
    for (const answer of answers) {
      // Numbers rise per attempt; the storm draws them over all, so some come too late.
      if (!isRefusal(answer) || answer.code !== "producer_seq_mismatch") this.#note(answer);
    }
  }

  async #end(held: Held): Promise<void> {
    const at = this.live.indexOf(held);
    if (at >= 0) this.live.splice(at, 1);
    this.ended.push(held);
    const { crew } = this;
    const usage = { inputTokens: 10, costMicros: 1 };
    const error = { code: "broken", message: "it broke" };
    const end = this.#pick(["complete", "fail", "release", "exhaust", "cancel", "kill"] as const);
    if (end === "complete") {
      this.#note(await crew.report(held, { kind: "complete", output: null, usage }));
    } else if (end === "fail") {
      this.#note(await crew.report(held, { kind: "fail", error, retryable: true, usage }));
    } else if (end === "release") {
      this.#note(await crew.report(held, { kind: "release", cause: "declined" }));
    } else if (end === "exhaust") {
      const report = { reason: "rate_limit", recovery_in_ms: 1000 } as const;
      const item = { runId: held.runId, fence: crew.fence(held), report };
      this.#note(await crew.engine.exhausted(crew.projectId, item, origin));
    } else if (end === "kill") {
      this.#note(await crew.engine.kill(crew.projectId, held.runId, "enough", origin));
    } else {
      const asked = { reason: null, cascade: false };
      this.#note(await crew.engine.cancel(crew.projectId, held.runId, asked, origin));
      this.#note(await crew.report(held, { kind: "fail", error, retryable: true, usage }));
    }
  }

  async #operate(): Promise<void> {
    const { crew } = this;
    const id = fromTypeId("alw", this.#pick(this.allowances)) as string;
    const what = this.#random();
    if (what < 0.1) {
      this.#note(await crew.engine.deleteAllowance(crew.projectId, id, origin));
      const name = this.#pick(agents);
      const asked = { scope: "agent", name, metric: "tokens", limit: 900, window: "hour" } as const;
      this.allowances.push((await crew.allowance(asked)).id);
    } else if (what < 0.2) {
      await crew.agent(this.#pick(agents), { accounts: this.#pick([["one"], ["d", "two"]]) });
    } else if (what < 0.3) {
      await crew.engine.sweepOnce();
    } else if (what < 0.4) {
      const change = { limit: 500 + Math.floor(this.#random() * 5000) };
      this.#note(await crew.engine.updateAllowance(crew.projectId, id, change, origin));
    } else if (what < 0.6) {
      const max_concurrent = this.#pick([null, 0, 2, 9]);
      await crew.agent(this.#pick(agents), { max_concurrent });
    } else {
      const account = this.#pick(["one", "two", "d"]);
      const call = { reason: "go on" };
      this.#note(await crew.engine.recoverAccount(crew.projectId, account, call, origin));
    }
  }
}

test.each([1, 2, 3])(
  "whatever happens in whatever order, the books balance (seed %i)",
  async (n) => {
    const crews = await fleet.crews();
    const [crew] = crews;
    const accounts = [["one"], ["one", "two"], ["two", "one"], ["d"]];
    for (const [at, name] of agents.entries()) {
      await crew.agent(name, { accounts: accounts[at] as string[] });
    }
    const storm = new Storm(crews, n);
    const window = "day";
    for (const input of [
      { scope: "project", metric: "tokens", limit: 5000, window, default_reserve: 10 },
      { scope: "project", metric: "runs", limit: 400, window },
      { scope: "agent", name: "a", metric: "cost_micros", limit: 300, window },
      { scope: "agent", name: "b", metric: "concurrent_runs", limit: 3 },
      { scope: "account", name: "one", metric: "tokens", limit: 3000, window },
      { scope: "model", name: "large", metric: "tokens", limit: 1000, window, mode: "kill" },
      {
        scope: "agent",
        name: "d",
        metric: "tokens",
        limit: 900,
        window: "rolling",
        window_hours: 1,
      },
    ] as const) {
      storm.allowances.push((await crew.allowance(input)).id);
    }
    await crew.submit(60);
    for (let round = 0; round < 60; round += 1) {
      await Promise.all(Array.from({ length: 8 }, () => storm.step()));
    }
    for (const { engine } of crews) await engine.parts.after.settled();
    fleet.duo.tick(61_000);
    await fleet.duo.beat();
    await crew.engine.sweepOnce();
    await crew.engine.sweepOnce();
    expect(storm.odd).toEqual([]);
    expect(storm.ended.length).toBeGreaterThan(30);
  },
);
