// A worker whose runtime the server does not take: it registers again and goes on.
// Promises: refusals come from the real routes of the peer.
// Leaves to others: when a runtime is stale (server).

import { expect, test } from "vitest";

import { json, problem, until } from "../peer/scripted-server.ts";
import { setStage } from "../peer/stage.ts";

const stage = setStage();

test.each(["runtime_stale", "runtime_unknown"])(
  "a claim refused with %s is followed by a registration, then by claims that work",
  async (code) => {
    stage.box.refuseClaims.push([409, code]);
    await stage.start(() => "done");
    await until(() => stage.box.claims().length === 2);
    expect(stage.box.journal).toEqual(["online", "online"]);
    const [first, again] = stage.box.peer.of("PUT /v1/runtimes/rt");
    expect(again?.body).toEqual(first?.body);
    expect(stage.errors).toMatchObject([{ code }]);
    stage.box.give(null);
    expect(await stage.reported("complete")).toMatchObject({ output: "done" });
  },
);

test("a runtime that is refused again and again is registered again and again", async () => {
  for (let n = 0; n < 3; n += 1) stage.box.refuseClaims.push([409, "runtime_stale"]);
  await stage.start(() => "done");
  stage.box.give(null);
  await stage.reported("complete");
  expect(stage.box.journal.filter((line) => line === "online")).toHaveLength(4);
});

test("a heartbeat that is refused registers too, and live runs go on", async () => {
  let finish = (): void => {};
  await stage.start(() => new Promise<void>((resolve) => (finish = resolve)));
  stage.box.give(null);
  await stage.journal("start 1");
  const { peer } = stage.box;
  let refused = 0;
  peer.on("POST /v1/heartbeats", ({ body }, response) => {
    refused += 1;
    if (refused === 1) return problem(response, 409, "runtime_unknown");
    const { leases } = body as { leases: object[] };
    const answers = leases.map((lease) => ({ ...lease, ok: true }));
    json(response, { leases: answers, directives: [] });
  });
  await until(() => stage.box.journal.filter((line) => line === "online").length === 2);
  await until(() => refused > 2);
  finish();
  await stage.reported("complete");
});
