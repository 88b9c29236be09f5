// Following events: what survives a broken connection, and what ends a stream.
// Promises: the peer really cuts sockets.
// Leaves to others: the bytes (sse-parser.test.ts).

import { afterEach, beforeEach, expect, test } from "vitest";

import { NotFoundError, Signalbox } from "../../src/index.ts";
import type { Event } from "../../src/index.ts";
import { problem, startPeer, stream, until } from "../peer/scripted-server.ts";
import type { Peer } from "../peer/scripted-server.ts";

const ROUTE = "GET /v1/runs/run_1/events";
let peer: Peer;
let signalbox: Signalbox;

beforeEach(async () => {
  peer = await startPeer();
  signalbox = new Signalbox({ url: peer.url, key: "sbx_test" });
});
afterEach(async () => {
  await peer.close();
});

const frame = (seq: number, type = "log.line"): string =>
  `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify({ seq: String(seq), type })}\n\n`;

async function collect(events: AsyncIterable<Event>): Promise<string[]> {
  const seqs: string[] = [];
  for await (const event of events) seqs.push(event.seq);
  return seqs;
}

test("goes on after a cut with Last-Event-ID, until the server says end", async () => {
  peer.on(ROUTE, (request, response) => {
    stream(response);
    const last = Number(request.headers["last-event-id"] ?? 0);
    // Half of the third frame is on the wire when the connection breaks, the first time.
    if (last === 0) response.write(frame(1) + frame(2) + frame(3).slice(0, 20));
    if (last === 0) setImmediate(() => response.destroy());
    if (last === 2) response.write(frame(3));
    if (last === 2) response.end();
    if (last === 3) response.end(`${frame(4, "run.completed")}event: end\ndata: {}\n\n`);
  });
  expect(await collect(signalbox.runs.follow("run_1"))).toEqual(["1", "2", "3", "4"]);
  const lastIds = peer.of(ROUTE).map(({ headers }) => headers["last-event-id"]);
  expect(lastIds).toEqual([undefined, "2", "3"]);
  expect(peer.requests[0]?.headers.accept).toBe("text/event-stream");
});

test("begins after `afterSeq`", async () => {
  peer.on(ROUTE, (_, response) => {
    stream(response);
    response.end("event: end\ndata: {}\n\n");
  });
  expect(await collect(signalbox.runs.follow("run_1", { afterSeq: "41" }))).toEqual([]);
  expect(peer.requests[0]?.headers["last-event-id"]).toBe("41");
});

test("goes on while the server restarts and refuses for a while", async () => {
  const answers = [503, 429, 0];
  peer.on(ROUTE, (_, response) => {
    const status = answers.shift() ?? 0;
    if (status !== 0) return problem(response, status, "overloaded");
    stream(response);
    response.end(`${frame(1, "run.completed")}event: end\n\n`);
  });
  expect(await collect(signalbox.runs.follow("run_1"))).toEqual(["1"]);
  expect(peer.requests).toHaveLength(3);
});

test("whoever asks is told when the feed is connected, and when it is not", async () => {
  const answers = ["cut", "refused", "whole"];
  peer.on("GET /v1/events", (_, response) => {
    const how = answers.shift();
    if (how === "refused") return problem(response, 503, "overloaded");
    stream(response);
    response.write(frame(1));
    if (how === "cut") setImmediate(() => response.destroy());
    else response.end("event: end\ndata: {}\n\n");
  });
  const told: boolean[] = [];
  const onLink = (isConnected: boolean): void => void told.push(isConnected);
  await collect(signalbox.events.follow({ onLink }));
  expect(told).toEqual([true, false, false, true]);
});

test("a refusal ends the stream", async () => {
  peer.on(ROUTE, (_, response) => problem(response, 404, "not_found"));
  await expect(collect(signalbox.runs.follow("run_1"))).rejects.toBeInstanceOf(NotFoundError);
});

test("an answer that is no event stream ends it", async () => {
  peer.on(ROUTE, (_, response) => response.end("hello"));
  await expect(collect(signalbox.runs.follow("run_1"))).rejects.toMatchObject({
    code: "bad_answer",
  });
});

test("leaving the loop closes the connection", async () => {
  let closed = 0;
  peer.on(ROUTE, (_, response) => {
    stream(response);
    response.write(frame(1));
    response.on("close", () => (closed += 1));
  });
  for await (const event of signalbox.runs.follow("run_1")) {
    expect(event.seq).toBe("1");
    break;
  }
  await until(() => closed === 1);
  expect(peer.requests).toHaveLength(1);
});

test("an abort ends the iteration with its reason", async () => {
  peer.on(ROUTE, (_, response) => {
    stream(response);
    response.write(frame(1));
  });
  const controller = new AbortController();
  const why = new Error("enough");
  const reading = (async () => {
    for await (const event of signalbox.runs.follow("run_1", { signal: controller.signal })) {
      expect(event.seq).toBe("1");
      controller.abort(why);
    }
  })();
  await expect(reading).rejects.toBe(why);
});

test("the feed of the project resumes by feed number", async () => {
  peer.on("GET /v1/events", (request, response) => {
    stream(response);
    if (request.headers["last-event-id"] === "9") response.write(frame(10));
    else response.end(frame(9));
  });
  const seqs: string[] = [];
  for await (const event of signalbox.events.follow({ afterFeed: "8", type: "log.line" })) {
    seqs.push(event.seq);
    if (seqs.length === 2) break;
  }
  expect(seqs).toEqual(["9", "10"]);
  expect(peer.requests.map(({ headers }) => headers["last-event-id"])).toEqual(["8", "9"]);
  expect(peer.requests[0]?.query.get("type")).toBe("log.line");
});
