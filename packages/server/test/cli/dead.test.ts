// `dead`, `runs cancel-many` and `stop --all` as commands: an act on many is counted first, and
// done only with the number that was counted.
import type { BulkResult, DeadLetterGroup, Page, Run, RunSummary } from "@signalbox/sdk";
import { afterEach, beforeEach, expect, test } from "vitest";

import { Sandbox } from "./command.ts";

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await Sandbox.open();
});
afterEach(() => sandbox.close());

test("failed runs are listed by group, redriven one by one or all, and discarded", async () => {
  await sandbox.up();
  for (let n = 0; n < 3; n += 1) await sandbox.run(["run", "--", "sh", "-c", "exit 3"]);
  const { items } = await sandbox.json<Page<DeadLetterGroup>>(["dead", "list"]);
  expect(items).toMatchObject([{ count: 3 }]);
  const group = items[0]?.fingerprint ?? "";
  const shown = await sandbox.run(["dead", "show", group]);
  expect(shown.stdout.match(/run_[0-9a-z]{26}/g)).toHaveLength(3);

  const last = items[0]?.sample_run ?? "";
  const redriven = await sandbox.run(["dead", "redrive", last, "--to-agent", "nobody"]);
  const [became = ""] = /run_[0-9a-z]{26}/.exec(redriven.stdout) ?? [];
  const made = await sandbox.json<Run>(["runs", "show", became]);
  expect(made).toMatchObject({ redrive_of: last, agent: "nobody", state: "pending" });

  const counted = await sandbox.run(["dead", "discard", group, "--note", "known"]);
  expect(counted.stdout).toContain("2 run(s) match; nothing was discarded.");
  const refused = await sandbox.run([
    "dead",
    "discard",
    "all",
    "--note",
    "known",
    "--confirm",
    "1",
  ]);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("2 runs match now");
  const put = ["dead", "discard", "all", "--note", "known", "--confirm", "2"];
  expect((await sandbox.json<BulkResult>(put)).done).toBe(2);
  expect((await sandbox.json<Page<DeadLetterGroup>>(["dead", "list"])).items).toEqual([]);
});

test("many runs are cancelled, and everything is stopped and resumed", async () => {
  await sandbox.up();
  for (let n = 0; n < 2; n += 1) await sandbox.json<RunSummary>(["submit", "--agent", "nobody"]);
  const cancel = ["runs", "cancel-many", "--agent", "nobody", "--reason", "wrong"];
  expect((await sandbox.json<BulkResult>(cancel)).matched).toBe(2);
  expect((await sandbox.json<BulkResult>([...cancel, "--confirm", "2"])).done).toBe(2);

  const stopped = await sandbox.run(["stop", "--all", "--reason", "a key has leaked"]);
  expect(stopped.stdout).toBe("everything is stopped: a key has leaked\n");
  const resumed = await sandbox.run(["resume", "--all", "--reason", "revoked"]);
  expect(resumed.stdout).toBe("everything is open\n");
});
