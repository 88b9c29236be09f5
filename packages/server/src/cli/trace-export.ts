// Sending traces to a collector (OTLP), when the environment asks for it.
// Promises: nothing is loaded unless an endpoint is set; without the package that exports, one
// warning says what to install and the server goes on without traces; at the end what is left is
// sent, for at most five seconds.
// Leaves to others: what is traced (engine/tracing), every other `OTEL_…` variable (the package).

import type { Config } from "../config.ts";
import { SpanIds } from "../engine/tracing/span-context.ts";
import type { Tracing } from "../engine/tracing/traces.ts";
import { systemClock } from "../std/clock.ts";
import type { Logger } from "../std/logger.ts";

/** What is used of the package, which is the operator's to install. */
type NodeSdk = { start(): void; shutdown(): Promise<void> };
type SdkModule = {
  readonly NodeSDK: new (options: { serviceName: string; idGenerator: SpanIds }) => NodeSdk;
};

export type OpenTraces = { readonly tracing: Tracing; readonly stop: () => Promise<void> };

/** By a name in a variable: it is no dependency, so neither compiler nor bundler look for it. */
const PACKAGE: string = "@opentelemetry/sdk-node";
const LAST_WORDS_MS = 5000;

/** Starts exporting if the environment asks for it; null when traces are off. */
export async function openTraces(
  config: Pick<Config, "otlpEndpoint" | "otelServiceName">,
  logger: Logger,
  load: () => Promise<unknown> = () => import(PACKAGE),
): Promise<OpenTraces | null> {
  if (config.otlpEndpoint === null) return null;
  let sdk: NodeSdk;
  const ids = new SpanIds();
  try {
    const { NodeSDK } = (await load()) as SdkModule;
    sdk = new NodeSDK({ serviceName: config.otelServiceName, idGenerator: ids });
    sdk.start();
  } catch (error) {
    logger.warn(
      { err: error },
      `OTEL_EXPORTER_OTLP_ENDPOINT is set, but traces are off: ${PACKAGE} cannot be loaded; ` +
        `install it beside signalbox (npm install ${PACKAGE})`,
    );
    return null;
  }
  const api = await import("@opentelemetry/api");
  const tracer = api.trace.getTracer("signalbox");
  return { tracing: { api, tracer, ids }, stop: () => atMost(sdk.shutdown(), logger) };
}

/** Waits for the last spans to be sent, but not for ever: a collector may be gone. */
async function atMost(work: Promise<void>, logger: Logger): Promise<void> {
  let cancel = (): void => {};
  const late = new Promise<void>((resolve) => {
    cancel = systemClock.setDeadline(LAST_WORDS_MS, resolve);
  });
  const done = work.catch((error: unknown) => {
    logger.warn({ err: error }, "the last spans could not be sent");
  });
  await Promise.race([done, late]);
  cancel();
}
