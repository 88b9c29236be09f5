// Stories of approvals on the real engine: asked, held, suspended, answered, expired, closed.
// After each file the register is asked for violations: a pending question and a waiting run go
// together (I-20), what was executed is what was decided (I-21).
import { beforeEach, describe, expect, test } from "vitest";
import { actionSha256 } from "../../src/domain/approval.ts";
import { readNow } from "../../src/store/flushes.ts";
import type { Claimed } from "./duo.ts";
import { ok, submitAll, useDuo } from "./duo.ts";
import {
  asked,
  askOf,
  by,
  claimOne,
  factsOf,
  inWords,
  runInWords,
  startOne,
  tell,
  uuidOf,
} from "./asking.ts";
import { origin } from "./fixtures.ts";

const duo = useDuo();
let project = "";
let mine: Claimed;

beforeEach(async () => {
  project = await duo.project();
  mine = await startOne(duo.a, project);
});

const approve = (id: string, who = "ada", args?: { [name: string]: number }) =>
  duo.b.answerApproval(
    project,
    id,
    { kind: "approve", comment: null, ...(args === undefined ? {} : { arguments: args }) },
    by(who),
  );
const reject = (id: string, comment: string | null = null) =>
  duo.b.answerApproval(project, id, { kind: "reject", comment }, by("ada"));
const inRun = () => runInWords(duo.a, project, mine.runId);
const facts = () => factsOf(duo.a, project, mine.runId);
const status = async (id: string) =>
  (await duo.a.approval(project, id, { timeoutMs: 0, signal: new AbortController().signal }))
    ?.status;

/** Now, as the engines see it. */
async function nowOf(): Promise<number> {
  const { reader, context } = duo.a.parts;
  return reader.within([project], (runner) => readNow(runner, context.offsetMs()));
}

/** Time passes, the worker having renewed its lease meanwhile, and a server sweeps. */
async function pass(ms: number, alive: "alive" | "silent" = "alive"): Promise<void> {
  if (alive === "alive") {
    const lease = { ...mine, leaseMs: 3_600_000 };
    await duo.a.heartbeat(project, { runtime: "w1", agents: [], leases: [lease] }, origin);
  }
  duo.tick(ms);
  await duo.beat();
  await duo.a.sweepOnce();
}

describe("held", () => {
  test("the run keeps its lease, and goes on under it when a person approves", async () => {
    const one = await asked(duo.a, project, mine);
    expect(await inRun()).toBe("waiting_approval used=1 token=1 cause=none");
    expect(inWords(await approve(uuidOf(one)))).toBe("approved");
    expect(await inRun()).toBe("running used=1 token=1 cause=none");
    expect((await tell(duo.a, project, mine, { kind: "complete", output: 1 })).state).toBe(
      "completed",
    );
    expect(await facts()).toBe(
      "approval.requested run.waiting_approval approval.approved run.resumed " +
        "run.completed+attempt.completed",
    );
  });

  test("a person rejects: the run ends cancelled, the worker is told", async () => {
    const one = await asked(duo.a, project, mine);
    const answer = ok(await reject(uuidOf(one), "not on a Friday"));
    expect(answer).toMatchObject({ status: "rejected", decided_by: "key:ada" });
    expect(await inRun()).toBe("cancelled used=1 token=1 cause=approval");
    const run = await duo.a.run(project, mine.runId);
    expect(run?.status_reason).toBe("not on a Friday");
    const beat = { runtime: "w1", agents: [], leases: [mine] };
    const { directives } = ok(await duo.a.heartbeat(project, beat, origin));
    expect(directives.map(({ kind }) => kind)).toEqual(["kill"]);
  });

  test("after the hold the attempt is suspended without cost, and the worker is told", async () => {
    const one = await asked(duo.a, project, mine, { holdMs: 60_000 });
    await pass(50_000);
    expect(await inRun()).toBe("waiting_approval used=1 token=1 cause=none");
    await pass(10_000);
    expect(await inRun()).toBe("waiting_approval used=0 token=1 cause=none");
    const beat = { runtime: "w1", agents: [], leases: [mine] };
    const { leases, directives } = ok(await duo.a.heartbeat(project, beat, origin));
    expect(leases.map(({ ok: still }) => still)).toEqual([false]);
    expect(directives.map(({ kind }) => kind)).toEqual(["fenced"]);
    expect(inWords(await approve(uuidOf(one)))).toBe("approved");
    expect(await inRun()).toBe("pending used=0 token=1 cause=none");
  });

  test("a worker that falls silent leaves the question open", async () => {
    const one = await asked(duo.a, project, mine);
    await pass(61_000, "silent");
    expect(await inRun()).toBe("waiting_approval used=0 token=1 cause=none");
    expect(await status(uuidOf(one))).toBe("pending");
    expect(inWords(await approve(uuidOf(one)))).toBe("approved");
    expect(await inRun()).toBe("pending used=0 token=1 cause=none");
  });
});

