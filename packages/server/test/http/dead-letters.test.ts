// The doors of dead letters, of acts on many runs, of the stop of everything and of the feed's
// filters: shapes, permissions, refusals that name the field.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, openScene, submitted } from "./scene.ts";
import type { Reply, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
  await ask(scene.app, scene.keys.worker, "PUT /v1/runtimes/w1");
});
afterAll(async () => {
  await scene?.close();
});

const as = (role: keyof Scene["keys"], line: string, body?: unknown): Promise<Reply> =>
  ask(scene.app, scene.keys[role], line, body === undefined ? {} : { body });

/** A run of this queue that has failed for good; its id. */
async function letter(queue: string, message: string): Promise<string> {
  const { id } = await submitted(scene, { queue, max_attempts: 1 });
  const claimed = await as("worker", "POST /v1/claims", {
    runtime: "w1",
    queues: [queue],
    free: 1,
    lease_ms: 60_000,
  });
  const [claim] = claimed.body.claims;
  const { attempt_id, fencing_token } = claim;
  const failed = await as("worker", `POST /v1/runs/${id}/fail`, {
    attempt_id,
    fencing_token,
    error: { code: "E-MAIL", message },
    retryable: false,
  });
  expect(failed.body.state).toBe("failed");
  return id;
}

describe("dead letters", () => {
  test("are listed by group, redriven once with changes, discarded with a note", async () => {
    const [one, two] = [await letter("mail", "no box 17"), await letter("mail", "no box 4")];
    const { items } = (await as("viewer", "GET /v1/dead-letters?queue=mail")).body;
    expect(items).toMatchObject([{ code: "E-MAIL", pattern: "no box <n>", count: 2 }]);
    const group = `GET /v1/dead-letters/${items[0].fingerprint}`;
    const letters = (await as("viewer", group)).body.items;
    expect(letters.map((each: { run: { id: string } }) => each.run.id)).toEqual([two, one]);

    const changes = { input: { box: 5 }, priority: "high", agent: null };
    const made = await as("operator", `POST /v1/runs/${one}/redrive`, changes);
    expect(made.status).toBe(201);
    expect(made.body.run).toMatchObject({ redrive_of: one, priority: 60, state: "pending" });
    const again = await as("operator", `POST /v1/runs/${one}/redrive`, changes);
    expect([again.status, again.headers["idempotent-replayed"]]).toEqual([200, "true"]);
    const other = await as("operator", `POST /v1/runs/${one}/redrive`, {});
    expect(other.body).toMatchObject({ code: "dead_letter_closed", became: made.body.run.id });

    const put = await as("operator", `POST /v1/runs/${two}/discard`, { note: "box is gone" });
    expect(put.status).toBe(200);
    const closed = (await as("viewer", `${group}?status=discarded`)).body.items;
    expect(closed).toMatchObject([{ run: { id: two }, status: "discarded", note: "box is gone" }]);
    const redriven = (await as("viewer", `${group}?status=redriven`)).body.items;
    expect(redriven).toMatchObject([{ run: { id: one }, became: made.body.run.id }]);
  });

  test("are closed by operators only, and what is none is refused", async () => {
    const { id } = await submitted(scene, { queue: "quiet" });
    for (const role of ["viewer", "submitter", "worker", "approver"] as const) {
      expect((await as(role, `POST /v1/runs/${id}/redrive`, {})).status).toBe(403);
      expect((await as(role, `POST /v1/runs/${id}/discard`, { note: "x" })).status).toBe(403);
    }
    const refused = await as("operator", `POST /v1/runs/${id}/redrive`, {});
    expect(refused.body).toMatchObject({ status: 409, code: "not_a_dead_letter" });
    const blank = await as("operator", `POST /v1/runs/${id}/discard`, { note: " " });
    expect(blank.body.errors[0].field).toBe("note");
  });
});

