// Traces: what becomes of a run across processes, as spans of OpenTelemetry. A submission's span is
// stored with its run as `traceparent`; claims and attempts are its children, whichever server and
// worker they happen on.
// Promises: nothing here is made or called unless traces are on; spans hold ids, names and numbers,
// never inputs, outputs, messages or keys; a decision not to sample is kept; nothing waits for it.
// Leaves to others: exporting (the provider behind the tracer), requests (http/request-spans.ts).

import type * as OpenTelemetry from "@opentelemetry/api";
import type { Attributes, Span, SpanOptions, Tracer } from "@opentelemetry/api";
import type { Clock } from "../../std/clock.ts";
import { toTypeId } from "../../std/ids.ts";
import type { Logger } from "../../std/logger.ts";
import type { Reader } from "../../store/db.ts";
import { readEndedAttempts } from "../../store/traces.ts";
import type { NewRun } from "../../domain/submission.ts";
import type { Origin } from "../contract.ts";
import type { Flushed } from "../services/flush/flush.ts";
import type { Granted } from "../services/flush/items.ts";
import { startAttemptSpan } from "./attempt-span.ts";
import type { SpanIds } from "./span-context.ts";
import { attemptSpanId, parseTraceparent, traceparentOf } from "./span-context.ts";

type Api = typeof OpenTelemetry;

/** Where spans go. */
export type Tracing = {
  /** The module `@opentelemetry/api`: handed in, so that it is not loaded while traces are off. */
  readonly api: Api;
  readonly tracer: Tracer;
  /** The id generator of the tracer's provider. Without it workers continue the submission. */
  readonly ids?: SpanIds;
};

export type TracesOptions = Tracing & {
  readonly reader: Reader;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** A submission under way, with what its runs carry on. */
export type TracedSubmission = {
  readonly specs: readonly NewRun[];
  /** `runIds` in the order of the specs; null where the run was refused. */
  readonly end: (runIds: readonly (string | null)[]) => void;
};

type Ended = { readonly projectId: string; readonly runId: string; readonly number: number };

/** Attempts read at once, and those that may wait for it; further ones are dropped, and said. */
const PAGE = 200;
const MOST_WAITING = 10_000;

export class Traces {
  readonly #options: TracesOptions;
  readonly #ended: Ended[] = [];
  #telling: Promise<void> | null = null;
  #dropped = 0;

  constructor(options: TracesOptions) {
    this.#options = options;
  }

  /** Starts a span below the one that a text names, or a trace of its own. */
  start(name: string, parent: string | null, options: SpanOptions): Span {
    const { api, tracer } = this.#options;
    const above = parseTraceparent(parent);
    const context =
      above === null ? api.ROOT_CONTEXT : api.trace.setSpanContext(api.ROOT_CONTEXT, above);
    return tracer.startSpan(name, options, context);
  }

  /** How the kinds and states of spans are called. */
  get words(): Pick<Api, "SpanKind" | "SpanStatusCode"> {
    return this.#options.api;
  }

  /** A span per run that is submitted; the run carries it on instead of what it came with. */
  submitting(specs: readonly NewRun[], projectId: string): TracedSubmission {
    const { SpanKind, SpanStatusCode } = this.#options.api;
    const spans = specs.map((spec) =>
      this.start("submit", spec.traceparent, {
        kind: SpanKind.PRODUCER,
        attributes: {
          "signalbox.project.id": toTypeId("prj", projectId),
          "signalbox.queue": spec.queue,
          "signalbox.runner": spec.runner,
          "signalbox.batch.size": specs.length,
        },
      }),
    );
    const carried = spans.map((span, index) => {
      const traceparent = traceparentOf(span.spanContext());
      return { ...(specs[index] as NewRun), traceparent };
    });
    const end: TracedSubmission["end"] = (runIds) => {
      for (const [index, span] of spans.entries()) {
        const id = runIds[index] ?? null;
        if (id === null) span.setStatus({ code: SpanStatusCode.ERROR, message: "refused" });
        else span.setAttribute("signalbox.run.id", id);
        span.end();
      }
    };
    return { specs: carried, end };
  }

  /** Runs were handed to a worker. */
  claimed(grants: readonly Granted[], { traceparent }: Origin): void {
    const { SpanKind } = this.#options.api;
    const request = parseTraceparent(traceparent);
    const links = request === null ? [] : [{ context: request }];
    for (const { run, detail, agent, account } of grants) {
      if (detail === null || run.claimedAt === null) continue;
      const since = Math.max(run.createdAt, run.notBefore ?? 0);
      const attributes: Attributes = {
        "signalbox.run.id": toTypeId("run", run.id),
        "signalbox.attempt.number": run.fencingToken,
        "signalbox.queue": detail.queue,
        "signalbox.runner": detail.runner,
        "signalbox.run.wait_ms": Math.max(0, run.claimedAt - since),
        ...(run.runtime === null ? {} : { "signalbox.runtime": run.runtime }),
        ...(agent === null ? {} : { "gen_ai.agent.name": agent }),
        ...(account === null ? {} : { "signalbox.account": account }),
      };
      const { claimedAt: startTime } = run;
      const options = { kind: SpanKind.CONSUMER, startTime, attributes, links };
      const span = this.start("claim", detail.traceparent, options);
      span.end(Math.max(startTime, this.#options.clock.wall()));
    }
  }

  /** What the worker of an attempt goes on with: the attempt's own span, told when it ends. */
  traceparentOfAttempt(traceparent: string | null, attemptId: string): string | null {
    const parent = parseTraceparent(traceparent);
    if (parent === null || this.#options.ids === undefined) return traceparent;
    return traceparentOf({ ...parent, spanId: attemptSpanId(attemptId) });
  }

  /** A flush has told what became of its items. */
  flushed(batcher: string, items: number, ms: number): void {
    const end = this.#options.clock.wall();
    const attributes = { "signalbox.batcher": batcher, "signalbox.flush.items": items };
    this.start("flush", null, { startTime: end - ms, attributes }).end(end);
  }

  /** Notes the attempts that a flush has ended; their spans follow. */
  committed({ changes, attempts }: Flushed): void {
    for (const { before } of changes) {
      if (before === null || before.lease === null) continue;
      const { id: runId, fencingToken: number, projectId } = before;
      const write = attempts.get(`${runId}/${number}`);
      if (write === undefined || write.end === null) continue;
      if (this.#ended.length < MOST_WAITING) this.#ended.push({ projectId, runId, number });
      else this.#dropped += 1;
    }
    if (this.#ended.length > 0) {
      this.#telling ??= this.#tell().finally(() => {
        this.#telling = null;
      });
    }
  }

  /** Resolves when the spans of all attempts that have ended so far are told. */
  async settled(): Promise<void> {
    while (this.#telling !== null) await this.#telling;
  }

  async #tell(): Promise<void> {
    const { reader, logger } = this.#options;
    while (this.#ended.length > 0) {
      const page = this.#ended.splice(0, PAGE);
      const projects = [...new Set(page.map(({ projectId }) => projectId))];
      try {
        const rows = await reader.within(projects, (runner) => readEndedAttempts(runner, page));
        for (const row of rows) startAttemptSpan(this, row, this.#options.ids);
      } catch (error) {
        logger.warn({ err: error, attempts: page.length }, "spans of attempts were not told");
      }
    }
    if (this.#dropped > 0) logger.warn({ attempts: this.#dropped }, "spans were dropped");
    this.#dropped = 0;
  }
}
