// The batch sender: natural batching, order, outages, poison.
// Promises: what one request carries is read from the peer's records.
// Leaves to others: reports and events themselves (worker.test.ts).

import { afterEach, beforeEach, expect, test } from "vitest";

import { isSignalboxError } from "../../src/index.ts";
import { Http } from "../../src/http.ts";
import { BatchSender } from "../../src/worker/batch-sender.ts";
import { json, problem, problemOf, startPeer, until } from "../peer/scripted-server.ts";
import type { Peer, Recorded } from "../peer/scripted-server.ts";

type Item = { n: number; pad?: string };
const ROUTE = "POST /v1/reports";
let peer: Peer;
let sender: BatchSender<{ n: number }>;
let errors: unknown[];

const itemsOf = (request: Recorded): Item[] => (request.body as { items: Item[] }).items;
const numbersOf = (request: Recorded): number[] => itemsOf(request).map(({ n }) => n);
const accept = (item: Item): object => ({ ok: true, n: item.n });
const push = (n: number, pad?: string): Promise<{ n: number }> =>
  sender.push(JSON.stringify({ n, pad }));

beforeEach(async () => {
  peer = await startPeer();
  errors = [];
  const http = new Http({ url: peer.url, key: "sbx_test" });
  sender = new BatchSender({ http, path: "/v1/reports", onError: (error) => errors.push(error) });
  peer.on(ROUTE, (request, response) => {
    json(response, { results: itemsOf(request).map(accept) });
  });
});
afterEach(async () => {
  sender.close();
  await peer.close();
});

test("what queues up while a request is under way goes together in the next", async () => {
  let answer = (): void => {};
  peer.on(ROUTE, (request, response) => {
    const send = (): void => json(response, { results: itemsOf(request).map(accept) });
    if (peer.requests.length === 1) answer = send;
    else send();
  });
  const first = push(1);
  await until(() => peer.requests.length === 1);
  const rest = [push(2), push(3), push(4)];
  answer();
  await Promise.all([first, ...rest]);
  expect(peer.requests.map(numbersOf)).toEqual([[1], [2, 3, 4]]);
});

test("a request has at most 200 items, and about 1 MiB", async () => {
  await Promise.all(Array.from({ length: 450 }, (_, n) => push(n)));
  expect(peer.requests.map((request) => itemsOf(request).length)).toEqual([200, 200, 50]);
  const big = "x".repeat(700 * 1024);
  await Promise.all([push(1, big), push(2, big), push(3)]);
  expect(peer.requests.slice(3).map(numbersOf)).toEqual([[1], [2, 3]]);
});

test("an outage costs nothing: everything arrives in order when the server is back", async () => {
  await peer.close();
  const all = [1, 2, 3].map((n) => push(n));
  await until(() => errors.length >= 2);
  await peer.listen();
  expect(await Promise.all(all)).toMatchObject([{ n: 1 }, { n: 2 }, { n: 3 }]);
  expect(peer.requests.map(numbersOf)).toEqual([[1, 2, 3]]);
});

test("an item the server is too busy for is sent again, its neighbours are not", async () => {
  peer.on(ROUTE, (request, response) => {
    const results = itemsOf(request).map((item) =>
      item.n === 2 && peer.requests.length === 1
        ? { ok: false, problem: problemOf(503, "overloaded") }
        : accept(item),
    );
    json(response, { results });
  });
  await Promise.all([push(1), push(2), push(3)]);
  expect(peer.requests.map(numbersOf)).toEqual([[1, 2, 3], [2]]);
});

test("a refused item rejects alone", async () => {
  peer.on(ROUTE, (request, response) => {
    const results = itemsOf(request).map((item) =>
      item.n === 2 ? { ok: false, problem: problemOf(409, "already_terminal") } : accept(item),
    );
    json(response, { results });
  });
  const results = await Promise.allSettled([push(1), push(2), push(3)]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
});

test("a request refused as a whole is halved until the poison stands alone", async () => {
  peer.on(ROUTE, (request, response) => {
    if (numbersOf(request).includes(5)) problem(response, 400, "validation_failed");
    else json(response, { results: itemsOf(request).map(accept) });
  });
  const results = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => push(n)));
  const refused = results.flatMap(({ status }, n) => (status === "rejected" ? [n] : []));
  expect(refused).toEqual([5]);
  const stored = peer.requests.filter((r) => !numbersOf(r).includes(5)).flatMap(numbersOf);
  expect(stored).toEqual([0, 1, 2, 3, 4, 6, 7]);
});

test("a refused key is asked about again, not given up", async () => {
  peer.on(ROUTE, (request, response) => {
    if (peer.requests.length === 1) problem(response, 401, "unauthorized");
    else json(response, { results: itemsOf(request).map(accept) });
  });
  expect(await push(1)).toMatchObject({ n: 1 });
});

test("close gives up what is left, idle resolves", async () => {
  await peer.close();
  const lost = push(1).catch((error: unknown) => error);
  await until(() => errors.length > 0);
  const idle = sender.idle();
  sender.close();
  expect(isSignalboxError(await lost, "worker_stopped")).toBe(true);
  await idle;
  await expect(push(2)).rejects.toMatchObject({ code: "worker_stopped" });
});