describe("suspended", () => {
  test("the next attempt finds its checkpoint, and its answer under the same key", async () => {
    const checkpoint = { step: 3 };
    const one = await asked(duo.a, project, mine, { mode: "suspend", key: "m", checkpoint });
    expect(await inRun()).toBe("waiting_approval used=0 token=1 cause=none");
    expect(inWords(await approve(uuidOf(one)))).toBe("approved");
    const next = await claimOne(duo.b, project);
    expect((await duo.b.run(project, mine.runId))?.checkpoint).toEqual(checkpoint);
    const again = await asked(duo.b, project, next, { mode: "suspend", key: "m" });
    expect(again).toMatchObject({ id: one.id, status: "approved", decided_by: "key:ada" });
    expect(await inRun()).toBe("running used=1 token=2 cause=none");
  });

  test("a rejected run is not claimed again", async () => {
    const one = await asked(duo.a, project, mine, { mode: "suspend" });
    expect(inWords(await reject(uuidOf(one)))).toBe("rejected");
    expect(await inRun()).toBe("cancelled used=0 token=1 cause=approval");
  });
});

describe("asked again", () => {
  test("by the same attempt while it waits: the same question, no second event", async () => {
    const one = await asked(duo.a, project, mine);
    const again = await asked(duo.b, project, mine);
    expect(again).toEqual(one);
    expect(await facts()).toBe("approval.requested run.waiting_approval");
  });

  test("by an attempt that was suspended with it, whose answer was lost: the same", async () => {
    const one = await asked(duo.a, project, mine, { mode: "suspend" });
    expect(await asked(duo.a, project, mine, { mode: "suspend" })).toEqual(one);
    expect(await facts()).toBe("approval.requested run.suspended+attempt.released");
  });

  test("another action under the same key is refused", async () => {
    await asked(duo.a, project, mine, { key: "m" });
    const other = { ...mine, ask: askOf({ key: "m", arguments: { pr: 43 } }) };
    expect(await duo.a.ask(project, other, origin)).toMatchObject({ code: "approval_mismatch" });
  });

  test("another question while one is open is refused", async () => {
    await asked(duo.a, project, mine, { key: "m" });
    const other = { ...mine, ask: askOf({ key: "n" }) };
    expect(await duo.a.ask(project, other, origin)).toMatchObject({ code: "invalid_transition" });
  });

  test("by an attempt that lost its run: refused", async () => {
    await pass(61_000, "silent");
    const late = { ...mine, ask: askOf() };
    expect(await duo.a.ask(project, late, origin)).toMatchObject({ code: "stale_fencing_token" });
  });

  test("after a failure the question is asked anew under its key", async () => {
    const one = await asked(duo.a, project, mine, { key: "m" });
    const error = { code: "boom", message: "It broke." };
    await tell(duo.a, project, mine, { kind: "fail", error, retryable: true });
    expect(await status(uuidOf(one))).toBe("cancelled");
    duo.tick(10_000);
    await duo.beat();
    await duo.a.sweepOnce();
    const next = await claimOne(duo.a, project);
    const again = await asked(duo.a, project, next, { key: "m" });
    expect(again.id).not.toBe(one.id);
    expect(again).toMatchObject({ status: "pending", attempt_number: 2 });
  });
});

