// Dead letters: groups by fingerprint, redrives into new linked runs, discards; one, many, by
// group; and acts on many runs by filter. Two engines on one database.
import type { DeadLetterGroup, Page } from "@signalbox/sdk";
import { describe, expect, test } from "vitest";
import type { RedriveChanges } from "../../src/engine/contract.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { NewRun } from "../../src/domain/submission.ts";
import { fromTypeId, toTypeId } from "../../src/std/ids.ts";
import { claimUpTo, ok, submitAll, useDuo } from "./duo.ts";
import { newRunOf, origin } from "./fixtures.ts";

const duo = useDuo();
const wire = (id: string): string => toTypeId("run", id);
const uuid = (id: string): string => fromTypeId("run", id) as string;

/** Runs that have failed for good, each with a message of its own. */
async function letters(
  project: string,
  count: number,
  { message = "no row #", ...parts }: Partial<NewRun> & { message?: string } = {},
): Promise<string[]> {
  const ids = await submitAll(duo.a, project, count, { maxAttempts: 1, ...parts });
  const claims = await claimUpTo(duo.a, project, count);
  expect(claims).toHaveLength(count);
  const command = (n: number) => ({
    kind: "fail" as const,
    error: { code: "E-DB", message: message.replace("#", String(n)) },
    retryable: true,
  });
  const items = claims.map((one, n) => ({ ...one, command: command(n) }));
  for (const status of await duo.a.report(project, items, origin)) {
    expect(ok(status).state).toBe("failed");
  }
  return ids;
}

const redrive = (project: string, id: string, changes: RedriveChanges = {}) =>
  duo.a.redrive(project, id, changes, origin);
const typesOf = async (project: string, id: string): Promise<string[]> => {
  const page = { order: "asc", limit: 100 } as const;
  return (await duo.a.runEvents(project, id, page)).items.map(({ type }) => type);
};
const everything = { limit: 50, cursor: null };

describe("groups", () => {
  test("count what differs in numbers only, and follow what is closed", async () => {
    const project = await duo.project();
    const [first = ""] = await letters(project, 3, { queue: "mail", message: "no row 7 in #" });
    await letters(project, 2, { queue: "post", message: "timeout after # s" });
    const open = { status: "open" } as const;
    const groups = ok(await duo.a.letterGroups(project, open, everything)).items;
    expect(groups.map(({ pattern, count, queues }) => ({ pattern, count, queues }))).toEqual([
      { pattern: "timeout after <n> s", count: 2, queues: ["post"] },
      { pattern: "no row <n> in <n>", count: 3, queues: ["mail"] },
    ]);
    const { fingerprint = "" } = groups[1] ?? {};
    ok(await duo.a.discard(project, first, "known", origin));
    const of = { ...open, fingerprint };
    const left = ok(await duo.a.letters(project, of, everything)).items;
    expect(left.map(({ run }) => run.id)).not.toContain(wire(first));
    expect(left).toHaveLength(2);
    const gone = { status: "discarded", fingerprint } as const;
    const [put] = ok(await duo.a.letters(project, gone, everything)).items;
    expect(put).toMatchObject({ run: { id: wire(first) }, note: "known", closed_by: "test" });
  });

  test("are read page by page", async () => {
    const project = await duo.project();
    for (const message of ["one", "two", "three"]) await letters(project, 1, { message });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const asked = { limit: 1, cursor };
      const page: Page<DeadLetterGroup> = ok(
        await duo.a.letterGroups(project, { status: "open" }, asked),
      );
      seen.push(...page.items.map(({ pattern }) => pattern));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(["three", "two", "one"]);
  });
});

