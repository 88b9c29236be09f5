// Traces: one run over HTTP with the SDK's worker, as the exporter of OpenTelemetry sees it.
// Promises: the real engine, real sockets, the library's own provider; the tree is that of one run.
// Leaves to others: the format on the wire to a collector (the library's).

import * as api from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  AlwaysOnSampler,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { Signalbox } from "@signalbox/sdk";
import { Worker } from "@signalbox/sdk/worker";
import type { Attempt, Handler } from "@signalbox/sdk/worker";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { attemptSpanId, parseTraceparent, SpanIds } from "../../src/engine/tracing/span-context.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { ask, openScene, submitted } from "./scene.ts";
import type { Scene } from "./scene.ts";

const exporter = new InMemorySpanExporter();
const ids = new SpanIds();
const provider = new BasicTracerProvider({
  idGenerator: ids,
  sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
  spanProcessors: [new SimpleSpanProcessor(exporter)],
});

let scene: Scene;
let client: Signalbox;
beforeAll(async () => {
  const tracing = { api, tracer: provider.getTracer("signalbox"), ids };
  scene = await openScene({}, { tracing });
  const url = await scene.app.listen({ host: "127.0.0.1", port: 0 });
  client = new Signalbox({ url, key: scene.keys.admin });
});
beforeEach(() => exporter.reset());
afterAll(async () => {
  await scene?.close();
  await provider.shutdown();
});

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
const sampled = `00-${TRACE}-${CALLER}-01`;

/** Spans of a trace that ended so far. */
function spansOf(traceId: string): ReadableSpan[] {
  return exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId);
}

const idOf = (span: ReadableSpan | undefined): string | undefined => span?.spanContext().spanId;
const named = (spans: ReadableSpan[], name: string): ReadableSpan | undefined =>
  spans.find((span) => span.name === name);

/** Has a worker do what is submitted, and waits until everything about it is told. */
async function done(spec: object, handler: Handler<never>): Promise<string> {
  const worker = new Worker(client, { signals: false, onError: () => {}, agents: ["reviewer"] });
  await worker.handle(handler).start();
  const run = await client.runs.submit({ agent: "reviewer", ...spec });
  await client.runs.wait(run.id);
  await worker.stop();
  await scene.engine.parts.traces?.settled();
  return run.id;
}

describe("one run", () => {
  test("is one trace: below its submit are claim and attempt, whoever does them", async () => {
    const seen: (string | null)[] = [];
    const id = await done(
      { model: "m-1", conversation_id: "talk-7", traceparent: sampled, input: { secret: "cnry" } },
      async (attempt: Attempt<never>) => {
        seen.push(attempt.traceparent);
        void attempt.usage({ input_tokens: 11, output_tokens: 7, cost_micros: 5 });
        await attempt.log("canary text");
        return { secret: "cnry" };
      },
    );
    const spans = spansOf(TRACE);
    expect(spans.map(({ name }) => name).toSorted()).toEqual([
      "claim",
      "invoke_agent reviewer",
      "submit",
    ]);
    const submit = named(spans, "submit");
    const attempt = named(spans, "invoke_agent reviewer");
    const claim = named(spans, "claim");
    expect(submit?.parentSpanContext?.spanId).toBe(CALLER);
    expect(claim?.parentSpanContext?.spanId).toBe(idOf(submit));
    expect(attempt?.parentSpanContext?.spanId).toBe(idOf(submit));
    expect((await client.runs.get(id)).traceparent).toBe(`00-${TRACE}-${idOf(submit)}-01`);

    // What the worker was told to go on with is the attempt's span, known before it ended.
    expect(seen).toEqual([`00-${TRACE}-${idOf(attempt)}-01`]);
    const [record] = await client.runs.attempts(id);
    expect(idOf(attempt)).toBe(attemptSpanId(fromTypeId("att", record?.id ?? "") ?? ""));

    expect(attempt?.attributes).toMatchObject({
      "gen_ai.operation.name": "invoke_agent",
      "gen_ai.agent.name": "reviewer",
      "gen_ai.request.model": "m-1",
      "gen_ai.conversation.id": "talk-7",
      "gen_ai.usage.input_tokens": 11,
      "gen_ai.usage.output_tokens": 7,
      "signalbox.usage.cost_micros": 5,
      "signalbox.run.id": id,
      "signalbox.attempt.number": 1,
      "signalbox.attempt.outcome": "completed",
    });
    const facts = attempt?.events.map((event) => event.name) ?? [];
    expect(facts[0]).toBe("run.claimed");
    expect(facts).toContain("run.started");
    expect(facts.at(-1)).toBe("run.completed");
    expect(attempt?.status.code).toBe(api.SpanStatusCode.UNSET);
    expect(api.SpanKind[claim?.kind ?? 0]).toBe("CONSUMER");
    // The claim says in which request it was made: that one has a trace of its own.
    const [link] = claim?.links ?? [];
    const request = exporter.getFinishedSpans().find((span) => idOf(span) === link?.context.spanId);
    expect(request?.name).toBe("POST /v1/claims");

    const everything = JSON.stringify(
      exporter
        .getFinishedSpans()
        .map(({ name, attributes, events, status }) => [name, attributes, events, status]),
    );
    expect(everything).not.toMatch(/cnry|canary|sbx_|sba_|sbc_/);
  });

  test("that fails has an attempt in error, with the code and not the message", async () => {
    await done({ traceparent: sampled, max_attempts: 1 }, () => {
      throw Object.assign(new Error("canary message"), { code: "E-DISK" });
    });
    const attempt = named(spansOf(TRACE), "invoke_agent reviewer");
    expect(attempt?.status.code).toBe(api.SpanStatusCode.ERROR);
    expect(attempt?.attributes["signalbox.attempt.outcome"]).toBe("failed");
    expect(String(attempt?.attributes["error.type"])).not.toBe("");
    expect(JSON.stringify([attempt?.attributes, attempt?.status])).not.toContain("canary");
  });

  test("whose caller decided not to sample has no span, and its worker is told so", async () => {
    const seen: (string | null)[] = [];
    await done({ traceparent: `00-${TRACE}-${CALLER}-00` }, (attempt: Attempt<never>) => {
      seen.push(attempt.traceparent);
    });
    expect(spansOf(TRACE)).toEqual([]);
    expect(parseTraceparent(seen[0] ?? null)).toMatchObject({ traceId: TRACE, traceFlags: 0 });
  });

  test("without a caller's trace begins one in the request that submits it", async () => {
    const id = await done({}, () => null);
    const { traceparent } = await client.runs.get(id);
    const context = parseTraceparent(traceparent);
    const spans = spansOf(context?.traceId ?? "");
    expect(spans.map(({ name }) => name).toSorted()).toEqual([
      "POST /v1/runs",
      "claim",
      "invoke_agent reviewer",
      "submit",
    ]);
    const request = named(spans, "POST /v1/runs");
    expect(request?.parentSpanContext).toBeUndefined();
    expect(named(spans, "submit")?.parentSpanContext?.spanId).toBe(idOf(request));
  });
});