describe("what was decided", () => {
  test("edited arguments are what is approved, and the register shows them", async () => {
    const one = await asked(duo.a, project, mine);
    const answer = ok(await approve(uuidOf(one), "ada", { pr: 7 }));
    expect(answer).toMatchObject({ arguments: { pr: 42 }, edited_arguments: { pr: 7 } });
    expect(answer.decided_sha256).toBe(actionSha256("merge", { pr: 7 }));
    const { items } = await duo.a.runEvents(project, mine.runId, { order: "desc", limit: 2 });
    expect(items[1]).toMatchObject({
      type: "approval.approved",
      actor: "key:ada",
      source: "operator",
      data: { by: "key:ada", edited_arguments: { pr: 7 }, asked_sha256: one.asked_sha256 },
    });
  });

  test("what is executed is compared with it: once right, and recorded when wrong", async () => {
    const one = await asked(duo.a, project, mine);
    const report = (args: { pr: number }) =>
      duo.a.executed(
        project,
        { ...mine, approvalId: uuidOf(one), done: { arguments: args } },
        origin,
      );
    expect(inWords((await report({ pr: 42 })) as never)).toBe("refused approval_mismatch");
    ok(await approve(uuidOf(one), "ada", { pr: 7 }));
    expect(inWords((await report({ pr: 42 })) as never)).toBe("refused approval_mismatch");
    expect(ok(await report({ pr: 7 })).executed_at).not.toBeNull();
    expect(ok(await report({ pr: 7 })).executed_at).not.toBeNull();
    expect(await facts()).toBe(
      "approval.requested run.waiting_approval approval.mismatch approval.approved run.resumed " +
        "approval.mismatch approval.executed",
    );
  });

  test("whoever comes second is told who was first; a repeated request is not", async () => {
    const one = await asked(duo.a, project, mine);
    ok(await approve(uuidOf(one)));
    expect(await approve(uuidOf(one), "bob")).toMatchObject({
      code: "approval_decided",
      facts: { status: "approved", decided_by: "key:ada" },
    });
    expect(inWords(await reject(uuidOf(one)))).toBe("refused approval_decided");
    expect(inWords(await approve(uuidOf(one), "ada", { pr: 1 }))).toBe("refused approval_decided");
    expect(inWords(await approve(uuidOf(one)))).toBe("approved");
  });
});

describe("nobody answers", () => {
  test.each([
    ["timeout", "timeout used=1 token=1 cause=approval", "expired"],
    ["reject", "cancelled used=1 token=1 cause=approval", "expired"],
    ["approve", "running used=1 token=1 cause=none", "approved"],
  ] as const)("%s: the run is %s", async (onExpiry, run, approval) => {
    const one = await asked(duo.a, project, mine, { onExpiry, expiresInMs: 120_000 });
    await pass(110_000);
    expect(await status(uuidOf(one))).toBe("pending");
    await pass(10_000);
    expect(await inRun()).toBe(run);
    expect(await status(uuidOf(one))).toBe(approval);
    expect(inWords(await approve(uuidOf(one)))).toBe("refused approval_decided");
  });

  test("a suspended run expires like a held one", async () => {
    await asked(duo.a, project, mine, { mode: "suspend", expiresInMs: 5000 });
    await pass(5000);
    expect(await inRun()).toBe("timeout used=0 token=1 cause=approval");
  });

  test("approve: three in a row, then a person is needed", async () => {
    const question = { onExpiry: "approve", expiresInMs: 1000 } as const;
    for (const key of ["a", "b", "c"]) {
      await asked(duo.a, project, mine, { key, ...question });
      await pass(1000);
      expect(await inRun()).toBe("running used=1 token=1 cause=none");
    }
    await asked(duo.a, project, mine, { key: "d", ...question });
    await pass(1000);
    expect(await inRun()).toBe("timeout used=1 token=1 cause=approval");
  });

  test("a person in between begins the count anew", async () => {
    const question = { onExpiry: "approve", expiresInMs: 1000 } as const;
    for (const key of ["a", "b", "c", "person", "d", "e", "f"]) {
      const one = await asked(duo.a, project, mine, { key, ...question });
      if (key === "person") ok(await approve(uuidOf(one)));
      else await pass(1000);
    }
    expect(await inRun()).toBe("running used=1 token=1 cause=none");
  });
});

