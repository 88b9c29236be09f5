// Usage and cost: what may be consumed and how much of it is, then who consumed what.
// Promises: reserved stands next to spent; without an allowance it says that nothing is limited;
// sums are made here from the server's rows by agent, account, model and day.
// Leaves to others: the chart (`cost-chart.tsx`), the file (`export.tsx`).

import { NativeSelect } from "@mantine/core";
import type { Usage, UsageRow } from "@signalbox/sdk";
import { lazy, Suspense, useState } from "react";
import { useAllowances, useAsked } from "../../api.ts";
import { Page, Section } from "../../parts/page.tsx";
import { Plain } from "../../parts/plain.tsx";
import { Empty, Show, Waiting } from "../../parts/quiet.tsx";
import { moneyText, numberText } from "../../parts/states.ts";
import { Table } from "../../parts/table.tsx";
import { UsageBar } from "../../parts/usage-bar.tsx";
import { Export } from "./export.tsx";

const CostChart = lazy(() =>
  import("./cost-chart.tsx").then(({ CostChart: of }) => ({ default: of })),
);

type By = "agent" | "model" | "account" | "day";
const DAY_MS = 86_400_000;

export function UsagePage() {
  const [days, setDays] = useState(7);
  const usage = useAsked({
    of: ["usage", days],
    ask: (client) =>
      client.usage.list({ from: new Date(Date.now() - days * DAY_MS).toISOString() }),
  });
  return (
    <Page
      title="Usage and cost"
      actions={
        <NativeSelect
          size="xs"
          aria-label="Span"
          value={String(days)}
          data={[1, 7, 30].map((n) => ({
            value: String(n),
            label: n === 1 ? "Last day" : `Last ${n} days`,
          }))}
          onChange={(event) => setDays(Number(event.currentTarget.value))}
        />
      }
    >
      <Allowances />
      <Show asked={usage} rows={6}>
        {(rows) => (rows.length === 0 ? <NoUsage /> : <Consumed rows={rows} />)}
      </Show>
    </Page>
  );
}

function NoUsage() {
  return (
    <Empty
      title="Nothing was consumed in this time"
      command={"signalbox run -- claude -p 'summarise README.md' --output-format stream-json"}
    >
      Usage is read from agents that report it, or sent by a worker of your own.
    </Empty>
  );
}

function Allowances() {
  const asked = useAllowances();
  return (
    <Section title="Allowances" note="spent and, hatched, reserved by runs under way">
      <Show asked={asked} rows={2} height={64}>
        {(allowances) =>
          allowances.length === 0 ? (
            <Empty
              title="Nothing is limited"
              command="signalbox allowances create cost_micros 5usd --agent reviewer --window day"
            />
          ) : (
            <ul className="sb-board">
              {allowances.map((allowance) => (
                <li key={allowance.id} className="sb-card">
                  <h3 className="sb-clip">
                    {allowance.scope} <Plain text={allowance.name ?? ""} />
                  </h3>
                  <UsageBar allowance={allowance} />
                </li>
              ))}
            </ul>
          )
        }
      </Show>
    </Section>
  );
}

type Sum = Usage & { name: string; attempts: number };

/** Σ by one of the dimensions, the dearest first. */
function sumsBy(by: By, rows: readonly UsageRow[]): Sum[] {
  const sums = new Map<string, Sum>();
  for (const row of rows) {
    const name = row[by]?.slice(0, by === "day" ? 10 : undefined) ?? "–";
    const sum = sums.get(name) ?? { name, attempts: 0 };
    sum.attempts += row.attempts;
    for (const [key, n] of Object.entries(row.usage) as [keyof Usage, number][]) {
      sum[key] = (sum[key] ?? 0) + n;
    }
    sums.set(name, sum);
  }
  return [...sums.values()].toSorted((a, b) =>
    by === "day" ? b.name.localeCompare(a.name) : (b.cost_micros ?? 0) - (a.cost_micros ?? 0),
  );
}

const figure = (n: number | undefined): string => (n === undefined ? "–" : numberText(n));

function Consumed({ rows }: { readonly rows: readonly UsageRow[] }) {
  const [by, setBy] = useState<By>("agent");
  const sums = sumsBy(by, rows);
  const total = rows.reduce((sum, { usage }) => sum + (usage.cost_micros ?? 0), 0);
  const daily = sumsBy("day", rows).toReversed();
  return (
    <>
      <Section title="Cost per day" note={`${moneyText(total)} in all`}>
        <Suspense fallback={<Waiting rows={1} height={180} />}>
          <CostChart days={daily.map((sum) => [sum.name, sum.cost_micros ?? 0])} />
        </Suspense>
      </Section>
      <Section
        title="Consumed"
        note={
          <span className="sb-row">
            <NativeSelect
              size="xs"
              aria-label="Consumed by"
              value={by}
              data={["agent", "model", "account", "day"].map((value) => ({
                value,
                label: `by ${value}`,
              }))}
              onChange={(event) => setBy(event.currentTarget.value as By)}
            />
            <Export rows={rows} />
          </span>
        }
      >
        <Table
          name={`Consumed by ${by}`}
          heads={[by, "Attempts", "Input", "Output", "Cache read", "Reasoning", "Steps", "Cost"]}
          figures={[1, 2, 3, 4, 5, 6, 7]}
          rows={sums.map((sum) => ({
            key: sum.name,
            cells: [
              <Plain key="name" text={sum.name} />,
              figure(sum.attempts),
              figure(sum.input_tokens),
              figure(sum.output_tokens),
              figure(sum.cache_read_input_tokens),
              figure(sum.reasoning_output_tokens),
              figure(sum.steps),
              sum.cost_micros === undefined ? "–" : moneyText(sum.cost_micros),
            ],
          }))}
        />
      </Section>
    </>
  );
}
