// The bar above the list of runs: how many are in which state, and the fields to filter by.
// Promises: a state's count is a button that shows those runs; a field is applied when typing
// pauses, and can be emptied with one key (Escape).
// Leaves to others: the address (`filter.ts`), the list.

import { Button, NativeSelect } from "@mantine/core";
import { useRunCounts } from "./run-counts.ts";
import { FilterField } from "../../parts/filter-field.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { runLooks, runStates } from "../../parts/states.ts";
import { fields, spans } from "./filter.ts";
import type { Chosen, Field } from "./filter.ts";

type BarProps = { readonly chosen: Chosen; readonly choose: (change: Partial<Chosen>) => void };

const words: Readonly<Record<Field, string>> = {
  agent: "Agent",
  runtime: "Runtime",
  queue: "Queue",
  tag: "Tag",
  error_code: "Error code",
  text: "Run id",
};

export function FilterBar({ chosen, choose }: BarProps) {
  const isEmpty = Object.keys(chosen).length === 0;
  return (
    <div className="sb-filters">
      <StateCounts chosen={chosen} choose={choose} />
      <div className="sb-row">
        {fields.map((field) => (
          <FilterField
            key={field}
            label={words[field]}
            isFirst={field === "text"}
            value={chosen[field] ?? ""}
            set={(value) => choose({ [field]: value })}
          />
        ))}
        <NativeSelect
          size="xs"
          aria-label="Created"
          value={chosen.since ?? ""}
          data={[
            { value: "", label: "Created: any time" },
            ...Object.keys(spans).map((span) => ({ value: span, label: `last ${span}` })),
          ]}
          onChange={(event) => choose({ since: event.currentTarget.value })}
        />
        <Button
          size="xs"
          variant="default"
          disabled={isEmpty}
          onClick={() => {
            const none = [...fields, "since", "state"].map((name) => [name, undefined]);
            choose(Object.fromEntries(none) as Partial<Chosen>);
          }}
        >
          Clear
        </Button>
      </div>
    </div>
  );
}

function StateCounts({ chosen, choose }: BarProps) {
  const { data: counts } = useRunCounts();
  return (
    <div className="sb-row" role="group" aria-label="Runs by state">
      {runStates.map((state) => {
        const count = counts?.[state];
        return (
          <button
            key={state}
            type="button"
            className="sb-chip"
            aria-pressed={chosen.state === state}
            onClick={() => choose({ state: chosen.state === state ? undefined : state } as Chosen)}
          >
            <StateBadge look={runLooks[state]} note={count === undefined ? "–" : count} />
          </button>
        );
      })}
    </div>
  );
}
