// Exhaustion, as an operator lives it: an agent meets its limit and rests until the instant, one
// run tries whether it is over, nothing is burned meanwhile.
import { expect, test } from "vitest";
import { Crew } from "./crew.ts";
import { ok } from "./duo.ts";
import { origin } from "./fixtures.ts";
import { useStage } from "./stage.ts";

const stage = useStage();
const quota = (ms: number) => ({ reason: "quota", recovery_in_ms: ms }) as const;

async function crew(settings: { [agent: string]: { accounts?: string[]; models?: string[] } }) {
  const made = await Crew.of(stage);
  await made.worker("w1");
  for (const [name, agent] of Object.entries(settings)) await made.agent(name, agent);
  return made;
}

test("the run goes back without cost, the agent rests until the instant", async () => {
  const c = await crew({ a: {} });
  const [first = "", second = ""] = await c.submit(2, { maxAttempts: 1 });
  const [held] = await c.claim("w1", ["a"]);
  if (held === undefined) throw new Error("nothing was claimed");
  expect((await c.exhaust(held, quota(90_000))).state).toBe("pending");
  expect((await c.run(first)).attempts_used).toBe(0);
  expect(await c.status("a")).toBe("exhausted");
  expect(await c.claim("w1", ["a"])).toEqual([]);
  expect(await c.why(second)).toContain("exhausted");
  stage.tick(80_000);
  await stage.engine.sweepOnce();
  expect(await c.claim("w1", ["a"])).toEqual([]);
  stage.tick(11_000);
  await stage.engine.sweepOnce();
  const tries = await c.claim("w1", ["a"], 5);
  expect(tries).toHaveLength(1);
  expect(await c.claim("w1", ["a"], 5)).toEqual([]);
  const [probe] = tries;
  if (probe === undefined) throw new Error("nobody tried");
  await c.complete(probe);
  await stage.engine.parts.after.settled();
  expect(await c.claim("w1", ["a"], 5)).toHaveLength(1);
});

test("a probe that fails otherwise leaves it half open: the next run tries", async () => {
  const c = await crew({ a: {} });
  await c.submit(3);
  const [held] = await c.claim("w1", ["a"]);
  await c.exhaust(held as never, quota(30_000));
  stage.tick(31_000);
  await stage.engine.sweepOnce();
  const [probe] = await c.claim("w1", ["a"]);
  await c.report(probe as never, { kind: "release", cause: "declined" });
  await stage.engine.parts.after.settled();
  expect(await c.claim("w1", ["a"], 9)).toHaveLength(1);
});

test("a first message of the probe opens the account", async () => {
  const c = await crew({ a: {} });
  await c.submit(3);
  const [held] = await c.claim("w1", ["a"]);
  await c.exhaust(held as never, quota(30_000));
  stage.tick(31_000);
  await stage.engine.sweepOnce();
  const [probe] = await c.claim("w1", ["a"]);
  await c.append(probe as never, [{ type: "log.line", producer_seq: 1, data: { text: "hi" } }]);
  await stage.engine.parts.after.settled();
  expect(await c.claim("w1", ["a"], 9)).toEqual([]);
  await c.append(probe as never, [
    { type: "message.delta", producer_seq: 2, data: { text: "hello" } },
  ]);
  await stage.engine.parts.after.settled();
  expect(await c.claim("w1", ["a"], 9)).toHaveLength(2);
});

test("a probe whose minute is over without a report opens the account, by sweep", async () => {
  const c = await crew({ a: {} });
  await c.submit(2);
  const [held] = await c.claim("w1", ["a"]);
  await c.exhaust(held as never, quota(30_000));
  stage.tick(31_000);
  await stage.engine.sweepOnce();
  const [probe] = await c.claim("w1", ["a"]);
  await c.report(probe as never, { kind: "start" });
  stage.tick(45_000);
  await c.report(probe as never, { kind: "renew", leaseMs: 60_000 });
  await stage.engine.sweepOnce();
  expect(await c.claim("w1", ["a"])).toEqual([]);
  stage.tick(16_000);
  await stage.engine.sweepOnce();
  expect(await c.claim("w1", ["a"])).toHaveLength(1);
});

test("agents that share an account rest together; another account goes on", async () => {
  const c = await crew({
    a: { accounts: ["acme/1"] },
    b: { accounts: ["acme/1"] },
    d: { accounts: ["acme/1", "acme/2"] },
  });
  await c.submit(4);
  const [held] = await c.claim("w1", ["a"]);
  expect(held?.claim.account).toBe("acme/1");
  await c.exhaust(held as never, quota(60_000));
  expect(await c.claim("w1", ["b"])).toEqual([]);
  const [other] = await c.claim("w1", ["d"]);
  expect(other?.claim.account).toBe("acme/2");
  expect(await Promise.all(["a", "b", "d"].map((name) => c.status(name)))).toEqual([
    "exhausted",
    "exhausted",
    "busy",
  ]);
});

