// Callback links of approvals on the real engine: one answer each, a digest in the database, and
// nothing left of them once the question is decided.
import { beforeEach, describe, expect, test } from "vitest";
import { fromTypeId } from "../../src/std/ids.ts";
import { asked, by, startOne, uuidOf } from "./asking.ts";
import type { Claimed } from "./duo.ts";
import { ok, useDuo } from "./duo.ts";
import { origin } from "./fixtures.ts";

const duo = useDuo();
let project = "";
let mine: Claimed;

beforeEach(async () => {
  project = await duo.project();
  mine = await startOne(duo.a, project);
});

const status = async (id: string) =>
  (await duo.a.approval(project, id, { timeoutMs: 0, signal: new AbortController().signal }))
    ?.status;

describe("callback links", () => {
  const yes = { kind: "approve", comment: "fine" } as const;

  test("answers once, in the name of whoever made it", async () => {
    const one = await asked(duo.a, project, mine);
    const { token } = ok(await duo.a.linkApproval(project, uuidOf(one), by("ada")));
    expect(await duo.b.approvalByLink(token)).toMatchObject({ id: one.id });
    expect(await status(uuidOf(one))).toBe("pending");
    const answer = ok((await duo.b.answerByLink(token, yes, origin)) ?? undefined);
    expect(answer).toMatchObject({ status: "approved", decided_by: "link:key:ada" });
    const used = { code: "approval_decided", detail: expect.stringMatching(/was used.*approved/) };
    const no = { kind: "reject", comment: null } as const;
    for (const again of [
      await duo.b.approvalByLink(token),
      await duo.a.answerByLink(token, yes, origin),
      await duo.a.answerByLink(token, no, origin),
    ]) {
      expect(again).toMatchObject(used);
      // Not by whom, not with which words, nothing of what was asked.
      expect(JSON.stringify(again)).not.toMatch(/ada|fine|merge/i);
    }
    expect(await status(uuidOf(one))).toBe("approved");
  });

  test("a newer link replaces it, and it dies with the question", async () => {
    const one = await asked(duo.a, project, mine);
    const old = ok(await duo.a.linkApproval(project, uuidOf(one), by("ada")));
    const { token } = ok(await duo.a.linkApproval(project, uuidOf(one), by("ada")));
    expect(await duo.b.answerByLink(old.token, yes, origin)).toBeNull();
    ok(await duo.b.kill(project, mine.runId, "runaway", origin));
    expect(await duo.b.answerByLink(token, yes, origin)).toMatchObject({
      code: "approval_decided",
      detail: expect.stringMatching(/is void.*cancelled/),
    });
    expect(await duo.b.approvalByLink(old.token)).toBeNull();
    expect(await duo.a.linkApproval(project, uuidOf(one), by("ada"))).toMatchObject({
      code: "approval_decided",
    });
  });

  test("is kept as a digest only, and nothing like it opens anything", async () => {
    const one = await asked(duo.a, project, mine);
    const { token } = ok(await duo.a.linkApproval(project, uuidOf(one), by("ada")));
    const secret = token.split("_").slice(3).join("_");
    const { rows } = await duo.owner.query<{ found: boolean }>(
      "select a::text like '%' || $2 || '%' as found from signalbox.approval a where a.id = $1",
      [uuidOf(one), secret],
    );
    expect(rows).toEqual([{ found: false }]);
    const wrong = `${token.slice(0, -4)}AAAA`;
    for (const one_ of [wrong, "", "sbl_", token.toUpperCase(), `${token}A`]) {
      expect(await duo.a.approvalByLink(one_)).toBeNull();
    }
  });

  test("is worth nothing once the key behind it has ended, also by a session", async () => {
    const input = { name: "person", roles: ["approver" as const], expiresAt: null };
    const key = ok(await duo.a.createKey(project, input, origin));
    const principal = await duo.a.principal(key.key);
    if (principal === null) throw new Error("the key opens nothing");
    const { code } = await duo.a.createLogin(principal, origin);
    const session = (await duo.a.openSession(code, origin))?.session;
    const tokens: string[] = [];
    for (const actor of [`key:${key.prefix}`, `session:${session?.prefix}`]) {
      const one = await asked(duo.a, project, await startOne(duo.a, project));
      const made = { ...origin, actor };
      tokens.push(ok(await duo.a.linkApproval(project, uuidOf(one), made)).token);
    }
    for (const token of tokens) expect(await duo.b.approvalByLink(token)).not.toBeNull();
    ok(await duo.a.revokeKey(project, fromTypeId("key", key.id) as string, origin));
    for (const token of tokens) {
      expect(await duo.b.approvalByLink(token)).toBeNull();
      expect(await duo.b.answerByLink(token, yes, origin)).toBeNull();
    }
  });
});
