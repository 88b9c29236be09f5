// The tables of a run: attempts, usage by model, children, events as they are, its documents.
// Promises: figures stand under figures; unknown is a dash, never zero; agents' text is text.
// Leaves to others: the log and the timeline.

import type { Attempt, Event, Json, Run, Usage } from "@signalbox/sdk";
import { useState } from "react";
import { useAsked } from "../../api.ts";
import { Copyable, CopyButton } from "../../parts/copyable.tsx";
import { RunLink } from "../../parts/go.tsx";
import { Plain, plain, runTitle } from "../../parts/plain.tsx";
import { Empty, Show } from "../../parts/quiet.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { attemptLooks, moneyText, numberText, runLooks } from "../../parts/states.ts";
import { Table } from "../../parts/table.tsx";
import { Took, When } from "../../parts/when.tsx";
import { equivalents } from "./commands.ts";

const dash = "–";
const figure = (n: number | undefined): string => (n === undefined ? dash : numberText(n));
const money = (n: number | undefined): string => (n === undefined ? dash : moneyText(n));

export function Attempts({ attempts }: { readonly attempts: readonly Attempt[] }) {
  if (attempts.length === 0) return <Empty title="Nobody has claimed it yet" />;
  return (
    <Table
      name="Attempts"
      heads={["#", "State", "Agent", "Runtime", "Claimed", "Took", "Exit", "Cost", "Ended because"]}
      figures={[0, 5, 6, 7]}
      rows={attempts.toReversed().map((one) => ({
        key: one.id,
        cells: [
          one.number,
          <StateBadge
            key="state"
            look={attemptLooks[one.state]}
            {...(!one.counted && { note: "free" })}
          />,
          one.agent === null ? dash : <Plain key="agent" text={one.agent} />,
          <Plain key="runtime" text={one.runtime} />,
          <When key="claimed" at={one.claimed_at} />,
          <Took key="took" from={one.claimed_at} to={one.ended_at} />,
          one.exit_code ?? one.signal ?? dash,
          money(one.usage.cost_micros),
          <Plain
            key="why"
            text={[one.cause, one.error?.message].filter(Boolean).join(": ") || dash}
          />,
        ],
      }))}
    />
  );
}

/** Σ of what events reported, by the model they named. */
export function UsageByModel({ run, events }: { run: Run; events: readonly Event[] }) {
  const byModel = new Map<string, Usage>();
  for (const { usage } of events) {
    if (usage === undefined || usage === null) continue;
    const { model = "no model named", ...rest } = usage;
    const sum = { ...byModel.get(model) };
    for (const [name, n] of Object.entries(rest) as [keyof Usage, number][]) {
      sum[name] = (sum[name] ?? 0) + n;
    }
    byModel.set(model, sum);
  }
  const rows = [["all", run.usage] as const, ...byModel];
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

/** Events shown at first, newest first. */
const FIRST = 100;

export function RawEvents({ events }: { readonly events: readonly Event[] }) {
  const [shown, show] = useState(FIRST);
  return (
    <div className="sb-stack">
      {events
        .slice(-shown)
        .toReversed()
        .map((event) => (
          <details key={event.seq} className="sb-raw">
            <summary>
              <code className="sb-num">{event.seq}</code> {plain(event.type)}{" "}
              <span className="sb-dim">
                <When at={event.at} /> · {event.source} · {plain(event.actor ?? "no actor")}
              </span>
            </summary>
            <Document value={event as unknown as Json} name={`event ${event.seq}`} />
          </details>
        ))}
      {events.length > shown ? (
        <button type="button" className="sb-more" onClick={() => show(shown + FIRST)}>
          {events.length - shown} older
        </button>
      ) : null}
    </div>
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
