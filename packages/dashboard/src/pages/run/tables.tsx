// The tables of a run: usage by model, children, its documents, its commands.
// Promises: figures stand under figures; unknown is a dash, never zero; agents' text is text.
// Leaves to others: the log, the timeline, attempts, events.

import type { Json, Run, Usage, UsageRow } from "@signalbox/sdk";
import { useAsked } from "../../api.ts";
import { Copyable, CopyButton } from "../../parts/copyable.tsx";
import { RunLink } from "../../parts/go.tsx";
import { Plain, plain, runTitle } from "../../parts/plain.tsx";
import { Empty, Show } from "../../parts/quiet.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { moneyText, numberText, runLooks } from "../../parts/states.ts";
import { Table } from "../../parts/table.tsx";
import { Took, When } from "../../parts/when.tsx";
import { equivalents } from "./commands.ts";

const dash = "–";
const figure = (n: number | undefined): string => (n === undefined ? dash : numberText(n));
const money = (n: number | undefined): string => (n === undefined ? dash : moneyText(n));

/** What the register has of it, by model: late reports and those of children included. */
export function UsageByModel({ run }: { readonly run: Run }) {
  const asked = useAsked({
    of: ["run", run.id, "usage"],
    ask: (client) => client.usage.list({ run: run.id }),
  });
  return (
    <Show asked={asked} rows={3}>
      {(reports) => <ModelTable rows={[["all", run.usage], ...byModel(reports)]} />}
    </Show>
  );
}

/** Sums over days, agents and accounts. */
function byModel(reports: readonly UsageRow[]): [string, Usage][] {
  const models = new Map<string, Usage>();
  for (const { model, usage } of reports) {
    const name = model ?? "no model named";
    const sum = { ...models.get(name) };
    for (const [counter, n] of Object.entries(usage) as [keyof Usage, number][]) {
      sum[counter] = (sum[counter] ?? 0) + n;
    }
    models.set(name, sum);
  }
  return [...models];
}

function ModelTable({ rows }: { readonly rows: readonly (readonly [string, Usage])[] }) {
  return (
    <Table
      name="Usage by model"
      heads={["Model", "Input", "Output", "Cache read", "Reasoning", "Steps", "Cost"]}
      figures={[1, 2, 3, 4, 5, 6]}
      rows={rows.map(([model, usage]) => ({
        key: model,
        cells: [
          <Plain key="model" text={model} />,
          figure(usage.input_tokens),
          figure(usage.output_tokens),
          figure(usage.cache_read_input_tokens),
          figure(usage.reasoning_output_tokens),
          figure(usage.steps),
          money(usage.cost_micros),
        ],
      }))}
    />
  );
}

export function Children({ id }: { readonly id: string }) {
  const asked = useAsked({
    of: ["run", id, "children"],
    ask: async (client) => (await client.runs.children(id, { limit: 100 })).items,
  });
  return (
    <Show asked={asked} rows={3}>
      {(children) =>
        children.length === 0 ? (
          <Empty title="It has submitted no runs" />
        ) : (
          <Table
            name="Children"
            heads={["State", "Run", "Agent", "Created", "Took"]}
            figures={[4]}
            rows={children.map((child) => ({
              key: child.id,
              cells: [
                <StateBadge key="state" look={runLooks[child.state]} />,
                <RunLink key="run" id={child.id} title={runTitle(child)} />,
                child.agent === null ? dash : <Plain key="agent" text={child.agent} />,
                <When key="created" at={child.created_at} />,
                <Took key="took" from={child.started_at} to={child.finished_at} />,
              ],
            }))}
          />
        )
      }
    </Show>
  );
}

/** Characters of a document that are drawn; copying takes it whole. */
const MOST = 64 * 1024;

export function Document({ value, name }: { readonly value: Json; readonly name: string }) {
  const text = JSON.stringify(value, null, 2) ?? "null";
  return (
    <div className="sb-document">
      <pre tabIndex={0} aria-label={name}>
        {plain(text.slice(0, MOST))}
        {text.length > MOST ? `\n… ${text.length - MOST} more characters` : ""}
      </pre>
      <CopyButton text={text} what={name} />
    </div>
  );
}

export function Commands({ id }: { readonly id: string }) {
  return (
    <div className="sb-stack">
      <p className="sb-dim">
        The commands find the server and a key by themselves on its machine; elsewhere set
        SIGNALBOX_URL and SIGNALBOX_KEY.
      </p>
      {equivalents(id, window.location.origin).map(({ what, cli, curl }) => (
        <div key={what} className="sb-stack-s">
          <h3>{what}</h3>
          <Copyable text={cli} what={`${what}: command`} />
          <Copyable text={curl} what={`${what}: curl`} />
        </div>
      ))}
    </div>
  );
}
