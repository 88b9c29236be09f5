// Figures of what waits for a person and for somebody else's endpoint: questions by risk, webhooks
// by how their endpoint does, deliveries on their way, and how old the oldest are.

import { expect, test } from "vitest";
import type { MetricOf } from "../../src/engine/metrics/metric.ts";
import { houseMetrics } from "../../src/engine/metrics/of-house.ts";
import type { Reading } from "../../src/engine/services/health-figures.ts";
import { HouseFigures } from "../../src/engine/services/health-figures.ts";
import { systemClock } from "../../src/std/clock.ts";
import { silentLogger } from "../../src/std/logger.ts";
import { asked, by, startOne, uuidOf } from "./asking.ts";
import { ok, submitAll } from "./duo.ts";
import { origin } from "./fixtures.ts";
import { openReceiver } from "./receiver.ts";
import { useStage } from "./stage.ts";

const stage = useStage();

/** What the database tells when its clock is a minute on. */
async function read(): Promise<Reading> {
  const { house } = stage.engine.parts;
  const options = { house, clock: systemClock, logger: silentLogger, offsetMs: () => 60_000 };
  const figures = new HouseFigures(options);
  await figures.refresh();
  return figures.reading as Reading;
}

/** The samples of a metric, by the word of their label. */
function told(reading: Reading, name: string): Record<string, number> {
  const metric = houseMetrics.find((one) => one.name === name) as MetricOf<Reading>;
  const samples = metric.read(reading) as { labels?: Record<string, string>; value: number }[];
  return Object.fromEntries(
    samples.map(({ labels = {}, value }) => [Object.values(labels).join() || "all", value]),
  );
}

test("questions that wait, by risk, until they are answered", async () => {
  const { engine } = stage;
  const project = await stage.project();
  await engine.registerRuntime(project, "w1", {}, origin);
  const none = await read();
  expect(told(none, "signalbox_approvals_pending")).toEqual({ low: 0, medium: 0, high: 0 });
  expect(told(none, "signalbox_approvals_oldest_age_seconds")).toEqual({ all: 0 });
  const high = await asked(engine, project, await startOne(engine, project), { risk: "high" });
  await asked(engine, project, await startOne(engine, project));
  const two = await read();
  expect(told(two, "signalbox_approvals_pending")).toEqual({ low: 0, medium: 1, high: 1 });
  expect(told(two, "signalbox_approvals_oldest_age_seconds")["all"]).toBeGreaterThanOrEqual(60);
  const yes = { kind: "approve", comment: null } as const;
  ok(await engine.answerApproval(project, uuidOf(high), yes, by("ada")));
  const one = await read();
  expect(told(one, "signalbox_approvals_pending")).toEqual({ low: 0, medium: 1, high: 0 });
});

test("webhooks by how their endpoint does, and what is on its way to each kind", async () => {
  const { engine } = stage;
  const project = await stage.project();
  const [good, bad, gone] = [await openReceiver(), await openReceiver(), await openReceiver()];
  bad.answer = () => 500;
  gone.answer = () => 410;
  for (const { url } of [good, bad, gone]) {
    const input = { url, allow_private: true, types: ["run.submitted"] };
    ok(await engine.createWebhook(project, { input, owner: true, origin }));
  }
  await submitAll(engine, project, 2);
  await engine.parts.deliveries().once();
  const reading = await read();
  expect(told(reading, "signalbox_webhooks")).toEqual({ healthy: 1, failing: 1, disabled: 1 });
  const pending = told(reading, "signalbox_deliveries_pending");
  expect(pending).toMatchObject({ healthy: 0, failing: 2 });
  expect(pending["disabled"]).toBeGreaterThan(0);
  const age = told(reading, "signalbox_deliveries_oldest_age_seconds")["all"];
  expect(age).toBeGreaterThanOrEqual(60);
  await Promise.all([good, bad, gone].map((one) => one.close()));
});
