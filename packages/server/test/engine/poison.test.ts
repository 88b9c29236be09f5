// One bad item among many: its neighbours are stored, it alone is refused, and every caller gets
// the answer to its own question.
import { expect, test } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { claimUpTo, ok, submitAll, useDuo } from "./duo.ts";
import { newRunOf, origin } from "./fixtures.ts";

const duo = useDuo();
/** What the database cannot store as JSON; the door cleans it, so only a bug brings it here. */
const POISON = "nul \u0000 in the middle";

test("one completion in a thousand cannot be stored: 999 are done, one is refused", async () => {
  const project = await duo.project();
  await submitAll(duo.a, project, 1000);
  const claims = [];
  while (claims.length < 1000) claims.push(...(await claimUpTo(duo.a, project, 500)));
  const answers = await Promise.all(
    claims.map(async ({ runId, fence }, n) => {
      const command = { kind: "complete", output: n === 617 ? POISON : n } as const;
      const [answer] = await duo.a.report(project, [{ runId, fence, command }], origin);
      return { asked: runId, answer };
    }),
  );
  for (const [n, { asked, answer }] of answers.entries()) {
    if (n === 617) expect(isRefusal(answer) && answer.code).toBe("internal");
    else expect(fromTypeId("run", ok(answer).id)).toBe(asked);
  }
  const { rows } = await duo.owner.query<{ state: string; n: number }>(
    `select r.state, count(*)::integer as n from signalbox.run r where r.project_id = $1
     group by r.state order by r.state`,
    [project],
  );
  expect(rows).toEqual([
    { state: "claimed", n: 1 },
    { state: "completed", n: 999 },
  ]);
});

test("a poisoned submission does not fail those that came with it in other requests", async () => {
  const project = await duo.project();
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      duo.a.submit(project, [newRunOf({ input: n === 20 ? POISON : n })], origin),
    ),
  );
  const words = results.map(([one]) => (isRefusal(one) ? one.code : "created"));
  expect(words.filter((word) => word !== "created")).toEqual(["internal"]);
  expect(words[20]).toBe("internal");
});

test("a thousand callers at once: each answer carries its own run", async () => {
  const project = await duo.project();
  const submitted = await Promise.all(
    Array.from({ length: 1000 }, (_, n) =>
      (n % 2 === 0 ? duo.a : duo.b).submit(
        project,
        [newRunOf({ input: n, tags: [`t${n}`] })],
        origin,
      ),
    ),
  );
  for (const [n, [one]] of submitted.entries()) expect(ok(one).run.tags).toEqual([`t${n}`]);
  const ids = submitted.map(([one]) => fromTypeId("run", ok(one).run.id) as string);
  expect(new Set(ids).size).toBe(1000);
  const cancelled = await Promise.all(
    ids.map((id) => duo.b.cancel(project, id, { reason: null, cascade: false }, origin)),
  );
  expect(cancelled.map((one) => fromTypeId("run", ok(one).id))).toEqual(ids);
});