describe("the run goes on without an answer", () => {
  test("killed: the question is closed in the same commit, before the end", async () => {
    const one = await asked(duo.a, project, mine);
    ok(await duo.b.kill(project, mine.runId, "runaway", origin));
    expect(await status(uuidOf(one))).toBe("cancelled");
    expect(inWords(await approve(uuidOf(one)))).toBe("refused approval_decided");
    expect(await facts()).toBe(
      "approval.requested run.waiting_approval approval.cancelled run.cancelled+attempt.killed",
    );
  });

  test("asked to end while held: nobody may answer any more, the end closes it", async () => {
    const one = await asked(duo.a, project, mine);
    ok(await duo.b.cancel(project, mine.runId, { reason: null, cascade: false }, origin));
    expect(inWords(await approve(uuidOf(one)))).toBe("refused approval_decided");
    expect(await inRun()).toBe("waiting_approval used=1 token=1 cause=none");
    await pass(31_000);
    expect(await inRun()).toBe("cancelled used=1 token=1 cause=cancel");
    expect(await status(uuidOf(one))).toBe("cancelled");
  });

  test("a suspended run that is cancelled ends at once", async () => {
    const one = await asked(duo.a, project, mine, { mode: "suspend" });
    ok(await duo.b.cancel(project, mine.runId, { reason: null, cascade: false }, origin));
    expect(await inRun()).toBe("cancelled used=0 token=1 cause=cancel");
    expect(await status(uuidOf(one))).toBe("cancelled");
  });

  test.each(["hold", "suspend"] as const)(
    "its deadline passes while it waits: %s",
    async (mode) => {
      const deadlineAt = (await nowOf()) + 60_000;
      const [runId] = await submitAll(duo.a, project, 1, { deadlineAt });
      const other = await claimOne(duo.a, project);
      expect(other.runId).toBe(runId);
      const one = await asked(duo.a, project, other, { mode });
      duo.tick(60_000);
      await duo.beat();
      await duo.a.sweepOnce();
      expect(await runInWords(duo.a, project, other.runId)).toMatch(/^timeout .* cause=deadline$/);
      expect(await status(uuidOf(one))).toBe("cancelled");
    },
  );

  test("a question after a cancel ends the run instead, and nobody is asked", async () => {
    ok(await duo.b.cancel(project, mine.runId, { reason: null, cascade: false }, origin));
    const { run, approval } = ok(await duo.a.ask(project, { ...mine, ask: askOf() }, origin));
    expect([run.state, approval]).toEqual(["cancelled", null]);
    const again = ok(await duo.a.ask(project, { ...mine, ask: askOf() }, origin));
    expect([again.run.state, again.approval]).toEqual(["cancelled", null]);
  });

  test("exhausted while held: back to the line, the question is closed", async () => {
    const one = await asked(duo.a, project, mine);
    await tell(duo.a, project, mine, { kind: "exhaust", notBefore: null });
    expect(await inRun()).toBe("pending used=0 token=1 cause=none");
    expect(await status(uuidOf(one))).toBe("cancelled");
  });

  test("a stop of the project suspends a held run and keeps its question", async () => {
    const one = await asked(duo.a, project, mine);
    ok(await duo.b.stopProject(project, { reason: "fire", cancelLive: false }, origin));
    expect(await inRun()).toBe("waiting_approval used=0 token=1 cause=none");
    expect(await status(uuidOf(one))).toBe("pending");
  });
});

describe("the inbox and the wait", () => {
  test("lists what is pending across runs, the oldest first, in pages", async () => {
    const first = await asked(duo.a, project, mine, { risk: "high" });
    const second = await asked(duo.a, project, await startOne(duo.a, project));
    const inbox = { status: "pending" };
    const page = await duo.a.approvals(project, inbox, { limit: 1, cursor: null });
    expect(page.items.map(({ id }) => id)).toEqual([first.id]);
    const rest = await duo.a.approvals(project, inbox, { limit: 1, cursor: page.next_cursor });
    expect(rest.items.map(({ id }) => id)).toEqual([second.id]);
    expect(rest.has_more).toBe(false);
    const risky = await duo.a.approvals(project, { risk: "high" }, { limit: 9, cursor: null });
    expect(risky.items.map(({ id }) => id)).toEqual([first.id]);
    ok(await approve(uuidOf(first)));
    const left = await duo.a.approvals(project, inbox, { limit: 9, cursor: null });
    expect(left.items.map(({ id }) => id)).toEqual([second.id]);
    const elsewhere = await duo.project();
    expect((await duo.a.approvals(elsewhere, {}, { limit: 9, cursor: null })).items).toEqual([]);
  });

  test("whoever waits on one server hears of an answer given on the other", async () => {
    const one = await asked(duo.a, project, mine);
    const { signal } = new AbortController();
    const waiting = duo.a.approval(project, uuidOf(one), { timeoutMs: 30_000, signal });
    ok(await approve(uuidOf(one)));
    expect((await waiting)?.status).toBe("approved");
  });
});