describe("a redrive", () => {
  test("is a new run with what was asked for and what is to be different", async () => {
    const project = await duo.project();
    const [id = ""] = await letters(project, 1, {
      input: { pr: 42 },
      tags: ["nightly"],
      priority: 20,
      metadata: { by: "cron" },
      scopes: { thread_id: "t1" },
    });
    const changes = { agent: "second", priority: 70, maxAttempts: 5 };
    const { run, created } = ok(await redrive(project, id, changes));
    expect(created).toBe(true);
    expect(await duo.a.run(project, uuid(run.id))).toMatchObject({
      state: "pending",
      redrive_of: wire(id),
      input: { pr: 42 },
      tags: ["nightly"],
      metadata: { by: "cron" },
      thread_id: "t1",
      agent: "second",
      priority: 70,
      max_attempts: 5,
      attempts_used: 0,
    });
    expect(await typesOf(project, id)).toContain("run.redriven");
    expect(await typesOf(project, uuid(run.id))).toEqual(["run.submitted"]);
    const [again] = await claimUpTo(duo.b, project, 9);
    expect(again).toBeUndefined(); // it is for another agent
  });

  test("begins anew, or with the last checkpoint where that is asked for", async () => {
    const project = await duo.project();
    const [first = "", second = "", third = ""] = await submitAll(duo.a, project, 3, {
      maxAttempts: 1,
    });
    const claims = await claimUpTo(duo.a, project, 3);
    const error = { code: "E-DB", message: "no row" };
    const command = { kind: "fail" as const, error, retryable: true };
    const items = claims.map((one) => ({
      ...one,
      command: { ...command, ...(one.runId === third ? {} : { checkpoint: { page: 7 } }) },
    }));
    for (const status of await duo.a.report(project, items, origin)) ok(status);
    const changes = { fromCheckpoint: true, input: { pr: 8 } } as const;
    const anew = ok(await redrive(project, first)).run.id;
    const { id } = ok(await redrive(project, second, changes)).run;
    const none = ok(await redrive(project, third, { fromCheckpoint: true })).run.id;
    const checkpointOf = async (run: string) =>
      (await duo.b.run(project, uuid(run)))?.checkpoint ?? null;
    expect(await checkpointOf(anew)).toBeNull();
    expect(await checkpointOf(id)).toEqual({ page: 7 });
    expect(await checkpointOf(none)).toBeNull();
    const again = ok(await redrive(project, second, changes));
    expect([again.run.id, again.created]).toEqual([id, false]);
    expect(await redrive(project, second)).toMatchObject({ code: "dead_letter_closed" });
    const [submitted] = (await duo.a.runEvents(project, uuid(id), { order: "asc", limit: 1 }))
      .items;
    expect(submitted?.data).toMatchObject({ from_checkpoint: true });
    const more = await claimUpTo(duo.a, project, 3);
    expect(more.map((one) => one.runId)).toContain(uuid(id));
    expect(await checkpointOf(id)).toEqual({ page: 7 });
  });

  test("happens once: the same again finds its run, another is told which it became", async () => {
    const project = await duo.project();
    const [id = ""] = await letters(project, 1);
    const { run } = ok(await redrive(project, id, { priority: 70 }));
    const repeated = ok(await duo.b.redrive(project, id, { priority: 70 }, origin));
    expect(repeated).toMatchObject({ created: false, run: { id: run.id } });
    expect(await redrive(project, id)).toMatchObject({
      code: "dead_letter_closed",
      facts: { became: run.id },
    });
    expect(await duo.a.discard(project, id, "late", origin)).toMatchObject({
      code: "dead_letter_closed",
    });
    expect((await typesOf(project, id)).filter((type) => type === "run.redriven")).toHaveLength(1);
  });

  test("of what is no dead letter is refused, and of a foreign run not found", async () => {
    const project = await duo.project();
    const [pending = ""] = await submitAll(duo.a, project, 1);
    expect(await redrive(project, pending)).toMatchObject({ code: "not_a_dead_letter" });
    expect(await redrive(await duo.project(), pending)).toMatchObject({ code: "not_found" });
  });

  test("races with redrives and discards on two servers: one effect, the others told", async () => {
    const project = await duo.project();
    const ids = await letters(project, 12);
    for (const id of ids) {
      const answers = await Promise.all([
        duo.a.redrive(project, id, { priority: 1 }, origin),
        duo.b.redrive(project, id, { priority: 2 }, origin),
        duo.a.discard(project, id, "no", origin),
        duo.b.discard(project, id, "never", origin),
      ]);
      const codes = answers.map((one) => (isRefusal(one) ? one.code : "done")).toSorted();
      expect(codes).toEqual([
        "dead_letter_closed",
        "dead_letter_closed",
        "dead_letter_closed",
        "done",
      ]);
    }
  });

  test("is followed by runs that wait for the dead letter, also over two redrives", async () => {
    const project = await duo.project();
    const [first = ""] = await letters(project, 1);
    const [after] = await duo.a.submit(project, [newRunOf({ dependsOn: [first] })], origin);
    const waiting = uuid(ok(after).run.id);
    const second = uuid(ok(await redrive(project, first)).run.id);
    const [claim] = await claimUpTo(duo.a, project, 9);
    expect(claim?.runId).toBe(second);
    const fail = {
      kind: "fail",
      error: { code: "E-DB", message: "again" },
      retryable: false,
    } as const;
    ok((await duo.a.report(project, [{ ...claim!, command: fail }], origin))[0]);
    const third = uuid(ok(await redrive(project, second)).run.id);
    // Submitted for the first of the three: it follows as well.
    const [late] = await duo.b.submit(project, [newRunOf({ dependsOn: [first] })], origin);
    const [last] = await claimUpTo(duo.a, project, 9);
    expect(last?.runId).toBe(third);
    const done = { kind: "complete", output: null } as const;
    ok((await duo.a.report(project, [{ ...last!, command: done }], origin))[0]);
    await duo.a.parts.after.settled();
    await duo.a.sweepOnce();
    const free = await claimUpTo(duo.a, project, 9);
    expect(free.map(({ runId }) => runId).toSorted()).toEqual(
      [waiting, uuid(ok(late).run.id)].toSorted(),
    );
  });
});

