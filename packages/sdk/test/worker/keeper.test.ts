// The keeper on real sockets: heartbeats, silence, directives.
// Promises: short leases, so that freezing and thawing really happen on the clock.
// Leaves to others: the rules in simulated time (kept-leases.test.ts), the thread
// (busy-handler.test.ts).

import { afterEach, beforeEach, expect, test } from "vitest";

import { isSignalboxError } from "../../src/index.ts";
import type { HeartbeatRequest } from "../../src/index.ts";
import { Keeper } from "../../src/worker/keeper.ts";
import { json, problem, startPeer, stream, until } from "../peer/scripted-server.ts";
import type { Peer } from "../peer/scripted-server.ts";

const BEATS = "POST /v1/heartbeats";
const DIRECTIVES = "GET /v1/runtimes/rt/directives";
const fence = { run_id: "run_1", attempt_id: "att_1", fencing_token: 1 };

let peer: Peer;
let keeper: Keeper;
let told: string[];
let errors: unknown[];

beforeEach(async () => {
  peer = await startPeer();
  told = [];
  errors = [];
  const options = { url: peer.url, key: "sbx_test", runtime: "rt", agents: ["a"] };
  keeper = new Keeper(
    { ...options, heartbeatMs: 200 },
    {
      onDirective: (d) => told.push(d.kind),
      onFreeze: () => told.push("freeze"),
      onThaw: () => told.push("thaw"),
      onLost: (_, code) => told.push(`lost ${code}`),
      onCheckpoint: (_, stored) => told.push(`checkpoint ${stored}`),
      onError: (error) => errors.push(error),
    },
  );
  peer.on(DIRECTIVES, (_, response) => stream(response));
  peer.on(BEATS, (request, response) => json(response, renewed(request.body)));
});
afterEach(async () => {
  await keeper.stop();
  await peer.close();
});

function renewed(body: unknown): object {
  const leases = (body as HeartbeatRequest).leases.map(({ attempt_id, run_id }) => {
    return { run_id, attempt_id, ok: true };
  });
  return { leases, directives: [] };
}

test("beats without leases, and renews all leases in one request", async () => {
  keeper.start();
  await until(() => peer.of(BEATS).length >= 2);
  expect(peer.of(BEATS)[0]?.body).toEqual({ runtime: "rt", agents: ["a"], leases: [] });
  keeper.add({ fence, leaseMs: 20_000, timeLeftMs: null });
  const other = { run_id: "run_2", attempt_id: "att_2", fencing_token: 7 };
  keeper.add({ fence: other, leaseMs: 20_000, timeLeftMs: null });
  const bodyOfLast = (): unknown => peer.of(BEATS).at(-1)?.body;
  await until(() => (bodyOfLast() as HeartbeatRequest).leases.length === 2);
  expect(bodyOfLast()).toMatchObject({
    leases: [
      { ...fence, lease_ms: 20_000 },
      { ...other, lease_ms: 20_000 },
    ],
  });
  expect(told).toEqual([]);
});

test("beats at a third of a lease that is shorter than three heartbeats", async () => {
  const rare = new Keeper(
    { url: peer.url, key: "sbx_test", runtime: "rt", agents: [], heartbeatMs: 60_000 },
    {
      onDirective: () => {},
      onFreeze: () => told.push("freeze"),
      onThaw: () => {},
      onLost: () => {},
    },
  );
  rare.start();
  await until(() => peer.of(BEATS).length === 1);
  // Wide enough that a busy machine is not taken for silence.
  rare.add({ fence, leaseMs: 3_000, timeLeftMs: null });
  await until(() => peer.of(BEATS).length >= 3);
  await rare.stop();
  expect(told).toEqual([]);
});

test("silence freezes, the first answer thaws; meanwhile it asks again and again", async () => {
  keeper.start();
  keeper.add({ fence, leaseMs: 3_000, timeLeftMs: null });
  await until(() => peer.of(BEATS).length >= 2);
  await peer.close();
  await until(() => told.includes("freeze"));
  await until(() => errors.length >= 2);
  expect(errors.every((error) => isSignalboxError(error, "connection_failed"))).toBe(true);
  await peer.listen();
  await until(() => told.includes("thaw"));
  expect(told).toEqual(["freeze", "thaw"]);
});

test("a server that accepts and never answers is silence too", async () => {
  keeper.start();
  keeper.add({ fence, leaseMs: 1_000, timeLeftMs: null });
  await until(() => peer.of(BEATS).length >= 1);
  peer.on(BEATS, () => {});
  await until(() => told.includes("freeze"));
  expect(isSignalboxError(errors[0], "request_timeout")).toBe(true);
});

