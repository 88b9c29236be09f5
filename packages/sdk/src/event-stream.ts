// Streams that resume: server-sent events as an async iterable that outlives its connections.
// Promises: after a break it connects again with `Last-Event-ID`, so nothing is missed or
// repeated; waits grow from 250 ms with jitter (`retry:` and Retry-After are honoured); a
// connection without a byte for 45 s (the server pings every 15 s) counts as broken; one piece of
// the body is read at a time, only when the consumer wants more; leaving the loop closes the
// connection.
// Leaves to others: what the messages mean, and which one is the last.

import { ConnectionError, errorOf, isSignalboxError, TimeoutError } from "./errors.ts";
import type { Http, Query } from "./http.ts";
import { backoffMs, isRetryable, sleep } from "./retry.ts";
import { MessageTooLarge, SseParser } from "./sse-parser.ts";
import type { Message } from "./sse-parser.ts";

export type FollowOptions = {
  path: string;
  query?: Query;
  /** Go on after this message. */
  lastEventId?: string;
  /** Ends the stream; the iteration throws its reason. */
  signal?: AbortSignal | undefined;
  /** Gives up after this long without a connection. Default 300,000 ms. */
  patienceMs?: number;
  /** Longest wait between two tries. Default 5,000 ms. */
  longestWaitMs?: number;
  /** Told at each connection (true) and at its end (false), also when a try failed. */
  onLink?: ((isConnected: boolean) => void) | undefined;
};

const CONNECT_MS = 10_000;
const IDLE_MS = 45_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5_000;
const PATIENCE_MS = 300_000;
/** A connection that lived this long was good, also when it brought no message. */
const GOOD_AFTER_MS = 5_000;

/**
 * Follows a stream until the consumer leaves, the signal aborts, the server refuses (404, 401 …) or
 * nothing answered for `patienceMs`: the last two throw a `SignalboxError`.
 */
export async function* follow(http: Http, options: FollowOptions): AsyncGenerator<Message> {
  const { signal, patienceMs = PATIENCE_MS, longestWaitMs = LONGEST_WAIT_MS } = options;
  const place: Place = { lastEventId: options.lastEventId ?? "", retryMs: null };
  let failures = 0;
  let downSince: number | null = null;
  for (;;) {
    const connectedAt = performance.now();
    let fault: Error = cut(options.path);
    try {
      for await (const message of oneConnection(http, options, place)) {
        failures = 0;
        downSince = null;
        yield message;
      }
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!isSignalboxError(error) || !isRetryable(error)) throw error;
      fault = error;
    }
    options.onLink?.(false);
    const now = performance.now();
    if (now - connectedAt > GOOD_AFTER_MS && place.connected) {
      failures = 0;
      downSince = null;
    }
    downSince ??= now;
    if (now - downSince > patienceMs) throw fault;
    failures += 1;
    const asked = isSignalboxError(fault) ? (fault.retryAfterMs ?? 0) : 0;
    const baseMs = place.retryMs ?? FIRST_WAIT_MS;
    const waitMs = Math.max(asked, backoffMs(failures, { baseMs, capMs: longestWaitMs }));
    await sleep(waitMs, signal);
  }
}

/** Where a stream stands; survives its connections. */
type Place = { lastEventId: string; retryMs: number | null; connected?: boolean };

async function* oneConnection(
  http: Http,
  options: FollowOptions,
  place: Place,
): AsyncGenerator<Message> {
  place.connected = false;
  const headers: { [name: string]: string } = { accept: "text/event-stream" };
  if (place.lastEventId !== "") headers["last-event-id"] = place.lastEventId;
  const { path, query = {}, signal } = options;
  const request = { query, headers, signal, timeoutMs: CONNECT_MS };
  const { response, deadline } = await http.open(path, request);
  const reader = response.body?.getReader();
  try {
    if (reader === undefined || !isEventStream(response)) throw notAStream(path, response);
    place.connected = true;
    options.onLink?.(true);
    const parser = new SseParser(place.lastEventId);
    for (;;) {
      deadline.restart(IDLE_MS);
      const { done, value } = await reader.read();
      deadline.pause(); // the consumer may take its time
      if (done) return;
      for (const message of parse(parser, value)) {
        place.lastEventId = message.id;
        yield message;
      }
      place.retryMs = parser.retryMs ?? place.retryMs;
    }
  } catch (error) {
    if (isSignalboxError(error)) throw error;
    throw deadline.expired() ? silent(path) : cut(path, error);
  } finally {
    deadline.clear();
    // Closes the connection when the consumer left in the middle; already broken ones refuse.
    await reader?.cancel().catch(() => {});
  }
}

function parse(parser: SseParser, bytes: Uint8Array): Message[] {
  try {
    return parser.push(bytes);
  } catch (error) {
    if (!(error instanceof MessageTooLarge)) throw error;
    const { message } = error;
    throw errorOf({ message, code: "message_too_large", status: 0, retryable: false });
  }
}

function isEventStream(response: Response): boolean {
  return (response.headers.get("content-type") ?? "").startsWith("text/event-stream");
}

function notAStream(path: string, response: Response): Error {
  const got = response.headers.get("content-type") ?? "nothing";
  const message = `bad_answer: ${path} answered with ${got}, not with an event stream`;
  return errorOf({ message, code: "bad_answer", status: response.status, retryable: false });
}

function silent(path: string): Error {
  const message = `request_timeout: nothing came on the stream ${path} for ${IDLE_MS} ms`;
  return new TimeoutError({ message, code: "request_timeout", status: 0, retryable: true });
}

function cut(path: string, cause?: unknown): Error {
  const message = `connection_failed: the stream ${path} was cut`;
  const facts = { message, code: "connection_failed", status: 0, retryable: true };
  return new ConnectionError(cause === undefined ? facts : { ...facts, cause });
}
