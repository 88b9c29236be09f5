// The fleet of the pictures: eight agents of a software house on an ordinary afternoon, so that
// every screen shows what it is for.
// Promises: made through the SDK alone, by workers that really claim, work, fail and wait.
// Leaves to others: taking the pictures (`pictures.test.ts`).

import type { JsonObject, Signalbox } from "@signalbox/sdk";
import { Worker } from "@signalbox/sdk/worker";
import type { Attempt } from "@signalbox/sdk/worker";
import { until } from "./fleet.ts";
import type { Ids } from "./screens.ts";

export type Showcase = { readonly ids: Omit<Ids, "webhook">; readonly end: () => Promise<void> };

type Does = "works" | "stays" | "fails" | "asks";

const hosts: Readonly<Record<string, string>> = {
  reviewer: "build-7.local",
  fixer: "build-7.local",
  triage: "build-8.local",
  "release-notes": "build-8.local",
  researcher: "lab-2.local",
  deployer: "gate-1.local",
  translator: "lab-2.local",
};

/** Agent, what it is called, what becomes of it, queue. */
const plan: readonly (readonly [string, string, Does, string])[] = [
  ["triage", "Label the 14 issues of last night", "works", "issues"],
  ["triage", "Find duplicates of #2210", "works", "issues"],
  ["triage", "Mirror the attachments of #2188", "fails", "issues"],
  ["triage", "Mirror the attachments of #2204", "fails", "issues"],
  ["triage", "Ask the reporter of #2231 for a log", "works", "issues"],
  ["release-notes", "Draft the notes of 4.2.0", "works", "docs"],
  ["release-notes", "List breaking changes since 4.1", "works", "docs"],
  ["fixer", "Fix the flaky upload test", "works", "fixes"],
  ["fixer", "Bump the lockfile and run the suite", "works", "fixes"],
  ["fixer", "Rebase release/4.2 onto main", "fails", "fixes"],
  ["fixer", "Backport the fix of #2198", "fails", "fixes"],
  ["reviewer", "Review pull request 1038", "works", "reviews"],
  ["reviewer", "Review pull request 1040", "works", "reviews"],
  ["reviewer", "Review pull request 1042", "stays", "reviews"],
  ["reviewer", "Review pull request 1043", "stays", "reviews"],
  ["researcher", "Compare three vector indexes on our corpus", "stays", "research"],
  ["deployer", "Roll out 4.1.9 to the staging ring", "asks", "deploys"],
  ["researcher", "Rebuild the index on rented machines", "asks", "research"],
  ["release-notes", "Announce 4.2.0 on the mailing list", "asks", "docs"],
];

const waiting: readonly (readonly [string, string, string])[] = [
  ["translator", "Translate the handbook into German", "docs"],
  ["translator", "Translate the handbook into Polish", "docs"],
  ["night-watch", "Sweep branches without a commit for 90 days", "nightly"],
  ["night-watch", "Renew the certificates of the lab", "nightly"],
  ...["invoices", "contracts", "tickets", "minutes", "releases", "photos"].map(
    (what, n) => ["archivist", `Archive the ${what} of ${2020 + (n % 4)}`, "archive"] as const,
  ),
];

export async function makeShowcase(client: Signalbox): Promise<Showcase> {
  await limits(client);
  let letGo = (): void => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  const workers = Object.entries(hosts).map(([agent, host]) => {
    const options = { agents: [agent], runtime: `${agent}@${host}`, concurrency: 4, host };
    const one = new Worker(client, { ...options, signals: false, onError: () => {} });
    one.handle((attempt: Attempt) => work(attempt, held));
    return one;
  });
  await Promise.all(workers.map((one) => one.start()));
  await client.agents.register("night-watch", { description: "looks after what nobody owns" });
  await client.agents.pause("night-watch", { reason: "its prompt is being rewritten" });
  const ids: { [title: string]: string } = {};
  for (const [agent, title, does, queue] of plan) {
    const { id } = await client.runs.submit({
      agent,
      queue,
      metadata: { title },
      tags: ["afternoon", queue],
      input: { does, repository: "harbour/ferry", branch: "release/4.2" },
      max_attempts: 2,
      backoff: { base_ms: 200, jitter: 0 },
    });
    ids[title] = id;
    if (does === "works" || does === "fails") await client.runs.wait(id, { timeoutMs: 30_000 });
  }
  for (const [agent, title, queue] of waiting) {
    const { id } = await client.runs.submit({ agent, queue, metadata: { title }, priority: "low" });
    ids[title] = id;
  }
  await client.queues.pause("archive", { reason: "the storage moves to another rack" });
  const of = (title: string): string => ids[title] ?? "";
  const live = of("Review pull request 1042");
  await until(client, live, ({ last_seq: seq }) => Number(seq) >= 28);
  const asking = of("Roll out 4.1.9 to the staging ring");
  for (const title of questions.keys()) {
    await until(client, of(title), ({ state }) => state === "waiting_approval");
  }
  const [letters] = (await client.deadLetters.list()).items;
  const end = async (): Promise<void> => {
    letGo();
    await Promise.all(workers.map((one) => one.stop({ drainMs: 0 })));
  };
  return {
    ids: {
      live,
      failed: of("Rebase release/4.2 onto main"),
      completed: of("Fix the flaky upload test"),
      pending: of("Translate the handbook into German"),
      asking,
      group: letters?.fingerprint ?? "",
    },
    end,
  };
}

