// The emergency stop of the project: two steps and a reason; and lifting it.
// Promises: one click never stops anything; a stopped project is said on every screen with who,
// when and why; lifting needs a reason too.
// Leaves to others: what a stop does (server).

import { useState } from "react";
import { useAction, useProject } from "../api.ts";
import { ActButton } from "../parts/act-button.tsx";
import { AskReason } from "../parts/ask-reason.tsx";
import { Plain } from "../parts/plain.tsx";
import { When } from "../parts/when.tsx";
import { useSignedIn } from "../session.ts";

const changes = ["project", "runs", "run", "agents", "queues", "counts"] as const;

export type StopDialog = { readonly isAsked: boolean; readonly ask: (open: boolean) => void };

export function StopButton({ isAsked, ask }: StopDialog) {
  const { project } = useSignedIn();
  const { data = project } = useProject();
  const stop = useAction<{ reason: string; cancel_live: boolean }>({
    act: (client, given) => client.projects.stop(given),
    changes,
    done: () => `Project ${project.name} is stopped`,
  });
  if (data.stopped_at !== null) return null;
  return (
    <>
      <ActButton needs="operate" color="red" size="xs" onClick={() => ask(true)}>
        Stop all …
      </ActButton>
      {isAsked ? (
        <AskReason
          title={`Emergency stop of ${project.name}`}
          go="Stop everything now"
          dangerous
          choice="Also cancel the runs that are under way"
          close={() => ask(false)}
          act={(reason, chosen) => stop.mutate({ reason, cancel_live: chosen })}
        >
          No run is handed out and no lease is renewed until somebody lifts the stop. Workers are
          told at once; runs under way go back to pending with their checkpoint, and no attempt is
          counted.
        </AskReason>
      ) : null}
    </>
  );
}

export function StoppedNote() {
  const { data } = useProject();
  const [isAsked, ask] = useState(false);
  const lift = useAction<{ reason: string }>({
    act: (client, given) => client.projects.resume(given),
    changes,
    done: () => "The stop is lifted",
  });
  if (data === undefined || data.stopped_at === null) return null;
  return (
    <div className="sb-stopped" role="alert">
      <div className="sb-grow">
        <strong>Stopped</strong> <When at={data.stopped_at} />:{" "}
        <Plain text={data.stop_reason ?? "no reason"} />. Nothing is handed out.
      </div>
      <ActButton needs="operate" color="red" variant="outline" size="xs" onClick={() => ask(true)}>
        Lift the stop …
      </ActButton>
      {isAsked ? (
        <AskReason
          title="Lift the emergency stop"
          go="Lift it"
          close={() => ask(false)}
          act={(reason) => lift.mutate({ reason })}
        >
          Runs are handed out again at once, each from its last checkpoint.
        </AskReason>
      ) : null}
    </div>
  );
}
