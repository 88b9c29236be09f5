// Signals: the first drains, the second ends at once.
// Promises: a real process gets real signals.
// Leaves to others: the drain itself (worker-drain.test.ts).

import { expect, test } from "vitest";

import { setStage } from "../peer/stage.ts";
import { startWorkerProcess } from "./process.ts";

const stage = setStage();

test("SIGTERM: the live run finishes, the runtime signs off, the signal takes effect", async () => {
  const worker = startWorkerProcess(stage.box.peer.url, "patient");
  stage.box.give(null);
  await stage.journal("start 1");
  worker.child.kill("SIGTERM");
  await stage.journal("draining");
  worker.child.stdin.write("finished\n");
  expect(await worker.ended).toEqual({ code: null, signal: "SIGTERM" });
  expect(stage.box.journal).toEqual(["online", "start 1", "draining", "complete 1", "offline"]);
  expect(stage.reportsOf("complete")[0]).toMatchObject({ output: "finished" });
  expect(worker.stderr()).toBe("");
});

test("a second signal ends the process at once", async () => {
  const worker = startWorkerProcess(stage.box.peer.url, "patient");
  stage.box.give(null);
  await stage.journal("start 1");
  worker.child.kill("SIGINT");
  await stage.journal("draining");
  worker.child.kill("SIGINT");
  expect(await worker.ended).toEqual({ code: null, signal: "SIGINT" });
  expect(stage.reportsOf("complete")).toEqual([]);
});
