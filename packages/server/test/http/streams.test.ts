// Streams over real sockets: frames, resuming, pings, readers that leave or take nothing, shutdown.

import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

import type { Event } from "@signalbox/sdk";
import type { FastifyInstance } from "fastify";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../src/engine/contract.ts";
import { timeouts } from "../../src/http/options.ts";
import { createHttp } from "../../src/http/server.ts";
import type { HttpOptions } from "../../src/http/server.ts";
import { systemClock } from "../../src/std/clock.ts";
import type { Clock } from "../../src/std/clock.ts";
import { silentLogger } from "../../src/std/logger.ts";
import { ask, openScene, submitted } from "./scene.ts";
import type { Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(async () => {
  await scene?.close();
});

const apps: FastifyInstance[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const app of apps.splice(0)) await app.close();
});

/** A server that listens, on the scene's engine or one that differs in a method. */
async function listening(engine: Engine, options: Partial<HttpOptions> = {}): Promise<string> {
  const app = createHttp(engine, { logger: silentLogger, version: "1.2.3", ...options });
  apps.push(app);
  return app.listen({ host: "127.0.0.1", port: 0 });
}

type Stream = {
  status: number;
  headers: Headers;
  /** The text so far, once `enough` holds; also at the end of the stream. */
  until: (enough: (text: string) => boolean) => Promise<string>;
  end: () => Promise<string>;
  leave: () => Promise<void>;
};

