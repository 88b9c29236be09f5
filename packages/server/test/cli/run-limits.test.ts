// `signalbox run`, `signalbox worker` and limits of providers: told in words, and waited for where
// that is asked.
// Promises: the built command against a server of its own, as its users have it.
// Leaves to others: reading notices (printed-limit.test.ts), all else of `run` (run.test.ts).

import type { Account, Event, Explanation, Run } from "@signalbox/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Sandbox } from "./command.ts";

let sandbox: Sandbox;

const last = (): Promise<Run> => sandbox.json<Run>(["runs", "show", "last"]);

beforeAll(async () => {
  sandbox = await Sandbox.open();
  await sandbox.up();
});
afterAll(() => sandbox.close());

const inTwoHours = (): number => Math.floor(Date.now() / 1_000) + 7_200;
const isoOf = (epochS: number): string => new Date(epochS * 1_000).toISOString();
const accountOf = (name: string): Promise<Account> =>
  sandbox.json<Account>(["accounts", "show", name]);
const typesOf = async (): Promise<string[]> => {
  const { stdout } = await sandbox.run(["events", "last", "--json"]);
  const lines = stdout.trimEnd().split("\n");
  return lines
    .map((line) => (JSON.parse(line) as Event).type)
    .filter((type) => type !== "log.line");
};

describe("a command that met a limit", () => {
  test("rests its account, costs no attempt, and ends with 75 and until when", async () => {
    const until = inTwoHours();
    const script = `echo 'Claude AI usage limit reached|${until}' >&2; exit 3`;
    const limited = await sandbox.run(["run", "--", "sh", "-c", script]);
    expect(limited.code).toBe(75);
    const met = `a limit of the provider was met (quota); it is over at ${isoOf(until)}`;
    expect(limited.stderr).toContain(`signalbox: ${met}`);
    const run = await last();
    const agent = run.agent ?? "";
    expect(agent).toMatch(/^[^/]+@[^/]+\/sh$/);
    const why = `Account "${agent}" rests until ${isoOf(until)}: quota (`;
    expect(limited.stderr).toContain(`signalbox: ${why}`);
    expect(limited.stderr).toContain("The run is cancelled; with --wait it would go on then.\n");
    expect(run).toMatchObject({ state: "cancelled", attempts_used: 0 });
    expect(run.status_reason).toContain(why);
    expect(await typesOf()).toEqual(
      expect.arrayContaining(["run.claimed", "run.requeued", "run.cancelled"]),
    );
    expect((await accountOf(agent)).exhaustions).toMatchObject([
      {
        state: "closed",
        reason: "quota",
        recovery_at: isoOf(until),
        evidence: { excerpt: expect.stringContaining("usage limit reached") },
      },
    ]);
  });

  test("holds back what the same program would do, and no other program", async () => {
    const held = await sandbox.run(["run", "--", "sh", "-c", "echo again"]);
    expect(held).toMatchObject({ code: 75, stdout: "" });
    expect(held.stderr).toMatch(/^signalbox: Agent ".*" is exhausted until .*\n$/);
    const run = await last();
    expect(run).toMatchObject({ state: "cancelled", attempts_used: 0 });
    const other = await sandbox.run(["run", "--", "echo", "hi"]);
    expect(other).toMatchObject({ code: 0, stdout: "hi\n" });
    const recovered = ["accounts", "recover", run.agent ?? "", "--reason", "a drill"];
    expect((await sandbox.run(recovered)).code).toBe(0);
    const tried = await sandbox.run(["run", "--", "sh", "-c", "echo again"]);
    expect(tried).toMatchObject({ code: 0, stdout: "again\n" });
  });

  const says = (report: object): string => `echo '${JSON.stringify(report)}' > "$SIGNALBOX_LIMIT"`;

  test("says so itself, also where only a person can tell; exit 0 is completion", async () => {
    const limited = await sandbox.run([
      "run",
      "--agent",
      "payer",
      "--",
      "sh",
      "-c",
      `${says({ reason: "billing" })}; exit 9`,
    ]);
    expect(limited.code).toBe(75);
    expect(limited.stderr).toContain("was met (billing); it did not say until when");
    expect(limited.stderr).toContain("(signalbox accounts recover payer --reason …)");
    expect((await accountOf("payer")).exhaustions).toMatchObject([{ reason: "billing" }]);
    const done = await sandbox.run(["run", "--", "sh", "-c", `${says({})}; echo done`]);
    expect(done).toMatchObject({ code: 0, stdout: "done\n", stderr: "" });
  });

  test("is begun again with --wait when the limit is over, as its one attempt", async () => {
    const limit = says({ reason: "rate_limit", recovery_in_ms: 1_500 });
    const script = `[ -e met ] && { echo done; exit 0; }; : > met; ${limit}; exit 1`;
    const ended = await sandbox.run(["run", "--wait", "--agent", "w", "--", "sh", "-c", script]);
    expect(ended).toMatchObject({ code: 0, stdout: "done\n" });
    expect(ended.stderr).toContain("a limit of the provider was met (rate limit)");
    expect(ended.stderr).toMatch(/Account "w" rests until .* The run waits\.\n/);
    expect(await last()).toMatchObject({ state: "completed", attempts_used: 1, fencing_token: 2 });
    expect(await typesOf()).toContain("run.requeued");
  });

  test("can be given up while it waits", async () => {
    const script = `${says({ reason: "quota", recovery_in_ms: 3_600_000 })}; exit 1`;
    const started = sandbox.start(["run", "--wait", "--agent", "v", "--", "sh", "-c", script]);
    await started.says(/The run waits/);
    started.process.kill("SIGINT");
    expect((await started.ended).code).toBe(130);
    expect(await last()).toMatchObject({ state: "cancelled", attempts_used: 0 });
  });
});

test("the help of what starts commands says how they tell of limits", async () => {
  for (const command of ["run", "worker"]) {
    const { stdout } = await sandbox.run([command, "--help"]);
    expect(stdout).toContain("$SIGNALBOX_LIMIT");
    expect(stdout.replaceAll(/\s+/g, " ")).toContain("reason (rate_limit, quota, billing or");
  }
});

test("a worker gives the run back without cost, and its account rests until then", async () => {
  const until = inTwoHours();
  const script = `echo 'Claude AI usage limit reached|${until}'; exit 1`;
  const worker = sandbox.start(["worker", "--agent", "coder", "--", "sh", "-c", script]);
  await worker.says(/serves coder/);
  const run = await sandbox.json<Run>(["submit", "--agent", "coder", "--input", "{}"]);
  await worker.says(/#1 given back: a limit of the provider was met \(quota\); it is over at /);
  const held = await sandbox.json<Explanation>(["runs", "explain", run.id]);
  const instant = isoOf(until);
  expect(held.reasons).toMatchObject([{ code: "exhausted", until: instant }]);
  expect(await last()).toMatchObject({ state: "pending", attempts_used: 0 });
});
