// Raw sockets: what is not quite HTTP, bodies that lie about their length, and the limits of the
// server itself. After each of them the server answers others.

import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";

import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { timeouts } from "../../src/http/options.ts";
import { ask, openScene } from "./scene.ts";
import type { Scene } from "./scene.ts";

let scene: Scene;
let app: FastifyInstance;
let port: number;
beforeAll(async () => {
  scene = await openScene();
  ({ app } = scene);
  await app.listen({ host: "127.0.0.1", port: 0 });
  ({ port } = app.server.address() as AddressInfo);
});
afterAll(async () => {
  await scene?.close();
});

/** Sends raw bytes; the answer until the server closes, or half-closes after our end. */
async function raw(bytes: string, { half = false } = {}): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port });
  let text = "";
  socket.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  socket.on("error", () => {}); // a reset ends the answer like an end
  if (half) socket.end(bytes);
  else socket.write(bytes);
  await once(socket, "close");
  return text;
}

const isAlive = async (): Promise<boolean> =>
  (await fetch(`http://127.0.0.1:${port}/healthz`)).status === 200;

const posting = "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\n";

describe("what is not quite HTTP", () => {
  test.each([
    ["garbage", "hello?\r\n\r\n"],
    ["TLS", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\r\n\r\n"],
    ["two lengths", `${posting}Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}`],
    [
      "a length and chunks",
      `${posting}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ["a header with a line break", "GET / HTTP/1.1\r\nHost: local\nhost\r\n\r\n"],
    [
      "17 KiB of headers",
      `GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ${"x".repeat(17 * 1024)}\r\n\r\n`,
    ],
  ])("%s is answered 400 with a problem", async (_name, bytes) => {
    const answer = await raw(bytes);
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer).toContain("application/problem+json");
    expect(answer).toContain('"code":"validation_failed"');
    expect(await isAlive()).toBe(true);
  });

  test("a request without Host is refused", async () => {
    const answer = await raw("GET /healthz HTTP/1.0\r\n\r\n");
    expect(answer).toContain("403 Forbidden");
    expect(answer).toContain("forbidden_origin");
  });
});

describe("bodies", () => {
  const head = (length: string): string =>
    `${posting}Authorization: Bearer ${scene.keys.submitter}\r\n` +
    `Content-Type: application/json\r\n${length}\r\n\r\n`;

  test.each([
    ["ends before its length", () => `${head("Content-Length: 100")}{"input": 1}`],
    ["has broken chunks", () => `${head("Transfer-Encoding: chunked")}5\r\n{"inp\r\nzz\r\n`],
    [
      "ends in the middle of a chunk",
      () => `${head("Transfer-Encoding: chunked")}ff\r\n{"input": 1}`,
    ],
  ])("that %s store nothing", async (_name, bytes) => {
    const answer = await raw(bytes(), { half: true });
    expect(answer).not.toMatch(/^HTTP\/1\.1 [25]/);
    expect(await isAlive()).toBe(true);
    expect((await ask(app, scene.keys.viewer, "GET /v1/runs")).body.items).toEqual([]);
  });

  test("that are too large are refused by their length, and while they arrive", async () => {
    const declared = await raw(`${head("Content-Length: 99999999")}{`);
    expect(declared).toContain("413 Payload Too Large");
    expect(declared).toContain('"limit_bytes":524288');
    const status = await new Promise<number | string>((resolve) => {
      const sending = request({
        port,
        host: "127.0.0.1",
        method: "POST",
        path: "/v1/runs",
        headers: {
          host: "localhost",
          authorization: `Bearer ${scene.keys.submitter}`,
          "content-type": "application/json",
          "transfer-encoding": "chunked",
        },
      });
      sending.on("response", (response) => resolve(response.resume().statusCode ?? 0));
      sending.on("error", (error) => resolve(error.message));
      const piece = `"${"x".repeat(65_535)}`;
      for (let n = 0; n < 16; n++) sending.write(piece);
    });
    expect(status).toBe(413);
  });

  test("without a key are refused before they are read", async () => {
    const bytes = head("Content-Length: 400000").replace(/Authorization: [^\r]+\r\n/, "");
    expect(await raw(`${bytes}{`, { half: true })).toContain("401 Unauthorized");
  });
});

test("the limits of the server are those of the table", () => {
  const { server } = app;
  expect({
    headers: server.headersTimeout,
    request: server.requestTimeout,
    keepAlive: server.keepAliveTimeout,
    connections: server.maxConnections,
  }).toEqual({
    headers: timeouts.headersMs,
    request: timeouts.requestMs,
    keepAlive: timeouts.keepAliveMs,
    connections: 20_000,
  });
});