describe("acts on many runs", () => {
  const reason = "wrong list";

  test("count first, and do no more than was confirmed", async () => {
    for (let n = 0; n < 3; n += 1) await submitted(scene, { queue: "bulk" });
    const filter = { queue: "bulk" };
    const counted = await as("submitter", "POST /v1/runs/cancel", {
      filter,
      reason,
      dry_run: true,
    });
    expect(counted.body).toMatchObject({ dry_run: true, matched: 3, done: 0 });
    expect(counted.body.sample).toHaveLength(3);
    await submitted(scene, { queue: "bulk" });
    const act = { filter, reason, confirm_count: 3 };
    const grown = await as("submitter", "POST /v1/runs/cancel", act);
    expect(grown.body).toMatchObject({ code: "count_changed", matched: 4, confirm_count: 3 });
    const done = await as("submitter", "POST /v1/runs/cancel", {
      ...act,
      allow_growth: 1,
      limit: 3,
    });
    expect(done.body).toMatchObject({ done: 3, has_more: true });
    const rest = await as("submitter", "POST /v1/runs/cancel", {
      ...act,
      cursor: done.body.next_cursor,
    });
    expect(rest.body).toMatchObject({ done: 1, has_more: false, next_cursor: null });
  });

  test("say which field is missing or wrong", async () => {
    const wrong = async (body: object): Promise<string> =>
      (await as("operator", "POST /v1/runs/cancel", { reason, ...body })).body.errors[0].field;
    expect(await wrong({ dry_run: true })).toBe("filter");
    expect(await wrong({ filter: {} })).toBe("confirm_count");
    expect(await wrong({ filter: { colour: "red" }, dry_run: true })).toContain("colour");
    expect(await wrong({ runs: ["run_x"], dry_run: true })).toBe("runs.0");
    expect(await wrong({ filter: { created_after: "2026-02-30T00:00:00Z" }, dry_run: true })).toBe(
      "filter.created_after",
    );
  });

  test("redrive and discard by group or by name", async () => {
    const ids = [await letter("post", "late 1"), await letter("post", "late 2")];
    const stays = await letter("post", "lost");
    const { items } = (await as("viewer", "GET /v1/dead-letters?queue=post")).body;
    const { fingerprint } = items.find((group: { count: number }) => group.count === 2);
    const redriven = await as("operator", "POST /v1/runs/redrive", {
      filter: { fingerprint },
      confirm_count: 2,
      changes: { max_attempts: 2 },
    });
    expect(redriven.body.done).toBe(2);
    const became = redriven.body.became as { run_id: string }[];
    expect(became.map(({ run_id }) => run_id).toSorted()).toEqual(ids.toSorted());
    const put = { runs: [stays, ids[0]], confirm_count: 1, note: "known" };
    expect((await as("operator", "POST /v1/runs/discard", put)).body).toMatchObject({
      matched: 1,
      done: 1,
    });
    expect((await as("viewer", "GET /v1/dead-letters?queue=post")).body.items).toEqual([]);
  });
});

test("everything is stopped and lifted by the owner only, with a reason", async () => {
  for (const role of ["admin", "operator", "worker"] as const) {
    expect((await as(role, "POST /v1/everything/stop", { reason: "fire" })).status).toBe(403);
  }
  expect((await as("owner", "POST /v1/everything/stop", {})).body.errors[0].field).toBe("reason");
  const stopped = await as("owner", "POST /v1/everything/stop", { reason: "fire" });
  expect(stopped.body).toMatchObject({ stop_reason: "fire" });
  const { body } = await as("viewer", "GET /v1/project");
  expect(body).toMatchObject({ stop_scope: "everything", stop_reason: "fire" });
  expect((await as("admin", "POST /v1/resume", { reason: "mine" })).body.stop_scope).toBe(
    "everything",
  );
  expect((await as("worker", "POST /v1/everything/resume", { reason: "I" })).status).toBe(403);
  await as("owner", "POST /v1/everything/resume", { reason: "out" });
  expect((await as("owner", "GET /v1/everything")).body.stopped_at).toBeNull();
});

test("the feed is filtered by the beginning of types, by run and by agent", async () => {
  const { id } = await submitted(scene, { queue: "feed", agent: "ada" });
  const types = async (query: string): Promise<string[]> => {
    const { items } = (await as("viewer", `GET /v1/events?limit=500&${query}`)).body;
    return items.map(({ type }: { type: string }) => type);
  };
  expect(await types(`run=${id}`)).toEqual(["run.submitted"]);
  expect(await types(`run=${id}&type=run.cancelled`)).toEqual([]);
  expect(await types("agent=ada")).toContain("run.submitted");
  const projects = await types("type=project.");
  expect(new Set(projects)).toEqual(
    new Set(["project.created", "project.stopped", "project.resumed"]),
  );
  const wrong = await as("viewer", "GET /v1/events?run=run_x");
  expect(wrong.body.errors[0].field).toBe("run");
});
