// The law of approvals: keys, hashes, answers, expiry, what was executed. Pure; no run is needed.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Approval, Ask } from "../../src/domain/approval.ts";
import {
  actionSha256,
  approvalDueAt,
  approvalKey,
  askedBefore,
  expiryPolicies,
  newApproval,
  requestedFact,
} from "../../src/domain/approval.ts";
import type { Verdict } from "../../src/domain/approval-answer.ts";
import {
  answerApproval,
  cancelApproval,
  decidedArguments,
  executeApproval,
  expireApproval,
} from "../../src/domain/approval-answer.ts";
import { limits } from "../../src/domain/limits.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { JsonObject } from "../../src/domain/run.ts";
import { newUuid } from "../../src/std/ids.ts";
import { askOf } from "../engine/asking.ts";
import { START } from "./runs.ts";

const asker = {
  id: newUuid(),
  projectId: newUuid(),
  runId: newUuid(),
  attemptId: newUuid(),
  token: 1,
  agent: "ada",
  askedSeq: 4,
};
const pendingOf = (parts: Partial<Ask> = {}, before: Approval | null = null): Approval =>
  newApproval(askOf(parts), asker, START, before);
const approve = (by = "key:ada", args?: JsonObject): Verdict => ({
  kind: "approve",
  by,
  comment: null,
  ...(args === undefined ? {} : { arguments: args }),
});
const reject = (comment: string | null = null): Verdict => ({
  kind: "reject",
  by: "key:ada",
  comment,
});

/** The approval after an answer that must be taken. */
function answered(approval: Approval, verdict: Verdict): Approval {
  const step = answerApproval(approval, verdict, START + 5000);
  if (step === null || isRefusal(step)) throw new Error(JSON.stringify(step));
  return step.approval;
}

const args = fc.dictionary(fc.string(), fc.jsonValue()) as fc.Arbitrary<JsonObject>;

describe("the hash of an action", () => {
  test("is that of its canonical JSON, so anybody can make it", () => {
    expect(actionSha256("merge", { pr: 42 })).toBe(
      // printf '{"action":"merge","arguments":{"pr":42}}' | sha256sum
      "7d6c40bb94060821ff0ae26c9ca3b219c18e5a069620509b903220d6bb3149ec",
    );
  });

  test("does not depend on the order of the arguments, and on everything else", () => {
    fc.assert(
      fc.property(args, fc.string(), (given, name) => {
        const turned = Object.fromEntries(Object.entries(given).toReversed());
        expect(actionSha256("a", turned)).toBe(actionSha256("a", given));
        expect(actionSha256("b", given)).not.toBe(actionSha256("a", given));
        const more = { ...given, [name]: "changed by this test" };
        expect(actionSha256("a", more)).not.toBe(actionSha256("a", given));
      }),
    );
  });
});

describe("asking", () => {
  test("without a key, the same action with the same arguments is the same question", () => {
    expect(approvalKey(askOf())).toBe(`sha256:${actionSha256("merge", { pr: 42 })}`);
    expect(approvalKey(askOf({ title: "Other words?" }))).toBe(approvalKey(askOf()));
    expect(approvalKey(askOf({ arguments: { pr: 43 } }))).not.toBe(approvalKey(askOf()));
    expect(approvalKey(askOf({ key: "m" }))).toBe("m");
    expect(approvalKey(askOf()).length).toBeLessThanOrEqual(limits.keyLength);
  });

  const known = pendingOf({ key: "m" });
  test.each([
    ["nothing stands under the key, nothing is open", "m", null, null, null],
    ["the same question is open", "m", known, known, known],
    ["the same question was decided", "m", answered(known, approve()), null, "known"],
    ["another question is open", "n", null, known, "invalid_transition"],
  ] as const)("%s", (_, key, under, open, wanted) => {
    const result = askedBefore(askOf({ key }), under, open);
    if (wanted === "known") expect(result).toBe(under);
    else if (typeof wanted === "string") expect(result).toMatchObject({ code: wanted });
    else expect(result).toBe(wanted);
  });

  test.each([
    ["another action", { action: "delete" }],
    ["other arguments", { arguments: { pr: 43 } }],
    ["no arguments", { arguments: {} }],
  ] as const)("%s under the same key is a mismatch, also when it was decided", (_, parts) => {
    const ask = askOf({ key: "m", ...parts });
    for (const one of [known, answered(known, approve())]) {
      expect(askedBefore(ask, one, null)).toMatchObject({ code: "approval_mismatch" });
    }
  });

  test("the fact says everything a person is asked, under the token of the attempt", () => {
    const fact = requestedFact(known);
    expect(fact).toMatchObject({ type: "approval.requested", token: 1, at: START });
    expect(fact.data).toMatchObject({ title: "Merge?", arguments: { pr: 42 }, key: "m" });
  });

  test("it is due when the hold ends or it expires, whichever comes first", () => {
    expect(approvalDueAt(pendingOf()) - START).toBe(900_000);
    expect(approvalDueAt(pendingOf({ expiresInMs: 60_000 })) - START).toBe(60_000);
    expect(approvalDueAt(pendingOf({ mode: "suspend" })) - START).toBe(1_800_000);
  });
});

