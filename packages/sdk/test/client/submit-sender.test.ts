// The submit sender: callers of `runs.submit` share requests, and yet each gets its own answer,
// submits once whatever is repeated, and waits for nobody it need not wait for.
// Promises: what a request carried is read from the peer's records.
// Leaves to others: retries of one request (http.test.ts), what a server makes of it (server
// package).

import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { isSignalboxError } from "../../src/index.ts";
import { Http } from "../../src/http.ts";
import { SubmitSender } from "../../src/resources/submit-sender.ts";
import type { Submitted } from "../../src/resources/submit-sender.ts";
import type { BatchSubmission, RunSubmission } from "../../src/wire.ts";
import { json, problem, problemOf, startPeer, until } from "../peer/scripted-server.ts";
import type { Peer, Recorded } from "../peer/scripted-server.ts";

const ONE = "POST /v1/runs";
const MANY = "POST /v1/runs/batch";
let peer: Peer;
let sender: SubmitSender;
/** Answers of the peer that are held back. */
let held: (() => void)[];

const itemsOf = (request: Recorded): BatchSubmission[] =>
  request.path.endsWith("batch")
    ? (request.body as { items: BatchSubmission[] }).items
    : [request.body as BatchSubmission];
const inputsOf = (request: Recorded): unknown[] => itemsOf(request).map(({ input }) => input);
const sizesOf = (requests: readonly Recorded[]): number[] =>
  requests.map((request) => itemsOf(request).length).toSorted((a, b) => a - b);
const submit = (input: unknown, parts: RunSubmission = {}, signal?: AbortSignal) =>
  sender.submit({ input, ...parts } as RunSubmission, signal);
const idOf = ({ run }: Submitted): string => run.id;
const wordOf = (outcome: PromiseSettledResult<Submitted>): string => {
  if (outcome.status === "fulfilled") return outcome.value.run.id;
  return isSignalboxError(outcome.reason) ? outcome.reason.code : String(outcome.reason);
};
const accept = (input: unknown) => ({
  ok: true,
  created: true,
  run: { id: `run_${String(input)}` },
});
const answerOne = (request: Recorded, response: Parameters<typeof json>[0]): void => {
  json(response, { id: `run_${String(inputsOf(request)[0])}` }, 201);
};
const answerMany = (request: Recorded, response: Parameters<typeof json>[0]): void => {
  json(response, { results: inputsOf(request).map(accept) });
};

beforeEach(async () => {
  peer = await startPeer();
  peer.on(ONE, answerOne);
  peer.on(MANY, answerMany);
  sender = new SubmitSender(new Http({ url: peer.url, key: "sbx_test" }));
  held = [];
});
afterEach(async () => {
  await peer.close();
});

/** From now on the peer answers only when it is told to. */
function hold(): void {
  peer.on(ONE, (request, response) => held.push(() => answerOne(request, response)));
  peer.on(MANY, (request, response) => held.push(() => answerMany(request, response)));
}

