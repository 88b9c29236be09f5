// The campaigns' own checkers: each must find what it is there to find.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { historyOf } from "../../../../bench/campaigns/cancel-race.ts";
import type { Answers, Ended } from "../../../../bench/campaigns/cancel-race.ts";
import { overlaps } from "../../../../bench/stage/crew.ts";
import type { Deed, Hands } from "../../../../bench/stage/crew.ts";
import { figuresOf, inWords, quantile } from "../../../../bench/stage/figures.ts";
import { brokenPromises } from "../../../../bench/stage/kept.ts";
import type { Promised } from "../../../../bench/stage/load.ts";
import { Random } from "../../../../bench/stage/random.ts";
import { Register } from "../../../../bench/stage/register.ts";
import { uuidOf } from "../../../../bench/stage/type-id.ts";
import { newUuid, toTypeId } from "../../src/std/ids.ts";
import { createSignalbox } from "../../src/index.ts";
import type { SignalboxServer } from "../../src/index.ts";
import { freshDatabase } from "../setup/database.ts";
import type { FreshDatabase } from "../setup/database.ts";

describe("figures", () => {
  const verdict = (values: number[], kind: object, how = {}): boolean | undefined => {
    const repetitions = values.map((value) => ({ x: value }));
    return figuresOf({ x: { unit: "", ...kind } }, repetitions, how)[0]?.passed;
  };

  test("one value beyond the limit fails, however good the median", () => {
    expect(verdict([1, 1, 1], { most: 1 })).toBe(true);
    expect(verdict([1, 1, 2], { most: 1 })).toBe(false);
    expect(verdict([0, 0, 1], { exactly: 0 })).toBe(false);
    expect(verdict([2, 1], { least: 2 })).toBe(false);
    expect(verdict([5, 500], {})).toBe(true);
  });

  test("what was never measured, or has no number, fails", () => {
    expect(verdict([], { most: 1 })).toBe(false);
    expect(verdict([], {})).toBe(true);
    expect(verdict([Number.NaN], { most: 1 })).toBe(false);
    expect(verdict([Infinity], {})).toBe(false);
  });

  test("a duration has no limit in the quick form; a count has", () => {
    expect(verdict([9], { most: 1, timed: true })).toBe(false);
    expect(verdict([9], { most: 1, timed: true }, { quick: true })).toBe(true);
    expect(verdict([9], { most: 1 }, { quick: true })).toBe(false);
  });

  test("a figure nobody declared is a mistake of the campaign", () => {
    expect(() => figuresOf({}, [{ x: 1 }])).toThrow("x is not declared");
  });

  test("in words: median and range, or the sum", () => {
    const repetitions = [{ took_ms: 3 }, { took_ms: 1 }, { took_ms: 2.5 }];
    const [plain] = figuresOf({ took_ms: { unit: "ms" } }, repetitions);
    expect(plain && inWords(plain)).toBe("took 2.5 ms (1 to 3)");
    const [summed] = figuresOf({ took_ms: { unit: "ms", summed: true } }, repetitions);
    expect(summed && inWords(summed)).toBe("took 6.5 in all");
    expect([quantile([4, 1, 3, 2], 0.99), quantile([4, 1, 3, 2], 0.5), quantile([], 0.5)]).toEqual([
      4, 2, 0,
    ]);
  });
});

test("the same seed draws the same, another seed does not", () => {
  const draws = (seed: number): number[] => {
    const random = new Random(seed);
    return Array.from({ length: 20 }, () => random.between(1, 1_000));
  };
  expect(draws(7)).toEqual(draws(7));
  expect(draws(7)).not.toEqual(draws(8));
  expect(Math.min(...draws(7))).toBeGreaterThanOrEqual(1);
  expect(Math.max(...draws(7))).toBeLessThanOrEqual(1_000);
});

test("ids are decoded as the product encodes them", () => {
  const uuid = newUuid();
  expect(uuidOf(toTypeId("run", uuid))).toBe(uuid);
  expect(() => uuidOf("run_not-an-id")).toThrow("is not an id");
});

describe("overlaps", () => {
  const handsOf = (begun: Partial<Deed>[], ended: Partial<Deed>[]): Hands =>
    ({ begun, ended }) as unknown as Hands;
  const first = handsOf([{ run: "r", token: 1, at: 10 }], []);
  const second = handsOf([{ run: "r", token: 2, at: 30 }], [{ run: "r", token: 2, at: 40 }]);

  test("a run that begins while another worker still has it is found", () => {
    expect(overlaps([first, second], new Map())).toBe(1);
    expect(overlaps([first, second], new Map([[first, 31]]))).toBe(1);
  });

  test("one that begins after the death or the end is not", () => {
    expect(overlaps([first, second], new Map([[first, 29]]))).toBe(0);
    expect(overlaps([second], new Map())).toBe(0);
  });
});

