// Webhooks and retention on the command line: JSON is the wire's, a secret is printed once.

import type { Delivery, Page, Project, Webhook, WebhookWithSecret } from "@signalbox/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";

import { Sandbox } from "./command.ts";

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await Sandbox.open();
  await sandbox.up();
});
afterAll(() => sandbox.close());

const add = ["webhooks", "add", "https://example.org/hook", "--type", "run.*"];

test("a webhook from its making to its end", async () => {
  const made = await sandbox.json<WebhookWithSecret>([...add, "--queue", "mail"]);
  expect(made).toMatchObject({ types: ["run.*"], queue: "mail", allow_private: false });
  const shown = await sandbox.run(["webhooks", "list"]);
  expect(shown.stdout).toContain(made.id);
  expect(shown.stdout).not.toContain("whsec_");
  const id = made.id;
  const set = ["webhooks", "set", id, "--agent", "reviewer"];
  expect((await sandbox.json<Webhook>(set)).agent).toBe("reviewer");
  const rotated = await sandbox.run(["webhooks", "rotate", id, "--overlap", "60"]);
  expect(rotated.stdout).toContain("whsec_");
  const off = ["webhooks", "disable", id, "--reason", "a drill"];
  expect((await sandbox.json<Webhook>(off)).disabled_reason).toBe("a drill");
  expect((await sandbox.json<Webhook>(["webhooks", "enable", id])).disabled_at).toBeNull();
  const deliveries = ["webhooks", "deliveries", id];
  expect((await sandbox.json<Page<Delivery>>(deliveries)).items).toEqual([]);
  expect((await sandbox.run([...deliveries, "--state", "lost"])).code).toBe(64);
  expect((await sandbox.run(["webhooks", "delete", id])).stdout).toContain("deleted");
  expect((await sandbox.run(["webhooks", "show", id])).code).not.toBe(0);
});

test("--private is asked for with the owner's key", async () => {
  const words = ["webhooks", "add", "http://127.0.0.1:9/", "--private", "--type", "run.failed"];
  expect((await sandbox.json<Webhook>(words)).allow_private).toBe(true);
});

test("retention takes days, or off", async () => {
  const kept = await sandbox.json<Project>(["projects", "retention", "90"]);
  expect(kept.retention_days).toBe(90);
  const all = await sandbox.json<Project>(["projects", "retention", "off"]);
  expect(all.retention_days).toBeNull();
  expect((await sandbox.run(["projects", "retention", "soon"])).code).toBe(64);
});
