// Server-sent events: an async iterable of frames as a response that lives until one side ends it.
// Promises: frames are pulled, so a slow reader costs this process one frame and the socket's
// buffer; a reader that takes nothing for 30 s, or has more than 1 MiB waiting, is closed and
// resumes with `Last-Event-ID`; a comment every 15 s, and then one whose key or session has ended
// is cut; nothing is left behind when the client goes.
// Leaves to others: what is streamed and from where (`routes/`, engine), headers of every answer.

import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";
import type { Clock } from "../std/clock.ts";
import type { StreamTimes } from "./options.ts";

/** One message. `id` is what the client sends back to go on after it. */
export type Message = { readonly id?: string; readonly event: string; readonly data: unknown };

/** What is written at once: a message, or the text of several. */
export type Frame = Message | { readonly text: string };

/** The answer of a handler that streams. */
export type EventStream = {
  readonly stream: (signal: AbortSignal) => AsyncIterable<Frame>;
  /** Comment that is sent at once, so that the client knows that it is connected. */
  readonly greeting?: string;
};

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store, no-transform", // no-transform: proxies must not compress
  "x-accel-buffering": "no",
  connection: "close", // nothing follows a stream; a stopping server need not wait for the socket
} as const;
/** Clients come back after a second when the connection ends. */
const RETRY_MS = 1_000;
const MOST_BUFFERED = 1024 * 1024;

export type StreamTools = {
  readonly clock: Clock;
  readonly times: StreamTimes;
  /** Aborted when the client has gone or the server stops. */
  readonly signal: AbortSignal;
  /** Whether the reader may still read; asked with every ping. A fault is no answer. */
  readonly stands: () => Promise<boolean>;
};

/** Sends the stream until it ends, the client goes, or the signal says so. Rejects if it breaks. */
export async function sendStream(
  reply: FastifyReply,
  { stream, greeting }: EventStream,
  tools: StreamTools,
): Promise<void> {
  reply.hijack();
  const out = reply.raw;
  const headers = reply.getHeaders() as { [name: string]: string };
  out.writeHead(200, { ...headers, ...HEADERS });
  const comment = greeting === undefined ? "" : `: ${greeting}\n`;
  out.write(`retry: ${RETRY_MS}\n${comment}\n`);
  const stopPings = startPings(out, tools);
  try {
    for await (const frame of stream(tools.signal)) {
      if (tools.signal.aborted) break;
      const flowing = out.write("text" in frame ? frame.text : textOf(frame));
      if (!flowing && !(await drained(out, tools))) {
        out.destroy(); // the reader takes nothing: it may come back
        return;
      }
    }
    out.end();
  } catch (error) {
    out.destroy(); // not a clean end: the client must not take it for one
    if (!tools.signal.aborted) throw error;
  } finally {
    stopPings();
  }
}

/** `id:`, `event:` and `data:` lines. JSON text has no line breaks, so data is one line. */
export function textOf({ id, event, data }: Message): string {
  const idLine = id === undefined ? "" : `id: ${id}\n`;
  return `${idLine}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** A comment every `pingMs` while nothing is waiting to be sent. Returns how to stop it. */
function startPings(out: ServerResponse, { clock, times, stands }: StreamTools): () => void {
  let cancel = (): void => {};
  const look = async (): Promise<void> => {
    if (!(await stands())) out.destroy();
  };
  const arm = (): void => {
    cancel = clock.setDeadline(times.pingMs, () => {
      if (out.writableLength === 0 && !out.destroyed) out.write(": ping\n\n");
      look().catch(() => {}); // a database that is away ends no stream; the next ping asks again
      arm();
    });
  };
  arm();
  return () => cancel();
}

/** Waits until the reader has taken what waits. False if it takes nothing, or left. */
function drained(out: ServerResponse, { clock, times, signal }: StreamTools): Promise<boolean> {
  if (out.writableLength > MOST_BUFFERED) return Promise.resolve(false);
  return new Promise((resolve) => {
    const settle = (flows: boolean): void => {
      cancel();
      out.off("drain", onDrain);
      out.off("close", onEnd);
      signal.removeEventListener("abort", onEnd);
      resolve(flows);
    };
    const onDrain = (): void => settle(true);
    const onEnd = (): void => settle(false);
    const cancel = clock.setDeadline(times.stallMs, onEnd);
    out.once("drain", onDrain);
    out.once("close", onEnd);
    signal.addEventListener("abort", onEnd, { once: true });
    if (signal.aborted || out.destroyed) onEnd();
  });
}

/** Where a client wants to go on: the header of a reconnect, or the query of a first request. */
export function lastEventId(header: string | undefined, query: string | undefined): number {
  const text = header ?? query ?? "";
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