async function work(attempt: Attempt, held: Promise<void>): Promise<JsonObject> {
  const { does } = attempt.run.input as { does: Does };
  const title = attempt.run.metadata["title"] as string;
  await talk(attempt);
  if (does === "stays") await held;
  if (does === "fails" && title.startsWith("Mirror")) {
    throw new Error(`the store answered 503 to attachment ${attempt.run.last_seq} after 30 s`);
  }
  if (does === "fails") {
    await attempt.log("CONFLICT (content): Merge conflict in src/upload/chunks.ts");
    throw new Error(
      "the branch has conflicts in 3 files: src/upload/chunks.ts, src/api.ts, go.sum",
    );
  }
  const question = questions.get(title);
  if (question !== undefined) await attempt.approval(question);
  return { changed: ["src/upload/chunks.ts", "test/upload.test.ts"], tests: { passed: 412 } };
}

type Question = Parameters<Attempt["approval"]>[0];

/** By the title of the run that asks. */
const questions = new Map<string, Question>(
  Object.entries({
    "Roll out 4.1.9 to the staging ring": {
      title: "Roll out 4.1.9 to the staging ring?",
      action: "deploy",
      arguments: { ring: "staging", version: "4.1.9", canary_percent: 10, migrate: true },
      risk: "high",
    },
    "Rebuild the index on rented machines": {
      title: "Rent 4 machines for 6 hours ($61)?",
      action: "machines.rent",
      arguments: { kind: "gpu-large", count: 4, hours: 6, region: "eu-north" },
      risk: "medium",
    },
    "Announce 4.2.0 on the mailing list": {
      title: "Send the announcement to 1,204 people?",
      action: "mail.send",
      arguments: { list: "announce", subject: "Ferry 4.2.0", attachments: ["notes-4.2.0.md"] },
      risk: "low",
    },
  }),
);

const steps: readonly (readonly [string, JsonObject, string])[] = [
  ["list_files", { glob: "src/upload/**" }, "23 files"],
  ["read_file", { path: "src/upload/chunks.ts" }, "318 lines"],
  ["read_file", { path: "test/upload.test.ts" }, "142 lines"],
  ["run_tests", { filter: "upload" }, "39 passed, 1 failed"],
  ["edit_file", { path: "src/upload/chunks.ts", lines: "201-214" }, "14 lines changed"],
  ["run_tests", { filter: "upload" }, "40 passed"],
];

async function talk(attempt: Attempt): Promise<void> {
  await attempt.log("cloned harbour/ferry at release/4.2 (depth 50)");
  for (const text of ["The test fails only when ", "two chunks end in the same ", "tick."]) {
    await attempt.emit("message.delta", { text });
  }
  for (const [n, [name, args, result]] of steps.entries()) {
    const id = `call_${n + 1}`;
    await attempt.emit("tool.call.started", { id, name, arguments: args });
    await attempt.emit("tool.call.completed", { id, name, result });
    await attempt.log(`${name}: ${result}`);
  }
  await attempt.emit("log.line", {
    stream: "stderr",
    text: "warning: retrying npm fetch (1 of 3) after ECONNRESET",
  });
  await attempt.emit("message.completed", {
    text: "Both chunks took the same slot. I give each its own and add a test for it.",
  });
  const [input, output] = [41_000 + (Number(attempt.run.last_seq) % 9) * 811, 3_904];
  await attempt.usage({ model: "opus-5", input_tokens: input, output_tokens: output, steps: 6 });
  await attempt.usage({ model: "opus-5", cost_micros: input * 7 + output * 31 });
  await attempt.usage({
    model: "haiku-5",
    input_tokens: 9_120,
    output_tokens: 410,
    cost_micros: 11_700,
  });
}

async function limits(client: Signalbox): Promise<void> {
  const accounts = { translator: "anthropic/max-1", reviewer: "openai/team", fixer: "openai/team" };
  for (const [agent, account] of Object.entries(accounts)) {
    await client.agents.register(agent, { max_concurrent: 4, accounts: [account] });
  }
  await client.accounts.register("anthropic/max-1", { provider: "anthropic" });
  await client.accounts.register("openai/team", { provider: "openai" });
  await client.accounts.exhausted("anthropic/max-1", {
    message: "You've hit your usage limit. Your limit resets in 4 hours.",
    reason: "quota",
    recovery_in_ms: 4 * 3_600_000,
  });
  const day = { window: "day", mode: "hard" } as const;
  const cost = { metric: "cost_micros", ...day } as const;
  await client.allowances.create({ scope: "project", limit: 12_000_000, ...cost });
  await client.allowances.create({ scope: "agent", name: "fixer", limit: 2_000_000, ...cost });
  await client.allowances.create({
    scope: "agent",
    name: "reviewer",
    metric: "tokens",
    limit: 250_000,
    default_reserve: 10_000,
    ...day,
  });
}
