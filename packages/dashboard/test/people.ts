// What people are asked and what waits for them: agents that ask before they act, and runs that
// failed for good in several ways.
// Promises: made through the SDK alone; every question waits until a test answers it; `end` lets
// go.
// Leaves to others: the server (`stage.ts`), the rest of the fleet (`fleet.ts`).

import type { Approval, ApprovalAsk, Signalbox } from "@signalbox/sdk";
import { Worker } from "@signalbox/sdk/worker";

export type People = {
  /** Asks one more question, as its own run of an agent. */
  readonly ask: (agent: string, question: Partial<ApprovalAsk>) => Promise<Approval>;
  /** A run that fails for good with this message. */
  readonly fail: (agent: string, message: string, more?: object) => Promise<string>;
  readonly end: () => Promise<void>;
};

type Input = { readonly question?: ApprovalAsk; readonly message?: string };

/** Agents of these names, and nothing asked yet. */
export async function openPeople(client: Signalbox, agents: readonly string[]): Promise<People> {
  const options = { runtime: "people@host-2", concurrency: 50, signals: false } as const;
  const worker = new Worker(client, { ...options, agents: [...agents], onError: () => {} });
  worker.handle(async (attempt) => {
    const { question, message } = attempt.run.input as unknown as Input;
    if (message !== undefined) throw new Error(message);
    if (question === undefined) return null;
    const answer = await attempt.approval(question);
    return answer.approved ? answer.execute((done) => ({ done })) : null;
  });
  await worker.start();
  const ask: People["ask"] = async (agent, given) => {
    const question = { title: "Merge it?", action: "merge", expires_in_s: 3_600, ...given };
    const metadata = { title: `Work on: ${question.title}`.slice(0, 100) };
    const { id } = await client.runs.submit({ agent, metadata, input: { question } });
    return waitingOf(client, id);
  };
  const fail: People["fail"] = async (agent, message, more = {}) => {
    const run = await client.runs.submit({ agent, input: { message }, max_attempts: 1, ...more });
    await client.runs.wait(run.id, { timeoutMs: 30_000 });
    return run.id;
  };
  return { ask, fail, end: () => worker.stop({ drainMs: 0 }) };
}

/** The question a run waits for, once it is asked. */
async function waitingOf(client: Signalbox, id: string): Promise<Approval> {
  const end = performance.now() + 30_000;
  for (;;) {
    const { items } = await client.approvals.list({ run_id: id, status: "pending" });
    if (items[0] !== undefined) return items[0];
    if (performance.now() > end) throw new Error("nothing was asked");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const statement = `begin;
update orders set status = 'archived'
 where status = 'closed' and closed_at < now() - interval '2 years';
commit;`;

const letter = `Hello {{first_name}},

your plan renews on 1 December. Nothing changes for you.

Questions? Just answer to this mail.`;

/** Questions as real agents ask them. */
const questions: readonly (readonly [string, ApprovalAsk])[] = [
  [
    "deployer",
    {
      title: "Deploy billing 4.12.0 to production",
      action: "deploy.release",
      risk: "high",
      arguments: {
        service: "billing",
        version: "4.12.0",
        environment: "production",
        strategy: { kind: "canary", steps: [5, 25, 100], pause_min: 10, abort_on_error_rate: 0.02 },
        migrations: ["0042_invoice_index", "0043_drop_legacy_tax"],
        feature_flags: { new_checkout: true, legacy_tax: false },
        notify: ["#billing", "#on-call"],
      },
    },
  ],
  [
    "db-keeper",
    {
      title: "Archive closed orders older than two years",
      action: "sql.execute",
      risk: "high",
      mode: "suspend",
      on_expiry: "reject",
      arguments: { database: "orders-primary", statement, dry_run: false, expected_rows: 184_220 },
    },
  ],
  [
    "mailer",
    {
      title: "Send 1,284 renewal notices",
      action: "email.send_bulk",
      arguments: {
        from: "billing@shop.example",
        segment: { plan: "pro", renews_before: "2026-12-01", count: 1_284 },
        subject: "Your plan renews on 1 December",
        body: letter,
      },
    },
  ],
  [
    "reviewer-2",
    {
      title: "Merge pull request 1042: retry uploads that time out",
      action: "github.merge_pull_request",
      risk: "low",
      expires_in_s: 240,
      on_expiry: "approve",
      arguments: { repository: "shop/web", pr: 1_042, method: "squash", delete_branch: true },
    },
  ],
  [
    "host-keeper",
    {
      title: "Free disk space on build-3",
      action: "shell.exec",
      risk: "medium",
      arguments: {
        host: "build-3",
        command: "docker system prune --all --force --filter until=240h",
        cwd: "/var/lib/docker",
        env: { DOCKER_HOST: "unix:///var/run/docker.sock" },
        timeout_s: 600,
      },
    },
  ],
];

/** How runs fail for good: agent, message, queue, how often. */
const failures: readonly (readonly [string, (n: number) => string, string, number])[] = [
  ["deployer", (n) => `connect ETIMEDOUT 10.0.3.${n}:5432 after ${30_000 + n} ms`, "deploy", 6],
  ["mailer", (n) => `550 5.1.1 <customer-${n}@shop.example>: user unknown`, "mail", 4],
  [
    "reviewer-2",
    (n) => `the branch has conflicts in ${n + 2} files: src/api.ts, src/live.ts`,
    "default",
    2,
  ],
  ["db-keeper", () => "permission denied for table invoices", "nightly", 1],
];

/** A room full of questions, some answered, and dead letters of several kinds. */
export async function makePeople(client: Signalbox): Promise<People> {
  const people = await openPeople(client, [...new Set(questions.map(([agent]) => agent))]);
  const { ask, fail } = people;
  const pr = (n: number) => ({ repository: "shop/web", pr: n, method: "squash" });
  const merge = { action: "github.merge_pull_request", risk: "low" } as const;
  const first = await ask("reviewer-2", { ...merge, title: "Merge 1038", arguments: pr(1_038) });
  await client.approvals.approve(first.id, { comment: "checks are green" });
  const second = await ask("reviewer-2", { ...merge, title: "Merge 1039", arguments: pr(1_039) });
  await client.approvals.approve(second.id, { arguments: { ...pr(1_039), method: "rebase" } });
  const third = await ask("deployer", { title: "Deploy web 9.1.0", action: "deploy.release" });
  await client.approvals.reject(third.id, { comment: "not on a Friday" });
  for (const [agent, question] of questions) await ask(agent, question);
  for (const [agent, message, queue, count] of failures) {
    for (let n = 1; n <= count; n += 1) {
      const metadata = { title: `${agent} run ${n}` };
      await fail(agent, message(n), { queue, metadata });
    }
  }
  return people;
}