describe("who shares a request", () => {
  test("a lone submission is sent by itself, with a key of its own", async () => {
    expect(idOf(await submit(1))).toBe("run_1");
    expect(peer.requests.map(({ path }) => path)).toEqual(["/v1/runs"]);
    expect(peer.requests[0]?.headers["idempotency-key"]).toMatch(/^sdk-[0-9a-f]{32}$/);
  });

  test("those of one turn go together, each with its own answer and key", async () => {
    const all = await Promise.all([1, 2, 3].map((n) => submit(n)));
    expect(all.map(idOf)).toEqual(["run_1", "run_2", "run_3"]);
    expect(peer.requests.map(inputsOf)).toEqual([[1, 2, 3]]);
    const keys = itemsOf(peer.requests[0] as Recorded).map((item) => item.idempotency_key);
    expect(new Set(keys).size).toBe(3);
  });

  test("at most two requests are under way; what comes meanwhile goes in the next", async () => {
    hold();
    const all = [submit(1)];
    await until(() => held.length === 1);
    all.push(submit(2));
    await until(() => held.length === 2);
    all.push(submit(3), submit(4), submit(5));
    held[0]?.();
    await until(() => held.length === 3);
    for (const give of held.slice(1)) give();
    expect((await Promise.all(all)).map(idOf)).toEqual([1, 2, 3, 4, 5].map((n) => `run_${n}`));
    expect(peer.requests.map(inputsOf)).toEqual([[1], [2], [3, 4, 5]]);
  });

  test("a request has at most 200 of them, and about a million characters", async () => {
    await Promise.all(Array.from({ length: 450 }, (_, n) => submit(n)));
    // Two are under way at a time: which of them comes first is nobody's promise.
    expect(sizesOf(peer.requests)).toEqual([50, 200, 200]);
    const big = "x".repeat(600_000);
    await Promise.all([submit(big), submit(big), submit(1)]);
    expect(sizesOf(peer.requests.slice(3))).toEqual([1, 2]);
  });

  test("a key of the caller's stays, and what is submitted again under it is told", async () => {
    peer.on(MANY, (request, response) => {
      const results = itemsOf(request).map((item) => ({
        ...accept(item.input),
        created: item.idempotency_key !== "used",
      }));
      json(response, { results });
    });
    const all = await Promise.all([
      submit(1, { idempotency_key: "used" }),
      submit(2, { idempotency_key: "new" }),
    ]);
    expect(all.map(({ created }) => created)).toEqual([false, true]);
    const keys = itemsOf(peer.requests[0] as Recorded).map((item) => item.idempotency_key);
    expect(keys).toEqual(["used", "new"]);
  });

  test("whenever the next one comes, it is sent: also as both requests end", async () => {
    let answer: (() => void)[] = [];
    let sent = 0;
    const fetch = async (): Promise<Response> => {
      sent += 1;
      if (sent % 3 !== 0) await new Promise<void>((resolve) => answer.push(resolve));
      // Read without a turn of the event loop, so that both requests end in step.
      const response = new Response(null, { status: 201 });
      return Object.assign(response, { text: async () => '{"id":"run"}' });
    };
    const http = new Http({
      url: "http://peer",
      key: "k",
      fetch,
    });
    const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
    for (let ticks = 0; ticks < 60; ticks += 1) {
      const own = new SubmitSender(http);
      const first = own.submit({}, undefined);
      await turn();
      const second = own.submit({}, undefined);
      await turn();
      for (const give of answer) give();
      answer = [];
      // So many steps of the program after the answers the third one comes.
      for (let n = 0; n < ticks; n += 1) await Promise.resolve();
      const third: Submitted[] = [];
      void own.submit({}, undefined).then((submitted) => third.push(submitted));
      for (let turns = 0; third.length === 0 && turns < 1000; turns += 1) await turn();
      await Promise.all([first, second]);
      expect(third, `${ticks} steps after the answers`).toHaveLength(1);
    }
    expect(sent).toBe(180);
  });
});

