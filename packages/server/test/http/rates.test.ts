// How much one key may ask: buckets per key and pace, by a clock that the test moves.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Rates } from "../../src/http/rates.ts";
import { routesOf } from "../../src/http/routes/index.ts";
import { groupBy } from "../../src/std/group.ts";
import { manualClock } from "../setup/manual-clock.ts";
import { ask, openScene } from "./scene.ts";
import type { Scene } from "./scene.ts";

const rates = {
  ordinary: { perSecond: 2, burst: 3 },
  lease: { perSecond: 10, burst: 20 },
  urgent: { perSecond: 10, burst: 20 },
};

describe("a bucket", () => {
  test("gives its burst at once, then as many a second as it may, and says when", async () => {
    const clock = manualClock();
    const own = new Rates(rates, clock.mono);
    const draw = () => own.draw("k", "ordinary");
    const first = draw();
    expect(first.refusal).toBeNull();
    expect(first.headers).toEqual({
      "ratelimit-limit": "3",
      "ratelimit-remaining": "2",
      "ratelimit-reset": "1",
    });
    draw();
    draw();
    expect(draw().refusal).toMatchObject({ code: "rate_limited", facts: { retry_after_ms: 500 } });
    await clock.advance(499);
    expect(draw().refusal).not.toBeNull();
    await clock.advance(1);
    expect(draw().refusal).toBeNull();
    expect(draw().refusal).not.toBeNull();
    await clock.advance(3_600_000);
    expect([draw(), draw(), draw(), draw()].map((one) => one.refusal === null)).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  test("is the key's own, and the pace's own", () => {
    const own = new Rates(rates, () => 0);
    for (let n = 0; n < 3; n++) own.draw("a", "ordinary");
    expect(own.draw("a", "ordinary").refusal).not.toBeNull();
    expect(own.draw("b", "ordinary").refusal).toBeNull();
    expect(own.draw("a", "lease").refusal).toBeNull();
    expect(own.draw("a", "urgent").refusal).toBeNull();
  });

  test("has no bottom where the rate is 0", () => {
    const own = new Rates({ ordinary: { perSecond: 0, burst: 0 } }, () => 0);
    expect(own.draw("a", "ordinary")).toEqual({ refusal: null, headers: {} });
  });
});

describe("the server", () => {
  let scene: Scene;
  const clock = manualClock();
  beforeAll(async () => {
    scene = await openScene({ rates, clock });
  });
  afterAll(async () => {
    await scene?.close();
  });

  test("answers 429 with Retry-After once a key is over, and serves the others", async () => {
    const { app, keys } = scene;
    const get = (key: string) => ask(app, key, "GET /v1/project");
    const replies = [await get(keys.viewer), await get(keys.viewer), await get(keys.viewer)];
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(replies[2]?.headers["ratelimit-remaining"]).toBe("0");
    const over = await get(keys.viewer);
    expect([over.status, over.body.code, over.headers["retry-after"]]).toEqual([
      429,
      "rate_limited",
      "1",
    ]);
    expect(over.headers["ratelimit-limit"]).toBe("3");
    expect((await get(keys.submitter)).status).toBe(200);
    await clock.advance(500);
    expect((await get(keys.viewer)).status).toBe(200);
  });

  test("a key that is over still beats, reports and kills", async () => {
    const { app, keys } = scene;
    for (let n = 0; n < 4; n++) await ask(app, keys.admin, "GET /v1/project");
    expect((await ask(app, keys.admin, "GET /v1/project")).status).toBe(429);
    const beat = { runtime: "w1", agents: [], leases: [] };
    await ask(app, keys.admin, "PUT /v1/runtimes/w1");
    expect((await ask(app, keys.admin, "POST /v1/heartbeats", { body: beat })).status).toBe(200);
    const reports = await ask(app, keys.admin, "POST /v1/reports", { body: { items: [] } });
    expect(reports.status).not.toBe(429);
    const body = { reason: "test" };
    for (const line of ["POST /v1/runs/run_01h455vb4pex5vsknk084sn02q/kill", "POST /v1/stop"]) {
      expect((await ask(app, keys.admin, line, { body })).status).not.toBe(429);
    }
  });
});

test("what keeps a lease and what stops a run has a bucket of its own", () => {
  const paced = groupBy(
    routesOf("0", () => ({})).filter(({ method }) => method !== "GET"),
    ({ pace = "ordinary" }) => pace,
  );
  const idsOf = (routes: readonly { operationId: string }[] = []): string[] =>
    routes.map(({ operationId }) => operationId).toSorted();
  expect(idsOf(paced.get("urgent"))).toEqual([
    "cancelRun",
    "killRun",
    "resumeEverything",
    "resumeProject",
    "stopEverything",
    "stopProject",
  ]);
  expect(idsOf(paced.get("lease"))).toEqual(
    [
      "appendEvents",
      "appendRunEvents",
      "awaitToolRun",
      "claimRuns",
      "completeRun",
      "exhaustedRun",
      "failRun",
      "heartbeat",
      "heartbeatRun",
      "registerRuntime",
      "releaseRun",
      "report",
      "reportExhaustion",
      "resumeRun",
      "startRun",
      "terminatedRun",
    ].toSorted(),
  );
});
