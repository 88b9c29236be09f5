// The calendar of one agent, `ada`, for tests of slots: two servers on one database, a new project
// per test, time that moves by hand.
// Promises: presence is dated by the database's own clock, so `awake` moves it along with the time;
// `sweep` sweeps once and waits for what follows.
// Leaves to others: what is expected.

import { beforeEach } from "vitest";
import type * as wire from "@signalbox/sdk";
import type { RunCommand } from "../../src/domain/command.ts";
import type { Refusal } from "../../src/domain/refusal.ts";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { readNow } from "../../src/store/flushes.ts";
import type { Claimed, Duo } from "./duo.ts";
import { ok, useDuo } from "./duo.ts";
import { origin } from "./fixtures.ts";

export const MINUTE = 60_000;
export const AGENT = "ada";

export type Planned = Partial<Omit<wire.SlotInput, "starts_at" | "ends_at">> & {
  /** From now on, in milliseconds. Default 0 to ten minutes. */
  readonly from?: number;
  readonly to?: number;
};
type Verb = "start" | "finish" | "abort" | "skip";

/** The UUID of a slot. */
export const idOf = (slot: wire.Slot): string => fromTypeId("slt", slot.id) as string;
/** The UUID of the run of a slot. */
export const runOf = (slot: wire.Slot): string => fromTypeId("run", slot.run_id ?? "") as string;

export class Calendar {
  readonly #duo: Duo;
  #ticked = 0;
  project = "";

  constructor(duo: Duo) {
    this.#duo = duo;
  }

  get engine(): RunningEngine {
    return this.#duo.a;
  }

  async begin(): Promise<void> {
    this.project = await this.#duo.project();
    ok(await this.engine.registerAgent(this.project, AGENT, {}, origin));
  }

  tick(ms: number): void {
    this.#duo.tick(ms);
    this.#ticked += ms;
  }

  /** The engine's now, `ms` later, as the wire writes it. */
  async at(ms: number): Promise<string> {
    const { reader, context } = this.engine.parts;
    const now = await reader.within([], (runner) => readNow(runner, context.offsetMs()));
    return new Date(now + ms).toISOString();
  }

  /** Lets the agent be heard from, and its status be what it is. */
  async awake(): Promise<void> {
    const { project, engine } = this;
    await engine.registerRuntime(project, "w1", {}, origin); // stale after a leap of time
    ok(await engine.heartbeat(project, { runtime: "w1", agents: [AGENT], leases: [] }, origin));
    await this.#duo.owner.query(
      `update signalbox.presence p set last_heartbeat_at = clock_timestamp()
         + make_interval(secs => $2::double precision / 1000) where p.project_id = $1`,
      [project, this.#ticked],
    );
    await this.#lookAtStatus();
  }

  async #lookAtStatus(): Promise<void> {
    this.engine.parts.statuses.look(this.project, [AGENT]);
    await this.engine.parts.statuses.settled();
  }

  async sweep(): Promise<void> {
    await this.#duo.beat();
    await this.engine.sweepOnce();
    await this.#lookAtStatus();
  }

  async plan({ from = 0, to = 10 * MINUTE, ...input }: Planned = {}): Promise<wire.Slot> {
    const times = { starts_at: await this.at(from), ends_at: await this.at(to) };
    const slot = { agent: AGENT, type: "work", ...times, ...input } as const;
    return ok(await this.engine.createSlot(this.project, slot, origin));
  }

  async now(slot: wire.Slot): Promise<wire.Slot> {
    return (await this.engine.slot(this.project, idOf(slot))) as wire.Slot;
  }

  async status(slot: wire.Slot): Promise<string> {
    return (await this.now(slot)).status;
  }

  async change(slot: wire.Slot, verb: Verb, reason = "x"): Promise<wire.Slot | Refusal> {
    const { engine, project } = this;
    const changed = await engine.changeSlot(project, idOf(slot), { verb, reason }, origin);
    await engine.parts.after.settled();
    return changed;
  }

  async agent(): Promise<wire.Agent> {
    return (await this.engine.agent(this.project, AGENT)) as wire.Agent;
  }

  /** Types of the events of a slot, in order, with what else their rows carry. */
  async events(slot: wire.Slot): Promise<string[]> {
    const page = await this.engine.projectEvents(this.project, { afterFeed: 0, limit: 500 });
    return page.items
      .filter((event) => event.stream_id === slot.id)
      .map(({ type, also }) => [type, ...also].join("+"));
  }

  /** What the agent is given of what waits, for an hour. */
  async claim(): Promise<Claimed[]> {
    const asked = { agents: [{ name: AGENT, free: 9 }], runners: ["default"], free: 9 };
    const input = { ...asked, runtime: "w1", queues: null, leaseMs: 3_600_000, waitMs: 0 };
    const { signal } = new AbortController();
    const { claims } = ok(await this.engine.claim(this.project, input, origin, signal));
    return claims.map((one) => ({
      runId: fromTypeId("run", one.run.id) as string,
      fence: { attemptId: fromTypeId("att", one.attempt_id) as string, token: one.fencing_token },
    }));
  }

  /** Reports for the one run that was claimed. */
  async report([claimed]: readonly Claimed[], command: RunCommand): Promise<void> {
    const { engine, project } = this;
    if (claimed === undefined) throw new Error("nothing was claimed");
    ok((await engine.report(project, [{ ...claimed, command }], origin))[0]);
    await engine.parts.after.settled();
  }
}

/** Opens two servers before the tests of the file; each test has a project and `ada`. */
export function useCalendar(): { readonly duo: Duo; readonly calendar: Calendar } {
  const duo = useDuo();
  const calendar = new Calendar(duo);
  beforeEach(() => calendar.begin());
  return { duo, calendar };
}
