// Agents, accounts, allowances, slots, runtimes and usage on the command line: their JSON is the
// wire's, their tables are for people, and only what was given is sent.

import type {
  Account,
  Agent,
  Allowance,
  CreatedKey,
  Page,
  Runtime,
  Slot,
  UsageRow,
} from "@signalbox/sdk";
import { Signalbox } from "@signalbox/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { dollars } from "../../src/cli/show-allowance.ts";
import { Sandbox } from "./command.ts";

let sandbox: Sandbox;
let client: Signalbox;
beforeAll(async () => {
  sandbox = await Sandbox.open();
  await sandbox.up();
  const { key } = await sandbox.json<CreatedKey>(["keys", "create", "w", "--role", "worker"]);
  const { url } = await sandbox.serverFile();
  client = new Signalbox({ url, key });
  await client.runtimes.register("box", {
    labels: { rack: "7" },
    state: "online",
    deadline_s: 3600, // it beats no more, and the commands of this file take their time
  });
});
afterAll(() => sandbox.close());

/** What a person reads. */
async function shown(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await sandbox.run(args);
  expect(code, stderr).toBe(0);
  return stdout + stderr;
}

describe("agents and accounts", () => {
  test("register sends what was given; --clear puts a field back", async () => {
    const words = ["agents", "register", "reviewer"];
    const flags = [
      "--account",
      "anthropic/max-2",
      "--account",
      "anthropic/max-1",
      "--model",
      "opus",
    ];
    const more = ["--max-concurrent", "4", "--label", "team=core", "--max-run-duration", "600"];
    expect(await sandbox.json<Agent>([...words, ...flags, ...more])).toMatchObject({
      accounts: ["anthropic/max-2", "anthropic/max-1"],
      models: ["opus"],
      max_concurrent: 4,
      max_run_duration_s: 600,
      labels: { team: "core" },
    });
    const cleared = [...words, "--clear", "models", "--clear", "max_concurrent"];
    expect(await sandbox.json<Agent>(cleared)).toMatchObject({
      models: null,
      max_concurrent: null,
      max_run_duration_s: 600,
    });
  });

  test("list and show tell a person how an agent is", async () => {
    expect(await shown("agents", "list")).toMatch(/AGENT +STATUS[^]*reviewer +offline/);
    const record = await shown("agents", "show", "reviewer");
    expect(record).toMatch(/models +any\n/);
    expect(record).toMatch(/accounts +anthropic\/max-2, anthropic\/max-1\n/);
    const page = await sandbox.json<Page<Agent>>(["agents", "list", "--status", "busy"]);
    expect(page).toMatchObject({ items: [], has_more: false });
    expect(await shown("agents", "list", "--paused")).toBe("no agents\n");
  });

  test("pause and resume", async () => {
    const words = ["agents", "pause", "reviewer", "--reason", "a drill"];
    expect((await sandbox.json<Agent>(words)).pause_reason).toBe("a drill");
    expect(await shown("agents", "list", "--paused")).toContain("paused: a drill");
    const { paused_at } = await sandbox.json<Agent>(["agents", "resume", "reviewer"]);
    expect(paused_at).toBeNull();
  });

  test("limits are listed with their grounds, and recovered for an agent's accounts", async () => {
    for (const name of ["anthropic/max-1", "anthropic/max-2"]) {
      await client.accounts.exhausted(name, { reason: "billing", message: "Your credit is gone" });
    }
    expect(await shown("accounts", "list")).toMatch(
      /max-1 .*closed \(billing, tried by a person\)/,
    );
    expect(await shown("accounts", "show", "anthropic/max-1")).toMatch(/EVIDENCE[^]*Your credit/);
    expect(await shown("agents", "show", "reviewer")).toMatch(/anthropic\/max-2 +all +closed/);
    const words = ["agents", "recover", "reviewer", "--reason", "paid"];
    const { items } = await sandbox.json<{ items: Account[] }>(words);
    expect(items.map(({ name }) => name)).toEqual(["anthropic/max-2", "anthropic/max-1"]);
    expect(items.map(({ exhaustions }) => exhaustions[0]?.state)).toEqual([
      "half_open",
      "half_open",
    ]);
    await client.accounts.exhausted("anthropic/max-1", { reason: "billing" });
    const one = ["accounts", "recover", "anthropic/max-1", "--reason", "paid"];
    const account = await sandbox.json<Account>(one);
    expect(account.exhaustions[0]?.state).toBe("half_open");
  });

  test("recovering an agent whose accounts never met a limit says so", async () => {
    await sandbox.json<Agent>(["agents", "register", "fresh"]);
    expect(await shown("agents", "recover", "fresh", "--reason", "r")).toMatch(/fresh|none of its/);
  });
});

describe("allowances and usage", () => {
  test("nothing configured is said", async () => {
    expect(await shown("allowances", "list")).toBe("no allowances: nothing is limited\n");
  });

  test("create, set and delete; money may be dollars", async () => {
    const words = ["allowances", "create", "cost_micros", "2.50usd", "--agent", "reviewer"];
    const made = await sandbox.json<Allowance>([...words, "--window", "day", "--mode", "kill"]);
    expect(made).toMatchObject({
      scope: "agent",
      name: "reviewer",
      limit: 2_500_000,
      window: "day",
      mode: "kill",
    });
    expect(await shown("allowances", "list")).toMatch(/agent reviewer +cost_micros .*\$2\.50/);
    const set = ["allowances", "set", made.id, "--limit", "3_000_000", "--reserve", "10"];
    expect(await sandbox.json<Allowance>(set)).toMatchObject({
      limit: 3_000_000,
      default_reserve: 10,
      mode: "kill",
    });
    expect(await shown("allowances", "set", made.id, "--reserve", "none")).toContain("$3.00");
    expect(await sandbox.json<Allowance>(["allowances", "delete", made.id])).toMatchObject({
      id: made.id,
    });
    expect((await sandbox.run(["allowances", "delete", made.id])).code).toBe(66);
  });

  test("usage of no time is none", async () => {
    const { items } = await sandbox.json<{ items: UsageRow[] }>(["usage", "--from", "30d"]);
    expect(items).toEqual([]);
    expect(await shown("usage", "--agent", "nobody")).toBe("no usage was reported in this time\n");
  });
});

