// The fields above the audit trail: who, what, to which run, when, and whose trail.
// Promises: a field is applied when typing pauses or ends; Escape empties it; what is typed as an
// instant is this browser's time and stands in the address as UTC.
// Leaves to others: the address (`filter.ts`), exporting (`export.tsx`).

import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useState } from "react";
import { FilterField } from "../../parts/filter-field.tsx";
import { useMay } from "../../session.ts";
import { spans, useChosen } from "./filter.ts";

/** Deeds to choose from; any other type can be typed. */
const deeds = [
  "access.denied",
  "account.recovered",
  "agent.paused",
  "agent.registered",
  "agent.resumed",
  "allowance.changed",
  "allowance.created",
  "allowance.removed",
  "approval.approved",
  "approval.rejected",
  "key.created",
  "key.revoked",
  "key.rotated",
  "project.changed",
  "project.resumed",
  "project.stopped",
  "queue.paused",
  "queue.resumed",
  "run.cancel_requested",
  "run.cancelled",
  "run.discarded",
  "run.redriven",
  "runtime.draining",
  "session.ended",
  "session.opened",
  "slot.skipped",
  "webhook.changed",
  "webhook.created",
  "webhook.disabled",
  "webhook.enabled",
  "webhook.removed",
  "webhook.rotated",
];

export function FilterBar() {
  const { chosen, choose } = useChosen();
  const isOwner = useMay("own");
  const between = chosen.from !== undefined || chosen.to !== undefined;
  const [isBetween, setBetween] = useState(between);
  const span = isBetween || between ? "between" : (chosen.since ?? "");
  return (
    <div className="sb-row" role="group" aria-label="Filter">
      {isOwner ? (
        <NativeSelect
          size="xs"
          aria-label="Whose trail"
          value={chosen.of ?? ""}
          data={[
            { value: "", label: "This project" },
            { value: "installation", label: "The installation" },
          ]}
          onChange={(event) => choose({ of: event.currentTarget.value })}
        />
      ) : null}
      <TextField field="actor" label="Who" hint="Who: key:… or session:…" />
      <TextField field="type" label="What" hint="What: queue.paused" options={deeds} />
      <TextField field="run" label="Run" hint="Run: run_…" />
      <NativeSelect
        size="xs"
        aria-label="When"
        value={span}
        data={[
          { value: "", label: "Any time" },
          ...Object.keys(spans).map((value) => ({ value, label: `last ${value}` })),
          { value: "between", label: "Between …" },
        ]}
        onChange={({ currentTarget: { value } }) => {
          setBetween(value === "between");
          const since = value === "between" ? undefined : value;
          choose({ since, from: undefined, to: undefined });
        }}
      />
      {span === "between" ? (
        <>
          <InstantField field="from" label="From" />
          <InstantField field="to" label="To" />
        </>
      ) : null}
      <Button
        size="xs"
        variant="default"
        disabled={Object.keys(chosen).length === 0}
        onClick={() => {
          setBetween(false);
          const none = { actor: undefined, type: undefined, run: undefined, of: undefined };
          choose({ ...none, since: undefined, from: undefined, to: undefined });
        }}
      >
        Clear
      </Button>
    </div>
  );
}

type TextFieldProps = {
  readonly field: "actor" | "type" | "run";
  readonly label: string;
  readonly hint: string;
  readonly options?: readonly string[];
};

function TextField({ field, ...words }: TextFieldProps) {
  const { chosen, choose } = useChosen();
  return (
    <FilterField
      {...words}
      isWide
      isFirst={field === "actor"}
      value={chosen[field] ?? ""}
      set={(value) => choose({ [field]: value === "" ? undefined : value })}
    />
  );
}

/** `2026-11-21T15:46` of this browser's time zone, as such a field wants it. */
function localText(at: string | undefined): string {
  if (at === undefined || Number.isNaN(Date.parse(at))) return "";
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function InstantField({ field, label }: { readonly field: "from" | "to"; readonly label: string }) {
  const { chosen, choose } = useChosen();
  return (
    <TextInput
      size="xs"
      type="datetime-local"
      aria-label={label}
      value={localText(chosen[field])}
      onChange={({ currentTarget: { value } }) =>
        choose({ [field]: value === "" ? undefined : new Date(value).toISOString() })
      }
    />
  );
}
