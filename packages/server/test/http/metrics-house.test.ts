// What `/metrics` tells of the whole house, read by a parser that is not ours: names, units, true
// figures, and a number of series that no name from outside can grow.

import parse from "parse-prometheus-text-format";
import type { Family } from "parse-prometheus-text-format";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runStates, terminalStates } from "../../src/domain/machine.ts";
import { bind } from "../../src/engine/metrics/metric.ts";
import { Metrics } from "../../src/engine/metrics/metrics.ts";
import { flowMetrics } from "../../src/engine/metrics/of-flow.ts";
import { countGauge, houseMetrics, readingMetrics } from "../../src/engine/metrics/of-house.ts";
import { serviceMetrics } from "../../src/engine/metrics/of-services.ts";
import { HouseFigures } from "../../src/engine/services/health-figures.ts";
import { httpMetrics } from "../../src/http/figures.ts";
import { systemClock } from "../../src/std/clock.ts";
import { silentLogger } from "../../src/std/logger.ts";
import type { Reader } from "../../src/store/db.ts";
import { ask, openScene, submitted } from "./scene.ts";
import type { Scene } from "./scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
  await ask(scene.app, scene.keys.worker, "PUT /v1/runtimes/w1");
});
afterAll(async () => {
  await scene?.close();
});

const tables = [
  ...serviceMetrics,
  ...flowMetrics,
  ...houseMetrics,
  ...readingMetrics,
  ...httpMetrics,
];

type Told = { readonly families: ReadonlyMap<string, Family>; readonly text: string };

/** Everything, with the figures of the house read just now. */
async function told(): Promise<Told> {
  const { engine, app, keys } = scene;
  const { house } = engine.parts;
  const figures = new HouseFigures({
    house,
    clock: systemClock,
    logger: silentLogger,
    offsetMs: () => 0,
  });
  await figures.refresh();
  const { text } = await ask(app, keys.owner, "GET /metrics");
  const families = new Map(parse(text).map((family) => [family.name, family]));
  for (const { name, read } of bind(houseMetrics, () => figures.reading)) {
    const metrics = read().map(({ labels, value }) => ({ labels, value: String(value) }));
    families.set(name, { ...(families.get(name) as Family), metrics });
  }
  return { families, text };
}

/** A sample; of a histogram its count, off the text, since the parser drops labels there. */
function value({ families, text }: Told, name: string, labels: object = {}): number {
  if (families.get(name)?.type === "HISTOGRAM") {
    const inside = Object.entries(labels).map(([label, word]) => `${label}="${word}"`);
    const line = `\n${name}_count${inside.length === 0 ? "" : `{${inside.join()}}`} `;
    const at = text.indexOf(line);
    if (at < 0) throw new Error(`no ${line}`);
    return Number.parseFloat(text.slice(at + line.length));
  }
  const wanted = JSON.stringify(labels);
  const samples = families.get(name)?.metrics ?? [];
  return Number(samples.find((one) => JSON.stringify(one.labels ?? {}) === wanted)?.value ?? 0);
}

