// The bar above the list of runs: how many are in which state, and the fields to filter by.
// Promises: a state's count is a button that shows those runs; a field is applied when typing
// pauses, and can be emptied with one key (Escape).
// Leaves to others: the address (`filter.ts`), the list.

import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useState } from "react";
import { useRunCounts } from "./run-counts.ts";
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
          <FieldInput key={field} field={field} chosen={chosen} choose={choose} />
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

const TYPING_MS = 250;

function FieldInput({ field, chosen, choose }: BarProps & { readonly field: Field }) {
  const given = chosen[field] ?? "";
  const [typed, setTyped] = useState(given);
  const [from, setFrom] = useState(given);
  // The address changed by other means (Back, Clear): it wins.
  if (from !== given) {
    setFrom(given);
    setTyped(given);
  }
  const apply = useDebouncedCallback((value: string) => choose({ [field]: value }), TYPING_MS);
  return (
    <TextInput
      size="xs"
      className="sb-field"
      aria-label={words[field]}
      placeholder={words[field]}
      value={typed}
      {...(field === "text" ? { "data-search": true } : {})}
      onKeyDown={(event) => {
        if (event.key === "Escape") choose({ [field]: "" });
      }}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        apply(event.currentTarget.value);
      }}
    />
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