describe("slots and runtimes", () => {
  test("create, list, start, finish", async () => {
    const words = [
      "slots",
      "create",
      "planner",
      "--type",
      "work",
      "--starts",
      "1h",
      "--ends",
      "3h",
    ];
    const made = await sandbox.json<Slot>([...words, "--priority", "0", "--content", '{"room":7}']);
    expect(made).toMatchObject({ agent: "planner", priority: 0, content: { room: 7 } });
    expect(Date.parse(made.ends_at) - Date.parse(made.starts_at)).toBeGreaterThan(7_100_000);
    expect(await shown("slots", "list", "--agent", "planner")).toContain(made.id);
    const started = await sandbox.json<Slot>(["slots", "start", made.id]);
    expect(started.status).toBe("ongoing");
    expect(await shown("slots", "finish", made.id, "--reason", "done")).toContain("finished");
    expect((await sandbox.run(["slots", "skip", made.id])).code).toBe(1);
  });

  test("a slot that is aborted, and one that is skipped", async () => {
    const words = ["slots", "create", "planner", "--starts", "1h", "--ends", "3h"];
    const [one, two] = [await sandbox.json<Slot>(words), await sandbox.json<Slot>(words)];
    await sandbox.json<Slot>(["slots", "start", one.id]);
    const aborted = await sandbox.json<Slot>(["slots", "abort", one.id, "--reason", "rain"]);
    expect(aborted).toMatchObject({ status: "aborted", reason: "rain" });
    expect((await sandbox.json<Slot>(["slots", "skip", two.id])).status).toBe("skipped");
  });

  test("runtimes are listed by label, and drained", async () => {
    expect(await shown("runtimes", "list", "--label", "rack:7")).toMatch(/box +online/);
    expect(await shown("runtimes", "list", "--label", "rack:8")).toBe("no runtimes\n");
    const words = ["runtimes", "drain", "box", "--reason", "new image"];
    expect((await sandbox.json<Runtime>(words)).state).toBe("draining");
  });
});

test.each([
  [["agents", "list", "--status", "dead"], 64, "--status must be one of"],
  [["agents", "show", "nobody"], 66, "no agent"],
  [["agents", "pause", "reviewer"], 64, "--reason"],
  [["agents", "register", "reviewer", "--clear", "name"], 64, "--clear must be one of"],
  [["agents", "recover", "reviewer"], 64, "--reason"],
  [["accounts", "recover", "x/1", "--reason", "r"], 66, "x/1"],
  [["allowances", "create", "euros", "5", "--window", "day"], 64, "The metric must be one of"],
  [["allowances", "create", "tokens", "lots", "--window", "day"], 64, "The limit must be"],
  [["allowances", "create", "tokens", "5"], 65, "window"],
  [["allowances", "create", "tokens", "5", "--agent", "a", "--model", "m"], 64, "Give one of"],
  [["allowances", "set", "alw_none"], 64, "Give --limit"],
  [["slots", "create", "a", "--ends", "1h"], 64, "--starts"],
  [["slots", "create", "a", "--starts", "1h", "--ends", "soon"], 64, "--ends must be"],
  [["slots", "create", "a", "--starts", "2h", "--ends", "1h"], 65, "ends_at"],
  [["slots", "create", "a", "--starts", "1h", "--ends", "2h", "--run", "[]"], 64, "--run must be"],
  [["runtimes", "list", "--label", "rack"], 65, "label"],
  [["runtimes", "drain", "box"], 64, "--reason"],
  [["usage", "--from", "yesterday"], 64, "--from must be"],
  [["submit", "--agent-timeout", "60"], 65, "agent_timeout_s"],
])("%j → %i", async (args, code, words) => {
  const ended = await sandbox.run(args);
  expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code, stdout: "" });
  expect(ended.stderr).toContain(words);
});

test("what others wrote cannot reach the terminal", async () => {
  const hostile = "\u001b]0;title\u0007\u202egnp\u009b1m";
  // oxlint-disable-next-line no-control-regex -- they are what must not be there
  const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
  const words = [
    "agents",
    "register",
    "hostile",
    "--description",
    hostile,
    "--label",
    `a=${hostile}`,
  ];
  await sandbox.json<Agent>(words);
  await sandbox.json<Agent>(["agents", "pause", "hostile", "--reason", hostile]);
  await client.accounts.exhausted("hostile", { message: hostile, provider: hostile });
  await client.runtimes.register("hostile", { version: hostile, labels: { a: hostile } });
  for (const args of [
    ["agents", "list"],
    ["agents", "show", "hostile"],
    ["accounts", "list"],
    ["accounts", "show", "hostile"],
    ["runtimes", "list"],
  ]) {
    expect(unsafe.exec(await shown(...args)), args.join(" ")).toBeNull();
  }
});

test.each([
  [0, "$0.00"],
  [1, "$0.000001"],
  [4_200, "$0.0042"],
  [2_500_000, "$2.50"],
  [1_234_567_890_000, "$1,234,567.89"],
  [9_007_199_254_740_991, "$9,007,199,254.740991"],
])("%i micros are %s", (micros, text) => {
  expect(dollars(micros)).toBe(text);
});