describe("what goes wrong", () => {
  test("a refused submission rejects alone", async () => {
    peer.on(MANY, (request, response) => {
      const results = inputsOf(request).map((input) =>
        input === 2
          ? { ok: false, problem: problemOf(422, "idempotency_mismatch") }
          : accept(input),
      );
      json(response, { results });
    });
    const all = await Promise.allSettled([1, 2, 3].map((n) => submit(n)));
    expect(all.map(wordOf)).toEqual(["run_1", "idempotency_mismatch", "run_3"]);
  });

  test("a request refused as a whole is halved until the cause stands alone", async () => {
    const refuse =
      (answer: typeof answerMany): typeof answerMany =>
      (request, response) => {
        if (inputsOf(request).includes(3)) problem(response, 400, "validation_failed");
        else answer(request, response);
      };
    peer.on(ONE, refuse(answerOne));
    peer.on(MANY, refuse(answerMany));
    const all = await Promise.allSettled([1, 2, 3, 4, 5].map((n) => submit(n)));
    expect(all.map(wordOf)).toEqual(["run_1", "run_2", "validation_failed", "run_4", "run_5"]);
    expect(peer.requests.map(inputsOf)).toEqual([[1, 2, 3, 4, 5], [1, 2, 3], [1, 2], [3], [4, 5]]);
  });

  test("a submission keeps its key however often and in whatever company it is sent", async () => {
    const keys = new Map<unknown, Set<unknown>>();
    const note = (request: Recorded): void => {
      for (const { input, idempotency_key: own } of itemsOf(request)) {
        const key = own ?? request.headers["idempotency-key"];
        keys.set(input, (keys.get(input) ?? new Set()).add(key));
      }
    };
    let away = 1;
    const fail =
      (answer: typeof answerMany): typeof answerMany =>
      (request, response) => {
        note(request);
        // The server may have stored what it then failed to answer.
        if (inputsOf(request).includes(3)) problem(response, 500, "internal");
        else if (away-- > 0) problem(response, 503, "unavailable");
        else answer(request, response);
      };
    peer.on(ONE, fail(answerOne));
    peer.on(MANY, fail(answerMany));
    const all = await Promise.allSettled([1, 2, 3, 4].map((n) => submit(n)));
    expect(all.map(wordOf)).toEqual(["run_1", "run_2", "internal", "run_4"]);
    expect([...keys.values()].map((used) => used.size)).toEqual([1, 1, 1, 1]);
  });

  test.each([401, 403])("a key that is refused with %i is not tried for each", async (status) => {
    for (const route of [ONE, MANY]) peer.on(route, (_, to) => problem(to, status, "no"));
    const all = await Promise.allSettled([1, 2, 3, 4].map((n) => submit(n)));
    expect(all.map(wordOf)).toEqual(["no", "no", "no", "no"]);
    expect(peer.requests).toHaveLength(1);
  });

  test("an answer that names fewer runs fails those it does not name, at once", async () => {
    peer.on(MANY, (_, response) => json(response, { results: [accept(1)] }));
    const all = await Promise.allSettled([submit(1), submit(2)]);
    expect(all.map(wordOf)).toEqual([
      "run_1",
      "Error: Signalbox: the answer names fewer runs than were submitted",
    ]);
    peer.on(MANY, (_, response) => json(response, {}));
    const none = await Promise.allSettled([submit(1), submit(2)]);
    expect(none.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  test("what cannot be said in JSON fails its caller alone", async () => {
    const all = await Promise.allSettled([submit(1), submit(7n), submit(3)]);
    expect(all.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });
});

describe("a caller that gives up", () => {
  const why = new Error("changed my mind");

  test("before it began sends nothing", async () => {
    await expect(submit(1, {}, AbortSignal.abort(why))).rejects.toBe(why);
    await submit(2);
    expect(peer.requests.map(inputsOf)).toEqual([[2]]);
  });

  test("while it waits for its turn is not sent, and its neighbours are", async () => {
    hold();
    const first = [submit(1), submit(2)];
    await until(() => held.length === 1);
    const second = submit(3);
    await until(() => held.length === 2);
    const gone = new AbortController();
    const waits = submit(4, {}, gone.signal);
    const stays = submit(5);
    gone.abort(why);
    await expect(waits).rejects.toBe(why);
    for (const give of held) give();
    await until(() => held.length === 3);
    held[2]?.();
    await Promise.all([...first, second, stays]);
    expect(peer.requests.map(inputsOf)).toEqual([[1, 2], [3], [5]]);
  });

  test("while its run is on its way in a batch is told at once; others get theirs", async () => {
    hold();
    const gone = new AbortController();
    const all = [submit(1), submit(2, {}, gone.signal), submit(3)];
    const told = Promise.allSettled(all);
    await until(() => held.length === 1);
    gone.abort(why);
    await expect(all[1]).rejects.toBe(why);
    held[0]?.();
    expect((await told).map(wordOf)).toEqual(["run_1", "Error: changed my mind", "run_3"]);
  });

  test("while its run is on its way alone ends the request", async () => {
    hold();
    const gone = new AbortController();
    const one = submit(1, {}, gone.signal);
    await until(() => held.length === 1);
    gone.abort(why);
    await expect(one).rejects.toBe(why);
    peer.on(ONE, answerOne);
    expect(idOf(await submit(2))).toBe("run_2");
  });

  test("leaves no listener behind, nor does one that was answered or refused", async () => {
    const { signal } = new AbortController();
    peer.on(MANY, (request, response) => {
      const results = inputsOf(request).map((input) =>
        input === 2 ? { ok: false, problem: problemOf(409, "no") } : accept(input),
      );
      json(response, { results });
    });
    await Promise.allSettled([1, 2].map((n) => submit(n, {}, signal)));
    await submit(3, {}, signal);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});
