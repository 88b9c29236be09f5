// The figures of a server as Prometheus reads them: true, consistent with themselves, the owner's
// alone, and counted the way the library itself would count.

import type { Claim } from "@signalbox/sdk";
import fc from "fast-check";
import { Histogram, register, Registry } from "prom-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import { bind, byWord } from "../../src/engine/metrics/metric.ts";
import { Metrics } from "../../src/engine/metrics/metrics.ts";
import { BatcherFigures } from "../../src/engine/services/figures.ts";
import { fromTypeId } from "../../src/std/ids.ts";
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

type Figures = ReadonlyMap<string, number>;

/** Samples by name and labels, as they stand in the text. */
function figuresOf(text: string): Figures {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const cut = line.lastIndexOf(" ");
      return [line.slice(0, cut), Number(line.slice(cut + 1))];
    }),
  );
}

async function figures(): Promise<Figures> {
  return figuresOf((await ask(scene.app, scene.keys.owner, "GET /metrics")).text);
}

const ofWork = (name: string): string => `signalbox_batcher_${name}{batcher="work"}`;

describe("GET /metrics", () => {
  test("is plain text in the format of Prometheus, each metric described once", async () => {
    const { status, headers, text } = await ask(scene.app, scene.keys.owner, "GET /metrics");
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe(Registry.PROMETHEUS_CONTENT_TYPE);
    const described = [...text.matchAll(/^# HELP (\w+) \S.*\n# TYPE (\w+) (\w+)$/gm)];
    const types = new Map(described.map(([, name, again, type]) => [name, [again, type]]));
    expect(types.size).toBe(described.length);
    expect(types.size).toBe(text.split("\n").filter((line) => line.startsWith("# HELP")).length);
    for (const [name, [again, type]] of types) {
      expect(again).toBe(name);
      if (!name?.startsWith("signalbox_")) continue;
      expect(name.endsWith("_total"), name).toBe(type === "counter");
    }
    for (const [sample, value] of figuresOf(text)) {
      const parts = /^(\w+)(?:\{(.*)\})?$/.exec(sample);
      const base = parts?.[1]?.replace(/_(?:bucket|sum|count)$/, "") ?? "";
      expect(types.has(parts?.[1] ?? "") || types.get(base)?.[1] === "histogram", sample).toBe(
        true,
      );
      if (sample.startsWith("signalbox_")) expect(value, sample).toBeGreaterThanOrEqual(0);
    }
  });

  test("counts what was done: items, flushes, and how long they waited", async () => {
    const before = await figures();
    const step = 7;
    for (let n = 0; n < step; n += 1) await submitted(scene);
    const after = await figures();
    const grown = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    expect(grown(ofWork("items_total"))).toBe(step);
    // Each was sent after the answer to the one before.
    expect(grown(ofWork("flushes_total"))).toBe(step);
    expect(grown(ofWork("flush_items_sum"))).toBe(step);
    expect(grown('signalbox_batcher_flush_items_bucket{batcher="work",le="1"}')).toBe(step);
    for (const name of ["queue_seconds", "answer_seconds"]) {
      expect(grown(ofWork(`${name}_count`))).toBe(step);
    }
    expect(grown(ofWork("answer_seconds_sum"))).toBeGreaterThan(grown(ofWork("queue_seconds_sum")));
    expect(after.get(ofWork("waiting_items"))).toBe(0);
    expect(after.get(ofWork("waiting_rows"))).toBe(0);
  });

  test("a flush that fails is counted as halved, its poisoned item as refused", async () => {
    const { engine, projectId, app, keys } = scene;
    for (let n = 0; n < 2; n += 1) await submitted(scene, { queue: "poison" });
    const body = { runtime: "w1", queues: ["poison"], free: 2, lease_ms: 60_000 };
    const { claims } = (await ask(app, keys.worker, "POST /v1/claims", { body })).body;
    const before = await figures();
    // The door cleans what the database cannot store, so only a bug brings it there.
    const texts = ["nul \u0000 in the middle", "line"];
    const items = (claims as Claim[]).map(({ run, attempt_id, fencing_token }, n) => ({
      runId: fromTypeId("run", run.id) ?? "",
      fence: { attemptId: fromTypeId("att", attempt_id) ?? "", token: fencing_token },
      events: [{ type: "log.line", data: { text: texts[n] ?? "" } }],
    }));
    const origin = { actor: "test", requestId: "test", traceparent: null };
    const answers = await engine.append(projectId, items, origin);
    expect(answers.map((answer) => isRefusal(answer))).toEqual([true, false]);
    const after = await figures();
    const grown = (line: string): number => (after.get(line) ?? 0) - (before.get(line) ?? 0);
    expect(grown('signalbox_batcher_failed_flushes_total{batcher="work",then="halved"}')).toBe(1);
    expect(grown('signalbox_batcher_refused_total{batcher="work",reason="poisoned"}')).toBe(1);
    expect(grown(ofWork("items_total"))).toBe(1);
    expect(after.get(ofWork("waiting_items"))).toBe(0);
  });

  test("claims that wait for work are seen while they wait", async () => {
    const line = "signalbox_dispatcher_waiting_claims";
    expect((await figures()).get(line)).toBe(0);
    const body = { runtime: "w1", queues: ["nothing-here"], free: 1, wait_ms: 30_000 };
    const waiting = ask(scene.app, scene.keys.worker, "POST /v1/claims", { body });
    await expect.poll(async () => (await figures()).get(line), { timeout: 30_000 }).toBe(1);
    await submitted(scene, { queue: "nothing-here" });
    expect((await waiting).body.claims).toHaveLength(1);
    expect((await figures()).get(line)).toBe(0);
  });

  test("leaves the library's own register empty: two engines of a process never mix", async () => {
    await figures();
    expect(register.getMetricsAsArray()).toEqual([]);
  });
});

describe("what is counted", () => {
  const values = fc.array(fc.double({ min: 0, max: 20_000, noNaN: true }), { maxLength: 50 });
  const atBounds = fc.array(fc.constantFrom(0, 0.5, 1, 2.5, 5, 10, 10_000, 10_000.5));

  test("stands in the buckets in which the library itself puts it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(values, atBounds), async (waits) => {
        const [work, control] = [new BatcherFigures(), new BatcherFigures()];
        const buckets = work.answered.bounds.map((ms) => ms / 1000);
        const registers = [new Registry()];
        const name = "signalbox_batcher_answer_seconds";
        const labelNames = ["batcher"];
        const oracle = new Histogram({ name, help: "h", buckets, labelNames, registers });
        oracle.zero({ batcher: "work" });
        for (const ms of waits) {
          work.answer(0, { began: 0, now: ms });
          oracle.observe({ batcher: "work" }, ms / 1000);
        }
        const metrics = new Metrics();
        const read = () => byWord("batcher", { work: work.answered, control: control.answered });
        metrics.add(bind([{ name, type: "histogram", help: "h", per: 1000, read }], () => ({})));
        const ours = figuresOf(await metrics.text());
        for (const [line, value] of figuresOf(await (registers[0] as Registry).metrics())) {
          const sample = line.replace(/\{le="(.*)",batcher="work"\}/, '{batcher="work",le="$1"}');
          expect(ours.get(sample), sample).toBeCloseTo(value, 9);
        }
      }),
      { numRuns: 50 },
    );
  });
});