describe("acts on many", () => {
  const which = {
    filter: {},
    runs: null,
    fingerprint: null,
    dryRun: false,
    confirmCount: 0,
    allowGrowth: 0,
    limit: 1_000,
    cursor: null,
  };

  test("a dry run counts and changes nothing", async () => {
    const project = await duo.project();
    const ids = await submitAll(duo.a, project, 30, { queue: "mail" });
    await submitAll(duo.a, project, 3, { queue: "post" });
    const asked = { ...which, filter: { queue: "mail" }, dryRun: true };
    const act = { kind: "cancel", reason: "wrong list", cascade: false } as const;
    const counted = ok(await duo.a.bulk(project, asked, act, origin));
    expect(counted).toMatchObject({ dry_run: true, matched: 30, done: 0 });
    expect(counted.sample.map(({ id }) => id)).toEqual(ids.toReversed().slice(0, 10).map(wire));
    expect((await duo.a.run(project, ids[0] as string))?.state).toBe("pending");
  });

  test("cancelling goes on where it broke off, and each run says who and why", async () => {
    const project = await duo.project();
    const ids = await submitAll(duo.a, project, 25);
    await claimUpTo(duo.a, project, 5);
    const act = { kind: "cancel", reason: "wrong list", cascade: false } as const;
    const first = ok(
      await duo.a.bulk(project, { ...which, confirmCount: 25, limit: 10 }, act, origin),
    );
    expect(first).toMatchObject({ done: 10, refused: 0, has_more: true });
    // The same request again: what is done is not found again.
    const rest = ok(await duo.b.bulk(project, { ...which, confirmCount: 25 }, act, origin));
    expect(rest).toMatchObject({ matched: 15, done: 15, has_more: false });
    const none = ok(await duo.a.bulk(project, { ...which, confirmCount: 25 }, act, origin));
    expect(none).toMatchObject({ matched: 0, done: 0 });
    const { items } = await duo.a.projectEvents(project, { afterFeed: 0, limit: 500 });
    const told = items.filter(({ type }) => /^run\.cancel(?:led|_requested)$/.test(type));
    expect(told).toHaveLength(ids.length);
    for (const one of told) {
      expect(one).toMatchObject({ actor: "test", data: { reason: "wrong list" } });
    }
  });

  test("more than was confirmed is refused, unless growth is allowed", async () => {
    const project = await duo.project();
    await submitAll(duo.a, project, 12);
    const act = { kind: "cancel", reason: "wrong list", cascade: false } as const;
    const asked = { ...which, confirmCount: 10 };
    expect(await duo.a.bulk(project, asked, act, origin)).toMatchObject({
      code: "count_changed",
      facts: { matched: 12, confirm_count: 10 },
    });
    const grown = ok(await duo.a.bulk(project, { ...asked, allowGrowth: 2 }, act, origin));
    expect(grown.done).toBe(12);
  });

  test("a cancel reaches all descendants", async () => {
    const project = await duo.project();
    const [root = ""] = await submitAll(duo.a, project, 1, { queue: "roots" });
    const children = await submitAll(duo.a, project, 3, { parentRun: root });
    const deeper = await submitAll(duo.a, project, 2, { parentRun: children[1] as string });
    const asked = { ...which, filter: { queue: "roots" }, confirmCount: 1 };
    const act = { kind: "cancel", reason: "all of it", cascade: true } as const;
    expect(ok(await duo.a.bulk(project, asked, act, origin)).done).toBe(1);
    for (const id of [...children, ...deeper]) {
      expect((await duo.a.run(project, id))?.state).toBe("cancelled");
    }
  });

  test("a group is redriven with what is to be different, the rest discarded", async () => {
    const project = await duo.project();
    const down = await letters(project, 4, { message: "provider is down (#)" });
    const bad = await letters(project, 3, { message: "input is wrong" });
    const groups = ok(await duo.a.letterGroups(project, { status: "open" }, everything)).items;
    const { fingerprint = "" } = groups.find(({ count }) => count === 4) ?? {};
    const redriveAll = { kind: "redrive", changes: { model: "small" } } as const;
    const redriven = ok(
      await duo.a.bulk(project, { ...which, fingerprint, confirmCount: 4 }, redriveAll, origin),
    );
    expect(redriven.became.map(({ run_id }) => run_id).toSorted()).toEqual(
      down.map(wire).toSorted(),
    );
    const made = await duo.a.run(project, uuid(redriven.became[0]?.became ?? ""));
    expect(made).toMatchObject({ model: "small", redrive_of: redriven.became[0]?.run_id });
    const discardAll = { kind: "discard", note: "known" } as const;
    const named = { ...which, runs: bad.slice(0, 2), confirmCount: 2 };
    expect(ok(await duo.a.bulk(project, named, discardAll, origin)).done).toBe(2);
    const rest = ok(await duo.a.bulk(project, { ...which, confirmCount: 1 }, discardAll, origin));
    expect(rest.done).toBe(1);
    expect(ok(await duo.a.letterGroups(project, { status: "open" }, everything)).items).toEqual([]);
  });
});