test("the server's no is a loss, and the lease is not sent again", async () => {
  peer.on(BEATS, (request, response) => {
    const { leases } = request.body as HeartbeatRequest;
    const no = leases.map(({ attempt_id, run_id }) => {
      return { run_id, attempt_id, ok: false, code: "stale_fencing_token" };
    });
    json(response, { leases: no, directives: [] });
  });
  keeper.add({ fence, leaseMs: 20_000, timeLeftMs: null });
  keeper.start();
  await until(() => told.length === 1);
  expect(told).toEqual(["lost stale_fencing_token"]);
  const beats = peer.of(BEATS).length;
  await until(() => peer.of(BEATS).length > beats);
  expect(peer.of(BEATS).at(-1)?.body).toMatchObject({ leases: [] });
});

test("a directive by stream and heartbeat is told once; kill comes before the loss", async () => {
  const cancel = { kind: "cancel", ...fence, reason: "r", grace_ms: 30_000 };
  peer.on(DIRECTIVES, (_, response) => {
    stream(response);
    response.write(`event: directive\ndata: ${JSON.stringify(cancel)}\n\n`);
  });
  peer.on(BEATS, (request, response) => {
    json(response, { ...renewed(request.body), directives: [cancel] });
  });
  keeper.add({ fence, leaseMs: 20_000, timeLeftMs: null });
  keeper.start();
  await until(() => told.length > 0 && peer.of(BEATS).length >= 3);
  expect(told).toEqual(["cancel"]);
  const kill = { kind: "kill", ...fence, reason: "r" };
  const no = { ...fence, ok: false, code: "stale_fencing_token" };
  peer.on(BEATS, (_, response) => json(response, { leases: [no], directives: [kill] }));
  await until(() => told.length === 3);
  expect(told).toEqual(["cancel", "kill", "lost stale_fencing_token"]);
});

test("the directive stream is opened again when it breaks", async () => {
  let open = 0;
  peer.on(DIRECTIVES, (_, response) => {
    open += 1;
    stream(response);
    if (open < 3) response.destroy();
    else response.write(`event: directive\ndata: {"kind":"wake","reason":null}\n\n`);
  });
  keeper.start();
  await until(() => told.includes("wake"));
  expect(open).toBe(3);
});

test("an unknown runtime is an error with that code, and beats go on", async () => {
  peer.on(BEATS, (_, response) => problem(response, 404, "runtime_unknown"));
  keeper.start();
  await until(() => errors.length >= 2);
  expect(isSignalboxError(errors[0], "runtime_unknown")).toBe(true);
});

test("a time limit becomes a local directive", async () => {
  keeper.start();
  keeper.add({ fence, leaseMs: 20_000, timeLeftMs: 120 });
  await until(() => told.length > 0);
  expect(told).toEqual(["deadline"]);
});

test("a checkpoint does not wait for the next regular heartbeat", async () => {
  keeper.start();
  keeper.add({ fence, leaseMs: 20_000, timeLeftMs: null });
  keeper.setCheckpoint(fence, { step: 3 });
  await until(() => told.length > 0);
  expect(told).toEqual(["checkpoint true"]);
  const sent = peer.of(BEATS).map(({ body }) => (body as HeartbeatRequest).leases[0]?.checkpoint);
  expect(sent.filter((checkpoint) => checkpoint !== undefined)).toEqual([{ step: 3 }]);
});

test("a checkpoint the server cannot take does not cost the other leases", async () => {
  peer.on(BEATS, (request, response) => {
    const bad = (request.body as HeartbeatRequest).leases.some((l) => l.checkpoint !== undefined);
    if (bad) problem(response, 400, "validation_failed");
    else json(response, renewed(request.body));
  });
  keeper.add({ fence, leaseMs: 20_000, timeLeftMs: null });
  keeper.setCheckpoint(fence, "bad");
  keeper.start();
  await until(() => told.length > 0);
  const beats = peer.of(BEATS).length;
  await until(() => peer.of(BEATS).length >= beats + 3);
  expect(told).toEqual(["checkpoint false"]);
});

test("a callback that throws does not stop the heartbeats", async () => {
  const throwing = new Keeper(
    { url: peer.url, key: "sbx_test", runtime: "rt", agents: [], heartbeatMs: 100 },
    {
      onDirective: () => {
        throw new Error("callback");
      },
      onFreeze: () => {},
      onThaw: () => {},
      onLost: () => {},
      onError: (error) => errors.push(error),
    },
  );
  peer.on(BEATS, (_, response) => {
    json(response, { leases: [], directives: [{ kind: "wake", reason: null }] });
  });
  throwing.start();
  await until(() => peer.of(BEATS).length >= 3);
  await throwing.stop();
  expect(errors[0]).toMatchObject({ message: "callback" });
});

test("stop leaves nothing behind: no request, no open stream", async () => {
  let closed = false;
  peer.on(DIRECTIVES, (_, response) => {
    stream(response);
    response.on("close", () => (closed = true));
  });
  keeper.start();
  await until(() => peer.of(BEATS).length >= 1 && peer.of(DIRECTIVES).length === 1);
  await keeper.stop();
  await until(() => closed);
});