describe("requests and flushes", () => {
  test("a request is named by its route and goes on with the client's trace", async () => {
    const { app, keys } = scene;
    const headers = { traceparent: sampled };
    await ask(app, keys.viewer, "GET /v1/runs/run_0000000000000000000000000a", {
      headers,
    });
    await ask(app, keys.viewer, "GET /nowhere/canary", { headers });
    const [known, unknown] = spansOf(TRACE);
    expect(known?.name).toBe("GET /v1/runs/:id");
    expect(known?.attributes).toMatchObject({
      "http.request.method": "GET",
      "http.route": "/v1/runs/:id",
      "http.response.status_code": 404,
    });
    expect(known?.parentSpanContext?.spanId).toBe(CALLER);
    expect(unknown?.name).toBe("GET");
    expect(JSON.stringify([known?.attributes, unknown?.attributes])).not.toContain("canary");
  });

  test("a header that is no trace context is left aside", async () => {
    const wrong = ["", "00-abc", `00-${"0".repeat(32)}-${CALLER}-01`, `ff-${TRACE}-${CALLER}-01`];
    for (const traceparent of wrong) {
      const reply = await ask(scene.app, scene.keys.viewer, "GET /v1/runs", {
        headers: { traceparent },
      });
      expect(reply.status).toBe(200);
    }
    const spans = exporter.getFinishedSpans().filter(({ name }) => name === "GET /v1/runs");
    expect(spans.map((span) => span.parentSpanContext)).toEqual(wrong.map(() => undefined));
  });

  test("an event of the register names the request's span", async () => {
    const run = await submitted(scene);
    const [event] = (await client.runs.events(run.id)).items;
    const request = exporter.getFinishedSpans().find(({ name }) => name === "POST /v1/runs");
    expect(event?.traceparent).toBe(`00-${request?.spanContext().traceId}-${idOf(request)}-01`);
  });

  test("a flush says how many items it had", async () => {
    const specs = Array.from({ length: 3 }, () => ({}));
    await client.runs.submitMany(specs);
    const flushes = exporter.getFinishedSpans().filter(({ name }) => name === "flush");
    expect(flushes.length).toBeGreaterThan(0);
    for (const { attributes } of flushes) {
      expect(attributes["signalbox.flush.items"]).toBeGreaterThanOrEqual(1);
      expect(["work", "control"]).toContain(attributes["signalbox.batcher"]);
    }
  });
});

test("while traces are off, run and worker keep the trace the run came with", async () => {
  const off = await openScene();
  try {
    expect(off.engine.traces).toBeNull();
    await ask(off.app, off.keys.worker, "PUT /v1/runtimes/w1");
    const run = await submitted(off, { traceparent: sampled });
    const body = { runtime: "w1", free: 1 };
    const { claims } = (await ask(off.app, off.keys.worker, "POST /v1/claims", { body })).body;
    expect(claims[0]).toMatchObject({ run: { id: run.id, traceparent: sampled } });
    expect(claims[0].traceparent).toBe(sampled);
    expect(exporter.getFinishedSpans()).toEqual([]);
  } finally {
    await off.close();
  }
});
