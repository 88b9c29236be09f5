// The buttons of a run.
// Promises: only what its state allows is offered; each asks first, or says which role it needs.
// Leaves to others: the table of actions (`commands.ts`).

import type { Run } from "@signalbox/sdk";
import { useState } from "react";
import { useAction } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { AskReason } from "../../parts/ask-reason.tsx";
import { runTitle } from "../../parts/plain.tsx";
import { runActions } from "./commands.ts";
import type { Given, RunAction } from "./commands.ts";

export function Actions({ run }: { readonly run: Run }) {
  return (
    <>
      {runActions.map((action) =>
        action.isOffered(run) ? <ActionButton key={action.name} action={action} run={run} /> : null,
      )}
    </>
  );
}

function ActionButton({ action, run }: { readonly action: RunAction; readonly run: Run }) {
  const [isAsked, ask] = useState(false);
  const { mutate, isPending } = useAction<Given>({
    act: (client, given) => action.act(client, run.id, given),
    changes: ["run", "runs", "counts", "agents"],
    done: () => action.done,
  });
  const isKill = action.name === "kill";
  return (
    <>
      <ActButton
        needs="cancel"
        size="xs"
        variant={isKill ? "outline" : "default"}
        color={isKill ? "red" : "blue"}
        loading={isPending}
        onClick={() => ask(true)}
      >
        {action.label} …
      </ActButton>
      {isAsked ? (
        <AskReason
          title={`${action.label} ${runTitle(run)}`}
          go={`${action.label} the run`}
          dangerous
          reasonNeeded={action.reasonNeeded}
          {...(action.choice === undefined ? {} : { choice: action.choice })}
          close={() => ask(false)}
          act={(reason, chosen) => mutate({ reason, chosen })}
        >
          {action.says}
        </AskReason>
      ) : null}
    </>
  );
}
