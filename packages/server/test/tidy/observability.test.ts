// The dashboard and the alert rules name metrics, labels and words that exist.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { flowMetrics } from "../../src/engine/metrics/of-flow.ts";
import { houseMetrics, readingMetrics } from "../../src/engine/metrics/of-house.ts";
import { serviceMetrics } from "../../src/engine/metrics/of-services.ts";
import { httpMetrics } from "../../src/http/figures.ts";
import { filesLike } from "./repository.ts";

const folder = new URL("../../../../docs/observability/", import.meta.url);
const text = (name: string): string => readFileSync(new URL(name, folder), "utf8");

const tables = [flowMetrics, houseMetrics, readingMetrics, serviceMetrics, httpMetrics].flat();
const byName = new Map<string, (typeof tables)[number]>(tables.map((one) => [one.name, one]));

/** Metrics of ours in an expression that are in no table, or carry a suffix their type has not. */
function unknownIn(expression: string): string[] {
  return [...expression.matchAll(/signalbox_\w+/g)]
    .map(([name]) => name)
    .filter((name) => {
      const base = name.replace(/_(?:bucket|sum|count)$/, "");
      return !byName.has(name) && byName.get(base)?.type !== "histogram";
    });
}

describe("docs/observability", () => {
  test("the dashboard asks for metrics and labels that exist", () => {
    const { panels } = JSON.parse(text("grafana-dashboard.json")) as {
      panels: { title: string; targets: { expr: string; legendFormat: string }[] }[];
    };
    expect(panels.length).toBeGreaterThan(20);
    for (const { title, targets } of panels) {
      for (const { expr, legendFormat } of targets) {
        expect(unknownIn(expr), title).toEqual([]);
        const known = [...expr.matchAll(/signalbox_\w+/g)].flatMap(
          ([name]) => byName.get(name.replace(/_(?:bucket|sum|count)$/, ""))?.labels ?? [],
        );
        for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          expect([...known, "instance"], `${title}: ${label}`).toContain(label);
        }
      }
    }
  });

  test("the alert rules ask for metrics that exist, each with a severity and a summary", () => {
    const rules = text("alerts.yml")
      .split(/^ +- alert: /m)
      .slice(1);
    expect(rules.length).toBeGreaterThan(10);
    for (const rule of rules) {
      expect(unknownIn(rule)).toEqual([]);
      expect(rule).toMatch(/expr: \S/);
      expect(rule).toMatch(/severity: (?:page|ticket)/);
      expect(rule).toMatch(/summary: \S/);
    }
  });

  test("a metric that is in no table is found", () => {
    expect(unknownIn("sum(signalbox_made_up) + signalbox_runs_count")).toEqual([
      "signalbox_made_up",
      "signalbox_runs_count",
    ]);
  });
});

test("OpenTelemetry is loaded by nobody but whoever asks for traces: elsewhere types alone", () => {
  const importing = filesLike(/^packages\/server\/src\/.*\.ts$/).flatMap(({ path, text }) =>
    text
      .split("\n")
      .filter((line) => line.includes('"@opentelemetry/') && !line.startsWith("import type"))
      .map((line) => `${path}: ${line.trim()}`),
  );
  expect(importing).toEqual([
    'packages/server/src/cli/trace-export.ts: const PACKAGE: string = "@opentelemetry/sdk-node";',
    'packages/server/src/cli/trace-export.ts: const api = await import("@opentelemetry/api");',
  ]);
});
