// The commands about access, against a real server: keys that are bound and rotated, the trail, and
// a login link with the session it opens.
import type { AuditEntry, CreatedKey, Page, Session } from "@signalbox/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Started } from "./command.ts";
import { Sandbox } from "./command.ts";

let sandbox: Sandbox;
let server: Started;
beforeAll(async () => {
  sandbox = await Sandbox.open();
  server = await sandbox.up();
});
afterAll(() => sandbox?.close());

/** What a browser does with a link: takes the code from behind the `#`. */
async function openLink(link: string): Promise<Response> {
  const { origin, hash } = new URL(link);
  return fetch(`${origin}/v1/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code: hash.slice(1) }),
  });
}

test("a worker's key is bound to agents, and rotated without an overlap", async () => {
  const words = ["keys", "create", "reviewers", "--role", "worker", "--agent", "ada"];
  const made = await sandbox.json<CreatedKey>([...words, "--agent", "bob"]);
  expect(made.agents).toEqual(["ada", "bob"]);
  const fresh = await sandbox.json<CreatedKey>(["keys", "rotate", made.id, "--overlap", "0"]);
  expect(fresh).toMatchObject({ name: "reviewers", agents: ["ada", "bob"] });
  const old = await sandbox.run(["runs", "list"], { env: { SIGNALBOX_KEY: made.key } });
  expect(old.code).toBe(77);
  const { stdout } = await sandbox.run(["keys", "list"]);
  expect(stdout).toContain("worker as ada, bob");
  expect(stdout).not.toContain(fresh.key);
});

test("the owner's keys are listed with --owner, and the last one stays", async () => {
  const { items } = await sandbox.json<Page<{ id: string; name: string }>>([
    "keys",
    "list",
    "--owner",
  ]);
  expect(items.map(({ name }) => name)).toEqual(["installation"]);
  const refused = await sandbox.run(["keys", "revoke", String(items[0]?.id), "--owner"]);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("last owner's key");
});

test("audit shows who did what and why", async () => {
  await sandbox.run(["queues", "pause", "mail", "--reason", "a drill"]);
  const { items } = await sandbox.json<Page<AuditEntry>>(["audit", "--type", "queue.paused"]);
  expect(items).toMatchObject([{ actor_name: "this machine", reason: "a drill" }]);
  const { stdout } = await sandbox.run(["audit", "--from", "1h"]);
  expect(stdout).toMatch(/queue\.paused .*a drill/);
});

test("up and login print links that open one session each", async () => {
  const printed = /dashboard\s+(http\S+)/.exec(server.said())?.[1] as string;
  const { url } = await sandbox.json<{ url: string }>(["login"]);
  for (const link of [printed, url]) {
    expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/login#sbl_/);
    const first = await openLink(link);
    expect(first.status).toBe(201);
    expect(first.headers.get("set-cookie")).toMatch(/^signalbox-\d+=sbs_.*HttpOnly/);
    expect((await openLink(link)).status).toBe(401);
  }
  const open = await sandbox.json<Page<Session>>(["sessions", "list"]);
  expect(open.items).toHaveLength(2);
  const [one] = open.items;
  await sandbox.json<Session>(["sessions", "end", String(one?.id)]);
  expect((await sandbox.json<Page<Session>>(["sessions", "list"])).items).toHaveLength(1);
});