describe("a race of complete and cancel", () => {
  const reply = (status: number, state: string, code: string | null = null) => ({
    status,
    code,
    body: { state },
  });
  const completed: Answers = {
    complete: reply(200, "completed"),
    cancel: reply(409, "", "already_terminal"),
    again: reply(200, "completed"),
  };
  const cancelled: Answers = {
    complete: reply(200, "cancelled"),
    cancel: reply(200, "running"),
    again: reply(200, "cancelled"),
  };
  const end = (state: string, end_cause: string, terminal_events = 1): Ended => ({
    state,
    end_cause,
    terminal_events,
    has_output: true,
  });

  test("has two allowed histories", () => {
    expect(historyOf(completed, end("completed", "completed"))).toBe("completed");
    expect(historyOf(cancelled, end("cancelled", "cancel"))).toBe("cancelled");
  });

  test("every other one is found", () => {
    expect(historyOf(completed, end("completed", "completed", 2))).toBeNull();
    expect(historyOf(completed, end("cancelled", "cancel"))).toBeNull();
    expect(historyOf(cancelled, end("completed", "completed"))).toBeNull();
    const both = { ...completed, cancel: reply(200, "running") };
    expect(historyOf(both, end("completed", "completed"))).toBeNull();
    const lost = { ...end("cancelled", "cancel"), has_output: false };
    expect(historyOf(cancelled, lost)).toBeNull();
  });
});

describe("promises against the register", () => {
  let database: FreshDatabase;
  let server: SignalboxServer;
  let folder: string;
  let register: Register;
  let promised: Promised;

  beforeAll(async () => {
    database = await freshDatabase();
    folder = await mkdtemp(join(tmpdir(), "signalbox-stage-"));
    server = await createSignalbox({ databaseUrl: database.url, dataDir: folder });
    register = new Register(database.url);
    const send = async (method: "POST" | "PUT", url: string, payload: object, more = {}) => {
      const headers = { authorization: `Bearer ${server.cliKey}`, ...more };
      return (await server.inject({ method, url, payload, headers })).json();
    };
    const post = (url: string, payload: object, more = {}) => send("POST", url, payload, more);
    const input = { input: { n: 7 } };
    const run = await post("/v1/runs", input, { "idempotency-key": "k-7" });
    await send("PUT", "/v1/runtimes/w", {});
    const claimed = await post("/v1/claims", { runtime: "w", free: 1 });
    const { attempt_id, fencing_token } = claimed.claims[0];
    const fence = { attempt_id, fencing_token };
    const events = [{ type: "message.delta", producer_seq: 1, data: { n: 7 } }];
    await post(`/v1/runs/${run.id}/events`, { ...fence, events });
    await post(`/v1/runs/${run.id}/complete`, { ...fence, output: { n: 7 } });
    promised = {
      submits: [{ run: run.id, n: 7, key: "k-7" }],
      events: [{ run: run.id, attempt: 1, producer_seq: 1, n: 7 }],
      completions: [{ run: run.id, n: 7 }],
    };
  });

  afterAll(async () => {
    await register?.close();
    await server?.stop();
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });

  test("what was kept is found", async () => {
    const kept = { submits: 0, events: 0, completions: 0, doubled: 0 };
    expect(await brokenPromises(register, promised)).toEqual(kept);
    expect(await register.violations()).toEqual([]);
  });

  test("what is missing or different is found", async () => {
    const [submit, event, completion] = [
      promised.submits[0],
      promised.events[0],
      promised.completions[0],
    ];
    if (!submit || !event || !completion) throw new Error("nothing was promised");
    const unknown = toTypeId("run", newUuid());
    const broken: Promised = {
      submits: [
        { ...submit, run: unknown },
        { ...submit, n: 8 },
        { ...submit, key: "other" },
      ],
      events: [
        { ...event, producer_seq: 2 },
        { ...event, n: 8 },
        { ...event, attempt: 2 },
      ],
      completions: [
        { ...completion, n: 8 },
        { run: unknown, n: 7 },
      ],
    };
    const found = { submits: 3, events: 3, completions: 2, doubled: 0 };
    expect(await brokenPromises(register, broken)).toEqual(found);
  });

  test("the history of a run is counted from its events", async () => {
    const [history, ...others] = await register.histories("default");
    expect(others).toEqual([]);
    expect(history).toMatchObject({ state: "completed", claims: 1, terminal_events: 1, lost: 0 });
  });
});
