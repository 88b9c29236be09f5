// The project, and how long its runs are kept.
// Promises: changing it says what will be removed, and that it does not come back.
// Leaves to others: removing (server), the emergency stop (top bar).

import { NumberInput, Radio } from "@mantine/core";
import type { Project } from "@signalbox/sdk";
import { useState } from "react";
import { useAction, useProject } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { Fact, Facts } from "../../parts/facts.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { Plain } from "../../parts/plain.tsx";
import { numberText } from "../../parts/states.ts";
import { When } from "../../parts/when.tsx";
import { useSignedIn } from "../../session.ts";

export function ProjectFacts() {
  const { project } = useSignedIn();
  const { data = project } = useProject();
  const { retention_days: days } = data;
  return (
    <Facts>
      <Fact name="Name">
        <Plain text={data.name} />
      </Fact>
      <Fact name="Id" wide>
        <code>{data.id}</code>
      </Fact>
      <Fact name="Made">
        <When at={data.created_at} />
      </Fact>
      <Fact name="Runs are kept">
        {days === null ? "for ever" : `${daysText(days)} after their end`}
      </Fact>
    </Facts>
  );
}

export function ChangeRetention() {
  const { project } = useSignedIn();
  const { data = project } = useProject();
  const [isAsked, ask] = useState(false);
  return (
    <>
      <ActButton needs="administer" size="xs" variant="default" onClick={() => ask(true)}>
        Change retention …
      </ActButton>
      {isAsked ? <Retention project={data} close={() => ask(false)} /> : null}
    </>
  );
}

const daysText = (days: number): string => (days === 1 ? "a day" : `${numberText(days)} days`);

function Retention({ project, close }: { readonly project: Project; readonly close: () => void }) {
  const [isForEver, setForEver] = useState(project.retention_days === null);
  const [days, setDays] = useState<number | string>(project.retention_days ?? 90);
  const wanted = isForEver ? null : Number(days);
  const isGood = wanted === null || (Number.isInteger(wanted) && wanted >= 1 && wanted <= 36_500);
  const change = useAction<number | null>({
    act: (client, retention_days) => client.projects.setRetention({ retention_days }),
    changes: ["project", "audit"],
    done: (kept) => (kept === null ? "Runs are kept for ever" : `Runs are kept ${daysText(kept)}`),
    saysRefusals: true,
  });
  const before = project.retention_days;
  const isLess = wanted !== null && (before === null || wanted < before);
  return (
    <FormDialog
      title={`Retention of ${project.name}`}
      go={isLess ? "Remove what is older" : "Keep them so"}
      dangerous={isLess}
      ready={isGood}
      close={close}
      act={() => change.mutateAsync(wanted)}
    >
      <Radio.Group
        label="Runs that have ended"
        value={isForEver ? "all" : "days"}
        onChange={(value) => setForEver(value === "all")}
      >
        <div className="sb-stack-s sb-choices">
          <Radio value="all" label="are kept for ever" />
          <Radio value="days" label="are removed some days after their end" />
        </div>
      </Radio.Group>
      {isForEver ? null : (
        <NumberInput
          label="Days"
          min={1}
          max={36_500}
          allowDecimal={false}
          value={days}
          hideControls
          onChange={setDays}
        />
      )}
      {isLess ? (
        <p className="sb-note sb-amber">
          Runs that ended more than {daysText(wanted)} ago are removed within minutes, with their
          attempts, events, logs and usage. This cannot be undone. Runs that have not ended stay.
        </p>
      ) : null}
    </FormDialog>
  );
}
