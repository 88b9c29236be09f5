// A handler that never yields: its lease lives on, because the keeper has a thread of its own.
// Promises: the worker is a real process and spins for two leases.
// Leaves to others: everything else about leases (keeper.test.ts).

import { expect, test } from "vitest";

import type { HeartbeatRequest } from "../../src/index.ts";
import { setStage } from "../peer/stage.ts";
import { startWorkerProcess } from "./process.ts";

const stage = setStage();

test("a spinning handler does not starve heartbeats", async () => {
  const worker = startWorkerProcess(stage.box.peer.url, "busy");
  stage.box.give(null);
  expect(await stage.reported("complete")).toMatchObject({ output: "spun" });
  const isBeat = ({ body, path }: { body: unknown; path: string }): boolean =>
    path === "/v1/heartbeats" && (body as HeartbeatRequest).leases.length === 1;
  const { requests } = stage.box.peer;
  const started = requests.findIndex(({ path }) => path === "/v1/reports");
  const completed = requests.findLastIndex(({ path }) => path === "/v1/reports");
  // Start was told before the spinning, complete after it; beats of the lease lie between.
  expect(stage.reportsOf("start")).toHaveLength(1);
  expect(completed).toBeGreaterThan(started);
  expect(requests.slice(started, completed).filter(isBeat).length).toBeGreaterThanOrEqual(3);
  expect(worker.stderr()).toBe("");
});
