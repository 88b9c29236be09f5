// Trying dead letters again: what is to be different, and go.
// Promises: what is left alone stays as it was in each run; another input is shown against the one
// that failed; what is no JSON cannot be sent.
// Leaves to others: counting, doing, how it went (`act-dialog.tsx`), the rules (server).

import { Checkbox, NativeSelect, Textarea, TextInput } from "@mantine/core";
import type { Json, RedriveChanges, Run } from "@signalbox/sdk";
import { useState } from "react";
import { useAgents, useAsked } from "../../api.ts";
import { useDraft } from "../../parts/draft.ts";
import { JsonChange } from "../../parts/json-change.tsx";
import { jsonText } from "../../parts/json-text.ts";
import { ActDialog } from "./act-dialog.tsx";
import { bodyOf, doneOne, oneOf } from "./which.ts";
import type { Act, Which } from "./which.ts";

type RedriveProps = { readonly which: Which; readonly close: () => void };

/** As typed; empty = as it was. */
type Fields = {
  readonly agent: string;
  readonly isAnyAgent: boolean;
  readonly model: string;
  readonly priority: string;
  readonly attempts: string;
};
const unchanged: Fields = { agent: "", isAnyAgent: false, model: "", priority: "", attempts: "" };

function changesOf(fields: Fields, input: Json | undefined): RedriveChanges {
  const { agent, isAnyAgent, model, priority, attempts } = fields;
  return {
    ...(input !== undefined && { input }),
    ...(isAnyAgent ? { agent: null } : agent.trim() && { agent: agent.trim() }),
    ...(model.trim() && { model: model.trim() }),
    ...(priority && { priority: Number(priority) }),
    ...(attempts && { max_attempts: Number(attempts) }),
  };
}

export function RedriveDialog({ which, close }: RedriveProps) {
  const one = oneOf(which);
  const { data: run } = useAsked({
    of: ["run", one ?? ""],
    ask: (client) => client.runs.get(one ?? ""),
    enabled: one !== null,
  });
  const [fields, setFields] = useState(unchanged);
  const [isInput, setIsInput] = useState(false);
  const first = run === undefined ? "{}" : jsonText(run.input);
  // Nothing typed stands for the input as it was, which may still be on its way.
  const draft = useDraft(`${one ?? "letters"}.input`, "");
  const text = draft.text === "" ? first : draft.text;
  const input = isInput ? inputFrom(text) : null;
  const act: Act = async (client, confirmed) => {
    const value = input !== null && "value" in input ? input.value : undefined;
    const changes = changesOf(fields, value);
    if (one === null) {
      const confirm = { ...bodyOf(which), confirm_count: confirmed };
      return client.deadLetters.redriveMany(confirm, changes);
    }
    const { run: made } = await client.deadLetters.redrive(one, changes);
    return doneOne(one, made.id);
  };
  return (
    <ActDialog
      which={which}
      verb="Redrive"
      past="redriven"
      says={
        "A new run is made of each, with the same input and settings but for what you change " +
        "here. The one that failed stays as it is and says what became of it."
      }
      isReady={input === null || "value" in input}
      act={act}
      close={close}
      finished={draft.forget}
    >
      <FieldInputs fields={fields} set={(change) => setFields({ ...fields, ...change })} />
      <Checkbox
        label={one === null ? "Another input, the same for all of them" : "Another input"}
        checked={isInput}
        disabled={one !== null && run === undefined}
        onChange={(event) => setIsInput(event.currentTarget.checked)}
      />
      {input === null ? null : (
        <InputText
          text={text}
          write={(typed) => draft.write(typed === "" ? " " : typed)}
          input={input}
          run={run}
        />
      )}
    </ActDialog>
  );
}

type InputFrom = { readonly value: Json } | { readonly wrong: string };

function inputFrom(text: string): InputFrom {
  try {
    return { value: JSON.parse(text) as Json };
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : "It is no JSON." };
  }
}

type InputTextProps = {
  readonly text: string;
  readonly write: (text: string) => void;
  readonly input: InputFrom;
  readonly run: Run | undefined;
};

function InputText({ text, write, input, run }: InputTextProps) {
  return (
    <>
      <Textarea
        label="Input"
        description="JSON."
        classNames={{ input: "sb-edit" }}
        rows={Math.min(14, Math.max(4, text.split("\n").length))}
        spellCheck={false}
        value={text}
        error={"wrong" in input ? input.wrong : undefined}
        onChange={(event) => write(event.currentTarget.value)}
      />
      {run === undefined || "wrong" in input ? null : (
        <JsonChange before={run.input} after={input.value} name="From the input that failed" />
      )}
    </>
  );
}

const priorities = [
  { value: "", label: "as it was" },
  { value: "80", label: "critical (80)" },
  { value: "60", label: "high (60)" },
  { value: "40", label: "medium (40)" },
  { value: "20", label: "low (20)" },
];

type FieldsProps = { readonly fields: Fields; readonly set: (change: Partial<Fields>) => void };

function FieldInputs({ fields, set }: FieldsProps) {
  const { data: agents = [] } = useAgents();
  return (
    <div className="sb-form-grid">
      <TextInput
        label="Agent"
        placeholder="as it was"
        list="redrive-agents"
        data-autofocus
        value={fields.agent}
        disabled={fields.isAnyAgent}
        onChange={(event) => set({ agent: event.currentTarget.value })}
      />
      <datalist id="redrive-agents">
        {agents.map(({ name }) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <Checkbox
        label="Any agent may do it"
        className="sb-form-low"
        checked={fields.isAnyAgent}
        onChange={(event) => set({ isAnyAgent: event.currentTarget.checked })}
      />
      <NativeSelect
        label="Priority"
        data={priorities}
        value={fields.priority}
        onChange={(event) => set({ priority: event.currentTarget.value })}
      />
      <TextInput
        label="Model"
        placeholder="as it was"
        value={fields.model}
        onChange={(event) => set({ model: event.currentTarget.value })}
      />
      <TextInput
        label="Attempts at most"
        placeholder="as it was"
        type="number"
        min={1}
        max={100}
        value={fields.attempts}
        onChange={(event) => set({ attempts: event.currentTarget.value })}
      />
    </div>
  );
}