describe("GET /metrics, read by another parser", () => {
  test("has every metric of ours once, with type and help, and the process's own", async () => {
    const { text } = await ask(scene.app, scene.keys.owner, "GET /metrics");
    const parsed = parse(text);
    const byName = new Map(parsed.map((family) => [family.name, family]));
    expect(byName.size).toBe(parsed.length);
    for (const { name, type, help } of tables) {
      expect(byName.get(name), name).toMatchObject({ type: type.toUpperCase(), help });
    }
    for (const name of [
      "process_cpu_seconds_total",
      "process_resident_memory_bytes",
      "nodejs_eventloop_lag_seconds",
      "nodejs_heap_size_used_bytes",
    ]) {
      expect(byName.get(name)?.metrics, name).toHaveLength(1);
    }
  });

  test("names end in their unit, and labels are those that are documented", async () => {
    const { families, text } = await told();
    for (const { name, type, labels = [], help, per } of tables) {
      expect(name).toMatch(/^signalbox_[a-z_]+$/);
      expect(name.endsWith("_total"), name).toBe(type === "counter");
      if (per === 1000) expect(name).toMatch(/_seconds$/);
      expect(name).not.toMatch(/_(?:ms|milliseconds|minutes|percent)(?:_|$)/);
      expect(help, name).toMatch(/^[A-Z0-9].{9,}\.$/);
      if (type === "histogram") {
        const [, inside = ""] = new RegExp(`^${name}_count(?:{(.*)})? `, "m").exec(text) ?? [];
        const names = [...inside.matchAll(/(\w+)="/g)].map(([, label]) => label);
        expect(names, name).toEqual([...labels]);
        continue;
      }
      for (const sample of families.get(name)?.metrics ?? []) {
        expect(Object.keys(sample.labels ?? {}), name).toEqual([...labels]);
      }
    }
  });

  test("counts runs as they come, are held back, are claimed and end", async () => {
    const before = await told();
    const grown = (after: Told, name: string, labels: object = {}): number =>
      value(after, name, labels) - value(before, name, labels);
    const first = await submitted(scene, { queue: "steps" });
    await submitted(scene, { queue: "steps", not_before: "2100-01-01T00:00:00.000Z" });
    await submitted(scene, { queue: "steps", depends_on: [first.id] });
    const waiting = await told();
    expect(grown(waiting, "signalbox_runs_submitted_total")).toBe(3);
    expect(grown(waiting, "signalbox_runs", { state: "pending" })).toBe(3);
    expect(grown(waiting, "signalbox_runs_held", { by: "later" })).toBe(1);
    expect(grown(waiting, "signalbox_runs_held", { by: "dependency" })).toBe(1);
    expect(value(waiting, "signalbox_runs_ready", { queue: "steps" })).toBe(1);
    const route = { route: "POST /v1/runs", status: "2xx" };
    expect(grown(waiting, "signalbox_http_requests_total", route)).toBe(3);

    const body = { runtime: "w1", queues: ["steps"], free: 1, lease_ms: 60_000 };
    const { claims } = (await ask(scene.app, scene.keys.worker, "POST /v1/claims", { body })).body;
    const { run, attempt_id, fencing_token } = claims[0];
    const fence = { attempt_id, fencing_token };
    const path = `/v1/runs/${run.id}`;
    await ask(scene.app, scene.keys.worker, `POST ${path}/start`, { body: fence });
    const live = await told();
    expect(grown(live, "signalbox_runs_claimed_total")).toBe(1);
    expect(grown(live, "signalbox_run_claim_wait_seconds")).toBe(1);
    expect(grown(live, "signalbox_attempt_start_wait_seconds")).toBe(1);
    expect(grown(live, "signalbox_runs", { state: "running" })).toBe(1);

    await ask(scene.app, scene.keys.worker, `POST ${path}/complete`, { body: fence });
    const ended = await told();
    expect(grown(ended, "signalbox_runs_ended_total", { cause: "completed" })).toBe(1);
    expect(grown(ended, "signalbox_attempts_ended_total", { cause: "completed" })).toBe(1);
    expect(grown(ended, "signalbox_attempt_seconds", { outcome: "completed" })).toBe(1);
    expect(grown(ended, "signalbox_run_seconds", { state: "completed" })).toBe(1);
    expect(grown(ended, "signalbox_runs", { state: "running" })).toBe(0);
    expect(grown(ended, "signalbox_leases_expired_total")).toBe(0);
  });

  test("every state has its series, also at zero; ended states are counters instead", async () => {
    const { families } = await told();
    const states = families.get("signalbox_runs")?.metrics.map(({ labels }) => labels?.["state"]);
    const live = runStates.filter((state) => !terminalStates.some((end) => end === state));
    expect(states).toEqual(live);
  });

  test("hostile names make no series of their own, and nothing that is not a number", async () => {
    const { app, keys } = scene;
    const hostile = ['a"} 1 fake_metric 1', "x".repeat(190), "évil é", "{a=b}", "back\\slash", "'"];
    // Queues are counted apart, below: the text may be of a reading of up to five seconds ago.
    const isOther = (line: string): boolean => !/^(?:#|signalbox_runs_ready\{|$)/.test(line);
    const seriesOf = ({ text }: Told): number => text.split("\n").filter(isOther).length;
    for (const queue of hostile) {
      const spec = { queue, runner: queue, agent: queue, tags: [queue], model: queue };
      await submitted(scene, spec);
      await ask(app, keys.admin, `PUT /v1/agents/${encodeURIComponent(queue)}`);
      await ask(app, keys.viewer, `GET /nowhere/${encodeURIComponent(queue)}`);
    }
    const few = seriesOf(await told());
    for (let n = 0; n < 60; n += 1) {
      await submitted(scene, { queue: `plain-${n}`, agent: `agent-${n}`, runner: `r-${n}` });
      await submitted(scene, { queue: `${n}${hostile[n % hostile.length]}` });
      await ask(app, keys.viewer, `GET /nowhere/${n}`);
    }
    const after = await told();
    const queues = after.families.get("signalbox_runs_ready")?.metrics ?? [];
    expect(queues.length).toBeLessThanOrEqual(21);
    for (const { labels } of queues) expect(labels?.["queue"]).toMatch(/^[\w.:@/-]{1,64}$/);
    // What all of them have together is still the number of runs that wait.
    const ready = queues.reduce((sum, { value: own }) => sum + Number(own), 0);
    const held = value(after, "signalbox_runs_held", { by: "later" });
    expect(ready + held).toBe(value(after, "signalbox_runs", { state: "pending" }));
    expect(after.text).not.toMatch(/fake_metric|évil|xxxx|agent-\d|r-\d|nowhere/);
    expect(seriesOf(after) - few).toBeLessThanOrEqual(20);
  });

  test("allowances are told by id, the fullest twenty, the next one as other", async () => {
    const { app, keys } = scene;
    for (let n = 0; n < 25; n += 1) {
      const scope = { scope: "agent", name: `secret-${n}`, metric: "tokens", limit: 1000 + n };
      const made = await ask(app, keys.admin, "POST /v1/allowances", {
        body: { ...scope, mode: "hard", window: "day" },
      });
      expect(made.status, made.text).toBe(201);
    }
    const { families, text } = await told();
    const used = families.get("signalbox_allowance_used_ratio")?.metrics ?? [];
    expect(used).toHaveLength(21);
    expect(used.filter(({ labels }) => labels?.["allowance"] === "other")).toHaveLength(1);
    expect(text).not.toContain("secret-");
  });

  test("another part adds a gauge: every word has its series, others have none", async () => {
    const { house } = scene.engine.parts;
    const offsetMs = (): number => 0;
    const figures = new HouseFigures({ house, clock: systemClock, logger: silentLogger, offsetMs });
    const counts = figures.also(async () => [
      { label: "pending", value: 3 },
      { label: "made up", value: 9 },
    ]);
    const gauge = { name: "signalbox_things", help: "Things by status.", label: "status" };
    const metrics = new Metrics();
    metrics.add(bind([countGauge(gauge, ["pending", "rejected"])], counts), () =>
      figures.refresh(),
    );
    const things = parse(await metrics.text()).find(({ name }) => name === gauge.name);
    expect(things?.metrics).toEqual([
      { value: "3", labels: { status: "pending" } },
      { value: "0", labels: { status: "rejected" } },
    ]);
  });

  test("askers share a reading for 5 s; without a database only its figures fail", async () => {
    let reads = 0;
    let mono = 0;
    let away = false;
    const within = async (_: readonly string[], use: (runner: never) => Promise<unknown>) => {
      reads += 1;
      if (away) throw new Error("the database is away");
      return use({ query: async () => [] } as never);
    };
    const house = { within } as unknown as Reader;
    const clock = { ...systemClock, mono: () => mono };
    const logger = silentLogger;
    const figures = new HouseFigures({ house, clock, logger, offsetMs: () => 0 });
    await Promise.all([figures.refresh(), figures.refresh(), figures.refresh()]);
    mono = 4999;
    await figures.refresh();
    expect(reads).toBe(1);
    away = true;
    mono = 5000;
    await figures.refresh();
    expect(reads).toBe(2);
    const metrics = new Metrics();
    metrics.add(bind(houseMetrics, () => figures.reading));
    metrics.add(bind(readingMetrics, () => figures));
    const parsed = new Map(parse(await metrics.text()).map((family) => [family.name, family]));
    expect(parsed.get("signalbox_database_figures_up")?.metrics).toEqual([{ value: "0" }]);
    expect(parsed.get("signalbox_runs")?.metrics ?? []).toEqual([]);
    expect(parsed.get("process_start_time_seconds")?.metrics).toHaveLength(1);
  });
});
