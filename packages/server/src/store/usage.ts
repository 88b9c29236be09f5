// Usage: measured consumption, append-only, one row per report of an attempt.
// Promises: one row per (attempt, producer_seq) (I-18); what may be stored already is stored once.
// Leaves to others: what it is charged to (reservations.ts), the amounts (`domain/allowance`).

import { MOST } from "../domain/allowance/amounts.ts";
import type { UsageRecord } from "../domain/command.ts";
import type { Column } from "./batch.ts";
import { arraysOf, batch, instantText, namesOf, valuesOf } from "./batch.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";
import type { AttemptRef } from "./reservations.ts";

export type UsageWrite = AttemptRef &
  UsageRecord & {
    readonly projectId: string;
    readonly at: number;
    readonly late: boolean;
    readonly agent: string | null;
    readonly account: string | null;
    readonly model: string | null;
  };

const used: readonly Column<UsageWrite>[] = [
  { name: "run_id", type: "uuid", of: (one) => one.runId },
  { name: "number", type: "integer", of: (one) => one.number },
  { name: "producer_seq", type: "bigint", of: (one) => one.producerSeq },
  { name: "project_id", type: "uuid", of: (one) => one.projectId },
  { name: "at", type: "timestamptz", of: (one) => instantText(one.at) },
  { name: "late", type: "boolean", of: (one) => one.late },
  { name: "agent", type: "text", of: (one) => one.agent },
  { name: "account", type: "text", of: (one) => one.account },
  { name: "model", type: "text", of: (one) => one.model },
  { name: "input_tokens", type: "bigint", of: ({ usage }) => usage.inputTokens },
  { name: "output_tokens", type: "bigint", of: ({ usage }) => usage.outputTokens },
  {
    name: "cache_read_input_tokens",
    type: "bigint",
    of: ({ usage }) => usage.cacheReadInputTokens,
  },
  {
    name: "reasoning_output_tokens",
    type: "bigint",
    of: ({ usage }) => usage.reasoningOutputTokens,
  },
  { name: "cost_micros", type: "bigint", of: ({ usage }) => usage.costMicros },
  { name: "steps", type: "bigint", of: ({ usage }) => usage.steps },
];
/** The database says when: nobody has read its clock yet. */
const usedNow = used.filter(({ name }) => name !== "at");
const insertUsed = statement(
  "insert_usage",
  `insert into signalbox.usage (${namesOf(used)}) select ${valuesOf(used)} from ${batch(used)}`,
);
/** Filed under the model that its run asks for, if it names none. */
const valueNow = ({ name }: Column<UsageWrite>): string =>
  name === "model" ? "coalesce(n.model, l.model)" : `n.${name}`;
const insertOnce = statement(
  "record_usage",
  `insert into signalbox.usage (at, ${namesOf(usedNow)})
   select statement_timestamp(), ${usedNow.map(valueNow).join(", ")} from ${batch(usedNow)}
   left join lateral (select r.lane_id from signalbox.run r where n.model is null
     and r.id = n.run_id limit 1) r on true
   left join lateral (select l.model from signalbox.lane l where l.id = r.lane_id limit 1) l on true
   order by n.run_id, n.number, n.producer_seq
   on conflict do nothing returning run_id, number, producer_seq`,
);

/** Stores usage that is new for sure: its number lies above all of its attempt. */
export async function insertUsage(runner: Runner, rows: readonly UsageWrite[]): Promise<void> {
  await runner.query(insertUsed, arraysOf(used, rows));
}

/** Stores usage that may be stored already; returns names (`run/number/producer_seq`) of new. */
export async function recordUsage(
  runner: Runner,
  rows: readonly Omit<UsageWrite, "at">[],
): Promise<Set<string>> {
  const stored = await runner.query<{ run_id: string; number: number; producer_seq: number }>(
    insertOnce,
    arraysOf(usedNow, rows as readonly UsageWrite[]),
  );
  return new Set(stored.map((row) => `${row.run_id}/${row.number}/${row.producer_seq}`));
}

/** A sum that stops at the largest amount; of what nobody reported it is null. */
const total = (counter: string): string =>
  `(case when sum(u.${counter}) > ${MOST} then ${MOST} else sum(u.${counter}) end)::bigint
     as ${counter}`;
const sums = `select u.agent, u.account, u.model,
     to_char(u.at at time zone 'UTC', 'YYYY-MM-DD') as day,
     count(distinct (u.run_id, u.number))::integer as attempts,
     ${total("input_tokens")}, ${total("output_tokens")}, ${total("cache_read_input_tokens")},
     ${total("reasoning_output_tokens")}, ${total("cost_micros")}, ${total("steps")}
   from signalbox.usage u where u.project_id = $1 and u.at >= $2 and u.at < $3
     and ($4::text is null or u.agent = $4) and ($5::text is null or u.account = $5)`;
const grouped = `group by u.agent, u.account, u.model, day
   order by day desc, u.agent, u.account, u.model limit 5000`;
const summed = statement("sum_usage", `${sums}\n   ${grouped}`);
const summedOfRun = statement("sum_usage_of_run", `${sums} and u.run_id = $6\n   ${grouped}`);

export type UsageSum = {
  agent: string | null;
  account: string | null;
  model: string | null;
  day: string;
  attempts: number;
  input_tokens: number | null;
  output_tokens: number | null;
  cache_read_input_tokens: number | null;
  reasoning_output_tokens: number | null;
  cost_micros: number | null;
  steps: number | null;
};

type UsageRange = {
  readonly from: number;
  readonly to: number;
  readonly agent: string | null;
  readonly account: string | null;
  readonly run: string | null;
};

/** Consumption by agent, account, model and day between two instants. */
export async function sumUsage(
  runner: Runner,
  projectId: string,
  { from, to, agent, account, run }: UsageRange,
): Promise<UsageSum[]> {
  const values = [projectId, instantText(from), instantText(to), agent, account];
  return run === null
    ? runner.query<UsageSum>(summed, values)
    : runner.query<UsageSum>(summedOfRun, [...values, run]);
}
