// The batch sender: natural batching, order, outages, poison.
// Promises: what one request carries is read from the peer's records.
// Leaves to others: reports and events themselves (worker.test.ts).

import { afterEach, beforeEach, expect, test } from "vitest";

import { isSignalboxError } from "../../src/index.ts";
import { Http } from "../../src/http.ts";
import { BatchSender } from "../../src/worker/batch-sender.ts";
import { json, problem, problemOf, startPeer, until } from "../peer/scripted-server.ts";
import type { Peer, Recorded } from "../peer/scripted-server.ts";

type Item = { n: number; about?: string; pad?: string };
const ROUTE = "POST /v1/reports";
let peer: Peer;
let sender: BatchSender<{ n: number }>;
let errors: unknown[];

const itemsOf = (request: Recorded): Item[] => (request.body as { items: Item[] }).items;
const numbersOf = (request: Recorded): number[] => itemsOf(request).map(({ n }) => n);
const accept = (item: Item): object => ({ ok: true, n: item.n });
/** An item about a subject of its own, or about this one. */
const push = (n: number, pad?: string, about = `run ${n}`): Promise<{ n: number }> =>
  sender.push(about, JSON.stringify({ n, about, pad }));
/** Lets requests wait until they are answered here. */
function holdRequests(): (() => void)[] {
  const held: (() => void)[] = [];
  peer.on(ROUTE, (request, response) => {
    held.push(() => json(response, { results: itemsOf(request).map(accept) }));
  });
  return held;
}
const sorted = (numbers: number[]): number[] => numbers.toSorted((a, b) => a - b);

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

test("what queues up while two requests are under way goes together in the next", async () => {
  const held = holdRequests();
  const first = push(1);
  await until(() => held.length === 1);
  const second = push(2);
  await until(() => held.length === 2);
  const rest = [push(3), push(4), push(5)];
  held[0]?.();
  await first;
  await until(() => held.length === 3);
  held[1]?.();
  held[2]?.();
  await Promise.all([second, ...rest]);
  expect(peer.requests.map(numbersOf)).toEqual([[1], [2], [3, 4, 5]]);
});

test("what is about one subject is never in two requests at once", async () => {
  const held = holdRequests();
  const all = [push(1, "", "run a")];
  await until(() => held.length === 1);
  all.push(push(2, "", "run a"), push(3, "", "run b"), push(4, "", "run a"));
  await until(() => held.length === 2);
  held[1]?.();
  await all[2];
  held[0]?.();
  await until(() => held.length === 3);
  held[2]?.();
  await Promise.all(all);
  expect(peer.requests.map(numbersOf)).toEqual([[1], [3], [2, 4]]);
});

test("the items of a subject arrive in order, whatever is refused for now", async () => {
  let isBusy = true;
  const arrived: Item[] = [];
  peer.on(ROUTE, (request, response) => {
    const results = itemsOf(request).map((item) => {
      const before = arrived.filter(({ about }) => about === item.about);
      const isNext = before.length === Math.floor(item.n / 10);
      if ((item.n === 4 && isBusy) || !isNext) {
        isBusy = false;
        return { ok: false, problem: problemOf(503, "overloaded") };
      }
      arrived.push(item);
      return accept(item);
    });
    json(response, { results });
  });
  // Ten subjects (the last digit) with three items each.
  await Promise.all(Array.from({ length: 30 }, (_, n) => push(n, "", `run ${n % 10}`)));
  expect(sorted(arrived.map(({ n }) => n))).toEqual(Array.from({ length: 30 }, (_, n) => n));
});

test("a request has at most 200 items, and about 1 MiB", async () => {
  await Promise.all(Array.from({ length: 450 }, (_, n) => push(n)));
  const sizes = peer.requests.map((request) => itemsOf(request).length);
  expect(sizes.toSorted((a, c) => c - a)).toEqual([200, 200, 50]);
  const big = "x".repeat(700 * 1024);
  await Promise.all([push(1, big), push(2, big), push(3)]);
  const last = peer.requests.slice(3).map(numbersOf);
  expect(last.toSorted(([a = 0], [c = 0]) => a - c)).toEqual([[1], [2, 3]]);
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
  expect(sorted(stored)).toEqual([0, 1, 2, 3, 4, 6, 7]);
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