async function open(
  url: string,
  key: string,
  headers: { [name: string]: string } = {},
): Promise<Stream> {
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${key}`, accept: "text/event-stream", ...headers },
  });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = "";
  const until = async (enough: (text: string) => boolean): Promise<string> => {
    while (!enough(text)) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
    return text;
  };
  return {
    status: response.status,
    headers: response.headers,
    until,
    end: () => until(() => false),
    leave: () => reader.cancel(),
  };
}

/** The frames in a piece of stream, comments and `retry:` left out. */
function framesOf(
  text: string,
): { id: string | undefined; event: string | undefined; data: unknown }[] {
  // The last piece has not come in full, or is empty.
  const pieces = text.split("\n\n").slice(0, -1);
  const blocks = pieces.filter((block) => block.includes("event:"));
  return blocks.map((block) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
    return { id: field("id"), event: field("event"), data: JSON.parse(field("data") ?? "null") };
  });
}

const cancel = (id: string) => ask(scene.app, scene.keys.submitter, `POST /v1/runs/${id}/cancel`);

describe("events of a run", () => {
  test("come as they happen and end with the run", async () => {
    const url = await listening(scene.engine);
    const { id } = await submitted(scene, { queue: "s1" });
    const stream = await open(`${url}/v1/runs/${id}/events`, scene.keys.viewer);
    expect(stream.status).toBe(200);
    expect(Object.fromEntries(stream.headers)).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store, no-transform",
      "x-accel-buffering": "no",
      "x-content-type-options": "nosniff",
      "x-request-id": expect.stringMatching(/^req_/),
    });
    const begun = await stream.until((text) => text.includes("run.submitted"));
    expect(begun).toMatch(/^retry: 1000\n\n/);
    await cancel(id);
    const frames = framesOf(await stream.end());
    expect(frames.map(({ id: at, event }) => [at, event])).toEqual([
      ["1", "run.submitted"],
      ["2", "run.cancelled"],
      [undefined, "end"],
    ]);
    const { body } = await ask(scene.app, scene.keys.viewer, `GET /v1/runs/${id}/events`);
    expect(frames.slice(0, 2).map(({ data }) => data)).toEqual(body.items);
  });

  test.each([
    ["the header of a reconnect", "", { "last-event-id": "1" }],
    ["the query of a browser", "?last_event_id=1", {}],
    ["after_seq", "?after_seq=1", {}],
  ])("go on after %s", async (_name, query, headers: { [name: string]: string }) => {
    const url = await listening(scene.engine);
    const { id } = await submitted(scene, { queue: "s2" });
    await cancel(id);
    const stream = await open(`${url}/v1/runs/${id}/events${query}`, scene.keys.viewer, headers);
    expect(framesOf(await stream.end()).map(({ event }) => event)).toEqual([
      "run.cancelled",
      "end",
    ]);
  });

  test("of one type leave out the others, and still end", async () => {
    const url = await listening(scene.engine);
    const { id } = await submitted(scene, { queue: "s3" });
    await cancel(id);
    const stream = await open(`${url}/v1/runs/${id}/events?type=run.submitted`, scene.keys.viewer);
    expect(framesOf(await stream.end()).map(({ event }) => event)).toEqual([
      "run.submitted",
      "end",
    ]);
  });

  test("of no run, or without a key, are a problem and no stream", async () => {
    const url = await listening(scene.engine);
    const none = await open(`${url}/v1/runs/run_none/events`, scene.keys.viewer);
    expect([none.status, JSON.parse(await none.end()).code]).toEqual([404, "not_found"]);
    const nobody = await open(`${url}/v1/events`, "sbx_none");
    expect([nobody.status, JSON.parse(await nobody.end()).code]).toEqual([401, "unauthorized"]);
  });
});

test("the feed goes on after a number, in the order of commits", async () => {
  const url = await listening(scene.engine);
  const { items } = (await ask(scene.app, scene.keys.viewer, "GET /v1/events?limit=500")).body;
  const last = Number(items.at(-1).feed);
  const stream = await open(`${url}/v1/events`, scene.keys.viewer, {
    "last-event-id": String(last),
  });
  for (let n = 0; n < 5; n++) await submitted(scene, { queue: "feed" });
  const enough = (text: string): boolean => framesOf(text).length >= 5;
  const frames = framesOf(await stream.until(enough));
  expect(frames.map(({ id }) => Number(id))).toEqual([1, 2, 3, 4, 5].map((n) => last + n));
  await stream.leave();
});

test("directives reach a worker that waits", async () => {
  const url = await listening(scene.engine);
  const { app, keys } = scene;
  await ask(app, keys.worker, "PUT /v1/runtimes/w1");
  const { id } = await submitted(scene, { queue: "directed" });
  const body = { runtime: "w1", free: 1, queues: ["directed"], lease_ms: 600_000 };
  await ask(app, keys.worker, "POST /v1/claims", { body });
  const stream = await open(`${url}/v1/runtimes/w1/directives`, keys.worker);
  await stream.until((text) => text.includes(": open\n"));
  await cancel(id);
  const frames = framesOf(await stream.until((text) => text.includes("event: directive")));
  expect(frames[0]).toMatchObject({ event: "directive", data: { kind: "cancel", run_id: id } });
  await stream.leave();
});

/** The scene's engine whose streams of events are this. */
function streaming(events: (signal: AbortSignal) => AsyncIterable<readonly Event[]>): Engine {
  return { ...scene.engine, followProject: (_project, _from, signal) => events(signal) };
}

const streamRequest = (): string =>
  "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n" +
  `Authorization: Bearer ${scene.keys.viewer}\r\n\r\n`;

const waitForAbort = async (signal: AbortSignal): Promise<void> => {
  if (!signal.aborted) await once(signal, "abort");
};

describe("connections", () => {
  test("are kept alive by comments while nothing happens", async () => {
    const url = await listening(scene.engine, { streams: { pingMs: 20 } });
    const { id } = await submitted(scene, { queue: "quiet" });
    const stream = await open(`${url}/v1/runs/${id}/events`, scene.keys.viewer);
    const text = await stream.until((so) => so.split(": ping\n\n").length > 3);
    expect(framesOf(text)).toHaveLength(1);
    await stream.leave();
  });

  test("that a client leaves end what the engine does for them", async () => {
    let left: () => void = () => {};
    const gone = new Promise<void>((resolve) => (left = resolve));
    const engine = streaming(async function* (signal) {
      await waitForAbort(signal);
      left();
      yield* [];
    });
    const url = await listening(engine);
    const stream = await open(`${url}/v1/events`, scene.keys.viewer);
    await stream.until((text) => text.includes("retry"));
    await stream.leave();
    await gone;
  });

  test("that take nothing are closed, and no event is made for them meanwhile", async () => {
    let made = 0;
    let ended: () => void = () => {};
    const over = new Promise<void>((resolve) => (ended = resolve));
    const { items } = (await ask(scene.app, scene.keys.viewer, "GET /v1/events?limit=1")).body;
    const event = { ...items[0], data: { text: "x".repeat(50_000) } } as Event;
    const engine = streaming(async function* () {
      try {
        for (; made < 100_000; made++) yield [event];
      } finally {
        ended();
      }
    });
    const url = await listening(engine, { streams: { stallMs: 100 } });
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
    sockets.push(socket);
    socket.on("error", () => {}); // reset by the server: what the test is about
    socket.pause();
    socket.write(streamRequest());
    await over;
    expect(made).toBeLessThan(2_000); // what fits into the buffers of two sockets: some MiB
  });

  test("that break in the middle are cut, not ended", async () => {
    const engine = streaming(async function* () {
      yield* [];
      await Promise.reject(new Error("the tail broke"));
    });
    const lines: string[] = [];
    const log = (_fields: unknown, message: string): void => void lines.push(message);
    const logger = { debug: log, info: log, warn: log, error: log };
    const url = await listening(engine, { logger });
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
    sockets.push(socket);
    let text = "";
    socket.setEncoding("utf8").on("data", (piece: string) => (text += piece));
    socket.write(streamRequest());
    await once(socket, "close");
    expect(text).not.toMatch(/event: end|\r\n0\r\n/); // no last chunk: not a clean end
    expect(lines).toContain("a stream broke");
  });
});

describe("shutdown (F-105)", () => {
  test("ends streams and long polls at once and leaves nothing open", async () => {
    // Connections that are still open would be cut after 10 s; here they never are.
    const clock: Clock = {
      ...systemClock,
      setDeadline: (ms, fn) =>
        ms === timeouts.drainMs ? () => {} : systemClock.setDeadline(ms, fn),
    };
    const url = await listening(scene.engine, { clock });
    const { id } = await submitted(scene, { queue: "shutdown" });
    const streams = await Promise.all(
      Array.from({ length: 20 }, () => open(`${url}/v1/runs/${id}/events`, scene.keys.viewer)),
    );
    await Promise.all(streams.map((stream) => stream.until((text) => text.includes("submitted"))));
    const waiting = fetch(`${url}/v1/runs/${id}/wait`, {
      headers: { authorization: `Bearer ${scene.keys.viewer}` },
    });
    await fetch(`${url}/healthz`); // leaves an idle connection
    const silent = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
    sockets.push(silent);
    await once(silent, "connect"); // and this one never says anything
    const closing = apps.pop()?.close();
    const texts = await Promise.all(streams.map((stream) => stream.end()));
    for (const text of texts)
      expect(framesOf(text).map(({ event }) => event)).toEqual(["run.submitted"]);
    expect((await waiting).status).toBe(200);
    await closing;
    await expect(fetch(`${url}/healthz`)).rejects.toThrow("fetch failed");
  });
});
