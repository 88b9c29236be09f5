// `verify` as its users have it: beside a running server, and on the database in the box without
// one; what was tampered with is named and ends it with 1.

import { afterEach, beforeEach, expect, test } from "vitest";

import { withClient } from "../setup/database.ts";
import { Sandbox } from "./command.ts";

type Verified = {
  verdict: string;
  events: number;
  invariants: number;
  violations: { invariant: string; subject: string; seq: number | null; detail: string }[];
};

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await Sandbox.open();
});
afterEach(() => sandbox.close());

test("beside a server at work, and without one; what breaks an invariant is named", async () => {
  const server = await sandbox.up();
  await sandbox.json(["submit", "--agent", "nobody"]);
  const good = await sandbox.json<Verified>(["verify"]);
  expect(good).toMatchObject({ verdict: "ok", violations: [] });
  expect(good.events).toBeGreaterThan(1);
  const { database_url: connectionString } = await sandbox.serverFile();
  await withClient({ connectionString }, (client) =>
    client.query("update signalbox.feed_counter set n = n + 1 where n > 1"),
  );
  server.process.kill("SIGTERM");
  await server.ended;
  const { code, stdout } = await sandbox.run(["verify", "--json"]);
  expect(code).toBe(1);
  const found = JSON.parse(stdout) as Verified;
  expect(found.verdict).toBe("violated");
  expect(found.violations.map(({ invariant }) => invariant)).toEqual(["I-8 feed"]);
  const told = await sandbox.run(["verify"]);
  expect(told.code).toBe(1);
  expect(told.stdout).toContain(`violated I-8 feed`);
  expect(told.stdout).toContain(`1 violation(s) of ${found.invariants} invariants`);
  expect(sandbox.serves).toBe(false);
});

test("where there is no database it says so", async () => {
  const { code, stderr } = await sandbox.run(["verify"]);
  expect(code).toBe(66);
  expect(stderr).toContain("There is no database in");
});
