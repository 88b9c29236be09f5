// All projects of the installation, for its owner: entering one, and making one.
// Promises: the one that is shown is marked.
// Leaves to others: the emergency stop (top bar), a project's keys (`keys.tsx`).

import { Button, TextInput } from "@mantine/core";
import { useState } from "react";
import { useAction, useAsked } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { Plain } from "../../parts/plain.tsx";
import { Show } from "../../parts/quiet.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { projectLooks } from "../../parts/states.ts";
import { Table } from "../../parts/table.tsx";
import { When } from "../../parts/when.tsx";
import { changeProject, useSignedIn } from "../../session.ts";

export function Projects() {
  const { project } = useSignedIn();
  const asked = useAsked({
    of: ["project", "all"],
    ask: async (client) => (await client.projects.list({ limit: 100 })).items,
  });
  return (
    <Show asked={asked} rows={2}>
      {(projects) => (
        <Table
          name="List of projects"
          heads={["Project", "State", "Runs are kept", "Made", "Actions"]}
          rows={projects.map((one) => ({
            key: one.id,
            cells: [
              <Plain key="name" text={one.name} />,
              <StateBadge
                key="state"
                look={projectLooks[one.stopped_at === null ? "open" : "stopped"]}
              />,
              one.retention_days === null ? "for ever" : `${one.retention_days} d`,
              <When key="made" at={one.created_at} />,
              one.id === project.id ? (
                <span key="here" className="sb-badge sb-blue">
                  shown now
                </span>
              ) : (
                <Button
                  key="go"
                  size="compact-sm"
                  variant="default"
                  aria-label={`Show ${one.name}`}
                  onClick={() => void changeProject(one.name)}
                >
                  Show
                </Button>
              ),
            ],
          }))}
        />
      )}
    </Show>
  );
}

export function NewProject() {
  const [isAsked, ask] = useState(false);
  const [name, setName] = useState("");
  const create = useAction<null>({
    act: async (client) => {
      await client.projects.create({ name: name.trim() });
      await changeProject(name.trim());
    },
    changes: ["project"],
    done: () => `Project ${name.trim()} is made, and shown`,
    saysRefusals: true,
  });
  return (
    <>
      <ActButton needs="own" size="xs" onClick={() => ask(true)}>
        New project …
      </ActButton>
      {isAsked ? (
        <FormDialog
          title="New project"
          go="Make it"
          ready={name.trim() !== ""}
          close={() => ask(false)}
          act={() => create.mutateAsync(null)}
        >
          <p>Runs, agents, keys and everything else of one project is unseen by all others.</p>
          <TextInput
            label="Name"
            description="Unique in this installation; it does not change."
            placeholder="support"
            required
            data-autofocus
            maxLength={200}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
        </FormDialog>
      ) : null}
    </>
  );
}