describe("answering", () => {
  test("approve: decided as asked, and the run goes on", () => {
    const step = answerApproval(pendingOf(), approve(), START + 5000);
    expect(step).toMatchObject({
      approval: { status: "approved", decidedBy: "key:ada", editedArguments: null },
      fact: { type: "approval.approved", source: "operator" },
      command: { kind: "approve", by: "key:ada" },
    });
  });

  test("edited arguments are decided instead; edited to the same is no edit", () => {
    const edited = answered(pendingOf(), approve("key:ada", { pr: 7 }));
    expect(edited.decidedSha256).toBe(actionSha256("merge", { pr: 7 }));
    expect(decidedArguments(edited)).toEqual({ pr: 7 });
    const same = answered(pendingOf(), approve("key:ada", { pr: 42 }));
    expect([same.editedArguments, same.decidedSha256]).toEqual([null, same.askedSha256]);
  });

  test.each([
    [null, "rejected by key:ada"],
    ["not on a Friday", "not on a Friday"],
  ])("reject with the comment %s: the run ends, its reason is %s", (comment, reason) => {
    const step = answerApproval(pendingOf(), reject(comment), START);
    expect(step).toMatchObject({ command: { kind: "reject", reason } });
  });

  test("of two different answers the second is told who was first, whatever they are", () => {
    const verdicts = [approve(), approve("key:bob"), approve("key:ada", { pr: 7 }), reject()];
    for (const [n, first] of verdicts.entries()) {
      const after = answered(pendingOf(), first);
      for (const [m, second] of verdicts.entries()) {
        const step = answerApproval(after, second, START + 6000);
        if (n === m) expect(step).toBeNull();
        else expect(step).toMatchObject({ code: "approval_decided" });
      }
    }
  });

  test("a link dies with the question, however it ends", () => {
    const linked: Approval = { ...pendingOf(), linkDigest: "d", linkBy: "key:ada" };
    const ends = [
      answered(linked, approve()),
      answered(linked, reject()),
      expireApproval(linked, START).approval,
      cancelApproval(linked, START).approval,
    ];
    expect(ends.map(({ linkDigest }) => linkDigest)).toEqual([null, null, null, null]);
  });
});

describe("nobody answers", () => {
  const commands = { timeout: "time_out", reject: "reject", approve: "approve" } as const;
  test.each(expiryPolicies)("%s", (onExpiry) => {
    const step = expireApproval(pendingOf({ onExpiry }), START);
    expect(step.command.kind).toBe(commands[onExpiry]);
    expect(step.fact).toMatchObject({ type: "approval.expired", source: "host" });
    expect(step.fact.data).toMatchObject({ on_expiry: onExpiry, by: "house" });
    expect(step.approval.status).toBe(onExpiry === "approve" ? "approved" : "expired");
  });

  test("approve at most three times in a row; a person begins the count anew", () => {
    let before: Approval | null = null;
    const policies: unknown[] = [];
    for (let n = 0; n < 4; n += 1) {
      const step = expireApproval(pendingOf({ onExpiry: "approve" }, before), START);
      policies.push(step.fact.data["on_expiry"]);
      before = step.approval;
    }
    expect(policies).toEqual(["approve", "approve", "approve", "timeout"]);
    const byPerson = answered(pendingOf({}, before), approve());
    expect(pendingOf({}, byPerson).houseApprovals).toBe(0);
  });
});

describe("what was executed", () => {
  test("nothing may be executed before it is approved, or when it was not", () => {
    const sha256 = actionSha256("merge", { pr: 42 });
    const others = [
      pendingOf(),
      answered(pendingOf(), reject()),
      expireApproval(pendingOf(), START).approval,
      cancelApproval(pendingOf(), START).approval,
    ];
    for (const one of others) {
      expect(executeApproval(one, sha256, START)).toMatchObject({ code: "approval_mismatch" });
    }
  });

  test("exactly what was decided, once; everything else is refused", () => {
    fc.assert(
      fc.property(args, args, (asked, edited) => {
        const one = answered(pendingOf({ arguments: asked }), approve("key:ada", edited));
        const right = actionSha256("merge", edited);
        const wrong = actionSha256("merge", asked);
        const done = executeApproval(one, right, START);
        expect(done).toMatchObject({ executedSha256: right });
        expect(executeApproval(done as Approval, right, START)).toBeNull();
        if (wrong !== right) {
          expect(executeApproval(one, wrong, START)).toMatchObject({ code: "approval_mismatch" });
        }
        expect(isRefusal(executeApproval(one, actionSha256("other", edited), START))).toBe(true);
      }),
    );
  });
});
