// Traces of `up`: off unless the environment asks, a warning instead of a failure without the
// package that exports, and an end that does not wait for a collector that is gone.

import { describe, expect, test } from "vitest";
import { openTraces } from "../../src/cli/trace-export.ts";
import { readConfig } from "../../src/config.ts";
import { SpanIds } from "../../src/engine/tracing/span-context.ts";
import type { LogFields, Logger } from "../../src/std/logger.ts";

function listening(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const line = (_fields: LogFields, message: string): void => void lines.push(message);
  return { logger: { debug: line, info: line, warn: line, error: line }, lines };
}

const asked = readConfig({}, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" });

describe("traces of the command", () => {
  test("are off without an endpoint, and nothing is loaded", async () => {
    const { logger, lines } = listening();
    const never = (): never => {
      throw new Error("it was loaded");
    };
    expect(await openTraces(readConfig({}, {}), logger, never)).toBeNull();
    expect(lines).toEqual([]);
  });

  test("without the package are off, with one warning that says what to install", async () => {
    const { logger, lines } = listening();
    const missing = (): Promise<unknown> => Promise.reject(new Error("Cannot find package"));
    expect(await openTraces(asked, logger, missing)).toBeNull();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("npm install @opentelemetry/sdk-node");
  });

  test("begin with our ids and the service name; what fails at the end is said", async () => {
    const { logger, lines } = listening();
    const made: { serviceName: string; idGenerator: unknown }[] = [];
    const did: string[] = [];
    class NodeSDK {
      constructor(options: { serviceName: string; idGenerator: unknown }) {
        made.push(options);
      }
      start(): void {
        did.push("start");
      }
      shutdown(): Promise<void> {
        did.push("shutdown");
        return Promise.reject(new Error("the collector is gone"));
      }
    }
    const traces = await openTraces(asked, logger, async () => ({ NodeSDK }));
    expect(made[0]?.serviceName).toBe("signalbox");
    expect(made[0]?.idGenerator).toBeInstanceOf(SpanIds);
    expect(traces?.tracing.ids).toBe(made[0]?.idGenerator);
    await traces?.stop();
    expect(did).toEqual(["start", "shutdown"]);
    expect(lines).toEqual(["the last spans could not be sent"]);
  });
});
