// How the house is, when a person asks: what operators are told, and what the owner alone is.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { HouseHealth } from "@signalbox/sdk";
import { withClient } from "../setup/database.ts";
import { ask, openScene, submitted } from "./scene.ts";
import type { Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  // Nothing is swept unless the test does it, so that what is overdue stays overdue.
  scene = await openScene({}, { sweeps: false });
  await scene.engine.sweepOnce();
});
afterAll(async () => {
  await scene?.close();
});

const told = async (role: "operator" | "admin" | "owner"): Promise<HouseHealth> => {
  const reply = await ask(scene.app, scene.keys[role], "GET /v1/health");
  expect(reply.status).toBe(200);
  return reply.body;
};
const found = ({ findings }: HouseHealth, check: string) =>
  findings.find((one) => one.check === check);

test("a house at work: its servers, and nothing that fails", async () => {
  const house = await told("operator");
  expect(house).toMatchObject({ ready: true, database: "ok", version: "1.2.3" });
  expect(house.servers.map(({ version }) => version)).toEqual(["1.2.3"]);
  expect(house.horizon).not.toBeNull();
  expect(house.findings.filter(({ verdict }) => verdict === "fail")).toEqual([]);
});

test("load and tables are the owner's: all projects are in them", async () => {
  await submitted(scene);
  expect((await told("admin")).load).toBeNull();
  const { load } = await told("owner");
  const work = load?.batchers.find(({ name }) => name === "work");
  expect(work?.items).toBeGreaterThan(0);
  const flushes = work?.sizes.reduce((sum, { count }) => sum + count, 0);
  expect(flushes).toBe(work?.flushes);
  expect(work?.sizes.at(-1)?.up_to).toBeNull();
  expect(load?.tables.map(({ name }) => name)).toContain("run");
});

test("what is overdue is told to operators, how many and which to the owner alone", async () => {
  const deadline_at = new Date(Date.now() + 60_000).toISOString();
  const late = await submitted(scene, { deadline_at });
  await withClient(scene.connection, async (client) => {
    await client.query("set session_replication_role = replica");
    await client.query(
      "update signalbox.run set due_at = due_at - interval '1 hour' where due_at is not null",
    );
  });
  const [operator, owner] = [await told("operator"), await told("owner")];
  expect(found(operator, "register.sweeps")).toMatchObject({
    verdict: "fail",
    says: "runs are overdue",
  });
  expect(found(owner, "register.sweeps")?.says).toMatch(/^1 run\(s\) are overdue, the first is /);
  expect(JSON.stringify(operator)).not.toContain(late.id.slice(-8));
  await withClient(scene.connection, async (client) => {
    await client.query("set session_replication_role = replica");
    await client.query(
      "update signalbox.run set due_at = due_at + interval '1 hour' where due_at is not null",
    );
  });
});
