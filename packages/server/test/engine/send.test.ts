// One POST and what it must not reach: names that resolve to what is not public, names that change
// their mind, receivers that never end. The canary is a server of ours on loopback.

import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Address } from "../../src/engine/services/tail/send.ts";
import { send } from "../../src/engine/services/tail/send.ts";
import type { TryOutcome } from "../../src/domain/webhook/tries.ts";
import { systemClock } from "../../src/std/clock.ts";

const clock = systemClock;
let connections = 0;
let port = 0;
/** Takes every connection, says one byte a second at most, never ends. */
const canary = createServer((socket) => {
  connections += 1;
  socket.on("error", () => {});
  socket.write("H");
});
beforeAll(async () => {
  await new Promise<void>((resolve) => canary.listen(0, "127.0.0.1", resolve));
  ({ port } = canary.address() as AddressInfo);
});
afterAll(() => {
  canary.close();
});

const message = (url: string, allowPrivate = false) => ({
  url,
  allowPrivate,
  headers: { "content-type": "application/json" },
  body: "{}",
});
const four = (...list: string[]): Address[] => list.map((address) => ({ address, family: 4 }));

describe("names", () => {
  test.each([
    ["to loopback", four("127.0.0.1")],
    ["to a private network", four("10.1.2.3")],
    ["to a metadata service", four("169.254.169.254")],
    ["to a public and a private address", four("93.184.215.14", "127.0.0.1")],
    ["to a mapped address", [{ address: "::ffff:127.0.0.1", family: 6 }]],
    ["to a translated address", [{ address: "64:ff9b::7f00:1", family: 6 }]],
    ["to text that is no address", [{ address: "localhost", family: 4 }]],
    ["to nothing", []],
  ])("that resolve %s are not connected to", async (_name, addresses) => {
    const before = connections;
    const resolve = async () => addresses;
    const outcome = await send(message(`https://example.org:${port}/`), { clock, resolve });
    expect(outcome.ok).toBe(false);
    expect(outcome.error).toMatch(/not public|no address/);
    expect(connections).toBe(before);
  });

  test("are resolved once: 200 connections go where the check looked", async () => {
    const before = connections;
    for (let n = 0; n < 200; n++) {
      let asked = 0;
      // Public when it is checked, loopback for whoever asks again.
      const resolve = async (): Promise<Address[]> => {
        asked += 1;
        return asked === 1 ? four("192.0.1.1") : four("127.0.0.1");
      };
      const tools = { clock, resolve, timeoutMs: 5 };
      const outcome = await send(message(`https://rebinding.example:${port}/`), tools);
      expect(outcome.ok).toBe(false);
      expect(asked).toBe(1);
    }
    expect(connections).toBe(before);
  });

  test("that nobody answers for are given up in time", async () => {
    const resolve = () => new Promise<never>(() => {});
    const tools = { clock, resolve, timeoutMs: 20 };
    const outcome = await send(message("https://example.org/"), tools);
    expect(outcome).toMatchObject({ ok: false, error: "no complete answer within 20 ms" });
  });
});

test("a receiver that drips is cut off", async () => {
  const connected = once(canary, "connection");
  const tools = { clock, timeoutMs: 100 };
  const outcome = await send(message(`http://127.0.0.1:${port}/`, true), tools);
  await connected;
  expect(outcome).toMatchObject({ ok: false, status: null });
  expect(outcome.error).toBe("no complete answer within 100 ms");
});

/** Asks a receiver that answers every request with these bytes, then cuts the connection or not. */
async function answered(bytes: string, how: { cut: boolean }): Promise<TryOutcome> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write(bytes, () => {
        if (how.cut) setImmediate(() => socket.destroy());
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port: own } = server.address() as AddressInfo;
    return await send(message(`http://127.0.0.1:${own}/`, true), { clock });
  } finally {
    server.close();
  }
}

describe("an answer", () => {
  test("that wants another protocol is a failed try, and an end", async () => {
    const upgrade = "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello";
    const outcome = await answered(upgrade, { cut: false });
    expect(outcome).toMatchObject({ ok: false, status: 101, error: "answered 101" });
  });

  test("that breaks off after its status counts by its status", async () => {
    const head = (status: number): string => `HTTP/1.1 ${status} x\r\nContent-Length: 99\r\n\r\n`;
    const good = await answered(`${head(200)}begun`, { cut: true });
    expect(good).toMatchObject({ ok: true, status: 200, excerpt: "begun" });
    const bad = await answered(head(500), { cut: true });
    expect(bad).toMatchObject({ ok: false, status: 500, error: "answered 500" });
  });
});

test("a stop cuts a try off at once", async () => {
  const stop = new AbortController();
  const tools = { clock, signal: stop.signal };
  const sending = send(message(`http://127.0.0.1:${port}/`, true), tools);
  stop.abort();
  expect(await sending).toMatchObject({ ok: false, error: "the server is stopping" });
});
