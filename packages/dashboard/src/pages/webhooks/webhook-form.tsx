// Making a webhook and changing one: where events go, and which.
// Promises: nothing of it is sent before the button; a list of types is what was typed, split at
// commas and spaces; only an owner is offered what only an owner may.
// Leaves to others: what a URL may be (server), the secret (`secret-dialog.tsx`).

import { Checkbox, TextInput } from "@mantine/core";
import type { Webhook, WebhookInput } from "@signalbox/sdk";
import { useState } from "react";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { useMay } from "../../session.ts";

type WebhookFormProps = {
  readonly title: string;
  readonly go: string;
  /** Undefined: a new one. */
  readonly webhook?: Webhook;
  readonly close: () => void;
  readonly act: (input: WebhookInput) => Promise<unknown>;
};

const split = (text: string): string[] => text.split(/[\s,]+/).filter((one) => one !== "");
const orNull = (text: string): string | null => (text.trim() === "" ? null : text.trim());

export function WebhookForm({ title, go, webhook, close, act }: WebhookFormProps) {
  const isOwner = useMay("own");
  const [url, setUrl] = useState(webhook?.url ?? "");
  const [description, setDescription] = useState(webhook?.description ?? "");
  const [types, setTypes] = useState(webhook?.types.join(", ") ?? "");
  const [agent, setAgent] = useState(webhook?.agent ?? "");
  const [queue, setQueue] = useState(webhook?.queue ?? "");
  const [isPrivate, setPrivate] = useState(webhook?.allow_private ?? false);
  const input: WebhookInput = {
    url: url.trim(),
    description: orNull(description),
    types: split(types),
    agent: orNull(agent),
    queue: orNull(queue),
    ...(isOwner ? { allow_private: isPrivate } : {}),
  };
  return (
    <FormDialog title={title} go={go} ready={input.url !== ""} close={close} act={() => act(input)}>
      <TextInput
        label="URL"
        description="https, at a public address. Events are posted there."
        placeholder="https://example.org/hook"
        type="url"
        required
        data-autofocus
        maxLength={2_000}
        value={url}
        onChange={(event) => setUrl(event.currentTarget.value)}
      />
      <TextInput
        label="Events"
        description="Types or prefixes, such as run.failed or approval.*; empty: all."
        placeholder="run.failed, run.dead_lettered, approval.*"
        value={types}
        onChange={(event) => setTypes(event.currentTarget.value)}
      />
      <div className="sb-columns">
        <TextInput
          label="Agent (optional)"
          description="Only events of this agent."
          value={agent}
          onChange={(event) => setAgent(event.currentTarget.value)}
        />
        <TextInput
          label="Queue (optional)"
          description="Only of runs in this queue."
          value={queue}
          onChange={(event) => setQueue(event.currentTarget.value)}
        />
      </div>
      <TextInput
        label="Description (optional)"
        maxLength={1_000}
        value={description}
        onChange={(event) => setDescription(event.currentTarget.value)}
      />
      {isOwner ? (
        <Checkbox
          label="May reach private addresses, and be http"
          checked={isPrivate}
          onChange={(event) => setPrivate(event.currentTarget.checked)}
        />
      ) : null}
    </FormDialog>
  );
}
