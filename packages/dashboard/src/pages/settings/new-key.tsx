// Making a key: its name, what it may do, as which agents, until when.
// Promises: says of each role what it may; offers what the server would take and nothing else; the
// key is shown once.
// Leaves to others: the list (`keys.tsx`).

import { Checkbox, NativeSelect, TextInput } from "@mantine/core";
import type { Role } from "@signalbox/sdk";
import { useState } from "react";
import { useAction } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { SecretDialog } from "../../parts/secret-dialog.tsx";
import { useMay } from "../../session.ts";

const says: Readonly<Record<Role, string>> = {
  viewer: "looks",
  submitter: "submits runs, cancels them",
  worker: "does runs",
  approver: "answers approvals",
  operator: "pauses, stops, redrives, answers",
  admin: "all of that, keys and webhooks",
  owner: "everything in every project; stands alone",
};
const ordinary: readonly Role[] = [
  "viewer",
  "submitter",
  "worker",
  "approver",
  "operator",
  "admin",
];

const DAY_MS = 86_400_000;
const lengths: readonly { readonly value: string; readonly label: string }[] = [
  { value: "1", label: "in a day" },
  { value: "7", label: "in 7 days" },
  { value: "30", label: "in 30 days" },
  { value: "90", label: "in 90 days" },
  { value: "365", label: "in a year" },
  { value: "", label: "never" },
];

const split = (text: string): string[] => text.split(/[\s,]+/).filter((one) => one !== "");

type Draft = {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly agents: string;
  readonly days: string;
};

/** A key may be bound to agents when it is a worker's and could not make another. */
const canBind = ({ roles }: Draft): boolean =>
  roles.includes("worker") && !roles.includes("admin") && !roles.includes("owner");

export function NewKey() {
  const [isAsked, ask] = useState(false);
  const [made, setMade] = useState<{ name: string; key: string } | null>(null);
  const create = useAction<Draft>({
    act: async (client, draft) => {
      const { name, roles, days } = draft;
      const agents = canBind(draft) ? split(draft.agents) : [];
      const endsAt = new Date(Date.now() + Number(days) * DAY_MS).toISOString();
      const { key } = await client.keys.create({
        name: name.trim(),
        roles: [...roles],
        ...(agents.length === 0 ? {} : { agents }),
        ...(days === "" ? {} : { expires_at: endsAt }),
      });
      setMade({ name, key });
    },
    changes: ["keys", "audit"],
    done: ({ name }) => `Key ${name} is made`,
    saysRefusals: true,
  });
  return (
    <>
      <ActButton needs="administer" size="xs" onClick={() => ask(true)}>
        New key …
      </ActButton>
      {isAsked ? (
        <KeyForm close={() => ask(false)} act={(draft) => create.mutateAsync(draft)} />
      ) : null}
      {made === null ? null : (
        <SecretDialog title={`Key ${made.name}`} secret={made.key} close={() => setMade(null)}>
          Programs find it as <code>SIGNALBOX_KEY</code>, beside{" "}
          <code>SIGNALBOX_URL={window.location.origin}</code>.
        </SecretDialog>
      )}
    </>
  );
}

type KeyFormProps = {
  readonly close: () => void;
  readonly act: (draft: Draft) => Promise<unknown>;
};

function KeyForm({ close, act }: KeyFormProps) {
  const isOwner = useMay("own");
  const [draft, setDraft] = useState<Draft>({ name: "", roles: [], agents: "", days: "90" });
  const change = (part: Partial<Draft>): void => setDraft({ ...draft, ...part });
  const offered = isOwner ? [...ordinary, "owner" as const] : ordinary;
  const isAlone = !draft.roles.includes("owner") || draft.roles.length === 1;
  return (
    <FormDialog
      title="New key"
      go="Make it"
      ready={draft.name.trim() !== "" && draft.roles.length > 0 && isAlone}
      close={close}
      act={() => act(draft)}
    >
      <TextInput
        label="Name"
        description="What uses it, so that you know it again."
        placeholder="build-7"
        required
        data-autofocus
        maxLength={200}
        value={draft.name}
        onChange={(event) => change({ name: event.currentTarget.value })}
      />
      <Checkbox.Group
        label="What it may do"
        value={[...draft.roles]}
        error={isAlone ? undefined : "The role owner stands alone"}
        onChange={(roles) => change({ roles })}
      >
        <div className="sb-stack-s sb-choices">
          {offered.map((role) => (
            <Checkbox key={role} value={role} label={role} description={says[role]} />
          ))}
        </div>
      </Checkbox.Group>
      {canBind(draft) ? (
        <TextInput
          label="Only as these agents (optional)"
          description="It claims for them alone; empty: as any."
          placeholder="reviewer, fixer"
          value={draft.agents}
          onChange={(event) => change({ agents: event.currentTarget.value })}
        />
      ) : null}
      <NativeSelect
        label="Ends"
        value={draft.days}
        data={[...lengths]}
        onChange={(event) => change({ days: event.currentTarget.value })}
      />
    </FormDialog>
  );
}
