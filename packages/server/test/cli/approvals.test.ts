// Approvals on the command line: the inbox, answers, links, and a program of a worker that asks.
// Their JSON is the wire's, their tables are for people.

import type { Approval, ApprovalLink, Page } from "@signalbox/sdk";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bin, Sandbox, until } from "./command.ts";
import type { Started } from "./command.ts";

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await Sandbox.open();
  await sandbox.up();
});
afterAll(() => sandbox.close());

/** What a person reads. */
async function shown(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await sandbox.run(args);
  expect(code, stderr).toBe(0);
  return stdout + stderr;
}

/** The one question that waits. */
function pending(): Promise<Approval> {
  return until("a question", async () => {
    const { items } = await sandbox.json<Page<Approval>>(["approvals", "list"]);
    return items[0];
  });
}

/** A program as an agent that asks, and ends as the answer says. */
async function asking(...flags: string[]): Promise<Started> {
  const words = ["--title", "Delete?", "--action", "delete", "--arguments", '{"files":["a"]}'];
  const args = [bin, "approvals", "ask", ...words, ...flags].map((word) => `'${word}'`).join(" ");
  const script = join(sandbox.folder, "agent.sh");
  await writeFile(script, `exec '${process.execPath}' ${args}\n`);
  return sandbox.start(["run", "--", "sh", script]);
}

test("without a question the inbox says so", async () => {
  expect(await shown("approvals", "list")).toContain("nothing waits for an answer");
});

describe("a program that asks", () => {
  test("ends 0 with the approved arguments when a person has edited and approved", async () => {
    const program = await asking("--risk", "high");
    const one = await pending();
    expect(await shown("approvals", "list")).toMatch(/APPROVAL +STATUS[^]*high[^]*Delete\?/);
    const whole = await shown("approvals", "show", one.id);
    expect(whole).toMatch(/action +delete\n/);
    expect(whole).toContain('"a"');
    const edit = ["--edit", '{"files":["b"]}', "--comment", "that one"];
    const line = await shown("approvals", "approve", one.id, ...edit);
    expect(line).toMatch(/approved by key:\S+: Delete\?/);
    const { code, stdout } = await program.ended;
    expect(code).toBe(0);
    expect(stdout).toContain('{"files":["b"]}');
    const { items } = await sandbox.json<Page<Approval>>(["approvals", "list", "--status", "all"]);
    expect(items.map(({ id, comment }) => [id, comment])).toEqual([[one.id, "that one"]]);
  });

  test("does not end well when it is rejected; a second answer is told of it", async () => {
    const program = await asking();
    const one = await pending();
    expect(await shown("approvals", "reject", one.id, "--comment", "no")).toContain("rejected");
    expect((await program.ended).code).not.toBe(0);
    const late = await sandbox.run(["approvals", "approve", one.id]);
    expect([late.code, late.stderr]).toEqual([1, expect.stringContaining("rejected")]);
  });

  test("is refused without the variables of an attempt", async () => {
    const words = ["approvals", "ask", "--title", "Delete?", "--action", "delete"];
    const { code, stderr } = await sandbox.run(words);
    expect([code, stderr]).toEqual([64, expect.stringContaining("SIGNALBOX_ATTEMPT_KEY")]);
  });
});

test("a link answers without a key", async () => {
  const program = await asking();
  const one = await pending();
  const made = await sandbox.json<ApprovalLink & { url: string }>(["approvals", "link", one.id]);
  const body = JSON.stringify({ decision: "approve" });
  const headers = { "content-type": "application/json" };
  const answer = await fetch(made.url, { method: "POST", headers, body });
  expect(answer.status).toBe(200);
  expect((await program.ended).code).toBe(0);
});

test("words that are none are refused by name", async () => {
  const lines = [
    [["approvals", "list", "--status", "waiting"], "--status"],
    [["approvals", "list", "--risk", "mortal"], "--risk"],
    [["approvals", "approve", "apr_1", "--edit", "[1]"], "--edit"],
    [["approvals", "approve", "apr_1", "--edit", "{"], "--edit"],
  ] as const;
  for (const [args, flag] of lines) {
    const { code, stderr } = await sandbox.run(args);
    expect([code, stderr]).toEqual([64, expect.stringContaining(flag)]);
  }
});