test("the run that met the limit is claimable at once by an agent that is able", async () => {
  const c = await crew({ a: {}, b: {} });
  const [run = ""] = await c.submit(1, { maxAttempts: 1 });
  const [held] = await c.claim("w1", ["a"]);
  await c.exhaust(held as never, quota(60_000));
  const [again] = await c.claim("w1", ["a", "b"]);
  expect(again?.runId).toBe(run);
  expect(again?.claim.agent).toBe("b");
});

test("a limit of one model stops that model only", async () => {
  const c = await crew({ a: { accounts: ["acme/1"] }, b: { accounts: ["acme/1"] } });
  await c.submit(1, { model: "large" });
  const [held] = await c.claim("w1", ["a"]);
  await c.exhaust(held as never, { ...quota(60_000), scope: "model", model: "large" });
  const [large = ""] = await c.submit(1, { model: "large" });
  await c.submit(1, { model: "small" });
  const [small] = await c.claim("w1", ["a", "b"]);
  expect(small?.claim.run.model).toBe("small");
  expect(await c.claim("w1", ["a", "b"])).toEqual([]);
  expect(await c.why(large)).toContain("exhausted");
  expect(await c.status("b")).toBe("idle");
});

test("silent for three minutes, then a heartbeat: still exhausted, the same instant", async () => {
  const c = await crew({ a: {} });
  await c.submit(1);
  const [held] = await c.claim("w1", ["a"]);
  expect(await c.status("a")).toBe("busy");
  await c.exhaust(held as never, quota(3_600_000));
  expect(await c.status("a")).toBe("exhausted");
  const before = await stage.engine.agent(c.projectId, "a");
  stage.tick(180_000);
  await stage.engine.sweepOnce();
  expect(await c.status("a")).toBe("offline");
  await c.worker("w1");
  await c.beat("w1", ["a"]);
  expect(await c.status("a")).toBe("exhausted");
  const after = await stage.engine.agent(c.projectId, "a");
  expect(after?.exhausted_until).toBe(before?.exhausted_until);
  expect(await c.history("a")).toEqual([
    "offline → busy",
    "busy → exhausted",
    "exhausted → offline",
    "offline → exhausted",
  ]);
});

test("billing waits for a person, who says why", async () => {
  const c = await crew({ a: { accounts: ["acme/pay"] } });
  await c.submit(1);
  const [held] = await c.claim("w1", ["a"]);
  await c.exhaust(held as never, { reason: "billing" });
  stage.tick(40 * 86_400_000);
  await stage.engine.sweepOnce();
  expect(await c.claim("w1", ["a"])).toEqual([]);
  const input = { reason: "the card was renewed" };
  ok(await stage.engine.recoverAccount(c.projectId, "acme/pay", input, origin));
  expect(await c.claim("w1", ["a"])).toHaveLength(1);
  const told = await c.feed("account.probing");
  expect(told.length + (await c.feed("account.recovered")).length).toBeGreaterThan(0);
});

test("what was said is kept as evidence, its secrets are not", async () => {
  const c = await crew({ a: { accounts: ["acme/1"] } });
  await c.submit(1);
  const [held] = await c.claim("w1", ["a"]);
  const message = "429 rate limit for key sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789";
  await c.exhaust(held as never, { status: 429, headers: { "retry-after": "90" }, message });
  const account = await stage.engine.account(c.projectId, "acme/1");
  const [limit] = account?.exhaustions ?? [];
  expect(limit).toMatchObject({ state: "closed", reason: "rate_limit", model: null });
  expect(limit?.evidence.source).toBe("headers");
  expect(JSON.stringify(limit)).not.toContain("abcdefghijklmnop");
});

test("a stale attempt's report closes nothing", async () => {
  const c = await crew({ a: {}, b: {} });
  await c.submit(2);
  const [held] = await c.claim("w1", ["a"]);
  stage.tick(61_000);
  await stage.engine.sweepOnce();
  const item = { runId: held?.runId ?? "", fence: c.fence(held as never), report: quota(9000) };
  const answer = await stage.engine.exhausted(c.projectId, item, origin);
  expect(answer).toMatchObject({ code: "stale_fencing_token" });
  expect(await c.claim("w1", ["a"])).toHaveLength(1);
});
