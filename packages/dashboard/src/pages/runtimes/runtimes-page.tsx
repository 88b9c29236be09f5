// Runtimes: the worker processes this project has seen, and draining one.
// Promises: those that need somebody first; draining needs a reason and lets work in hand end.
// Leaves to others: starting and stopping processes (whoever started them).

import type { Runtime } from "@signalbox/sdk";
import { useState } from "react";
import { useAction, useRuntimes } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { AskReason } from "../../parts/ask-reason.tsx";
import { Go } from "../../parts/go.tsx";
import { Page } from "../../parts/page.tsx";
import { Plain, plain } from "../../parts/plain.tsx";
import { Empty, Show } from "../../parts/quiet.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { runtimeLooks } from "../../parts/states.ts";
import { Table } from "../../parts/table.tsx";
import { When } from "../../parts/when.tsx";

const order: readonly Runtime["state"][] = ["stale", "draining", "online", "offline"];

export function RuntimesPage() {
  const asked = useRuntimes();
  return (
    <Page title="Runtimes">
      <Show asked={asked} rows={5}>
        {(runtimes) =>
          runtimes.length === 0 ? (
            <Empty
              title="No worker has come yet"
              command="signalbox worker --agent reviewer -- sh -c 'echo done'"
            />
          ) : (
            <Runtimes runtimes={runtimes} />
          )
        }
      </Show>
    </Page>
  );
}

function Runtimes({ runtimes }: { readonly runtimes: readonly Runtime[] }) {
  const sorted = runtimes.toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  return (
    <Table
      name="Runtimes"
      heads={["Runtime", "State", "Last heartbeat", "Host", "Pid", "Version", "Can", "Actions"]}
      figures={[4]}
      rows={sorted.map((runtime) => ({
        key: runtime.id,
        cells: [
          <Plain key="name" text={runtime.name} />,
          <StateBadge key="state" look={runtimeLooks[runtime.state]} />,
          <When key="beat" at={runtime.last_heartbeat_at} />,
          <Plain key="host" text={runtime.host ?? "–"} />,
          runtime.pid ?? "–",
          <Plain key="version" text={runtime.version ?? "–"} />,
          <Plain
            key="can"
            text={[...runtime.runners, ...runtime.capabilities].join(", ") || "–"}
          />,
          <span key="act" className="sb-row">
            <Go to="/runs" search={{ runtime: runtime.name }}>
              Runs
            </Go>
            <DrainButton runtime={runtime} />
          </span>,
        ],
      }))}
    />
  );
}

function DrainButton({ runtime }: { readonly runtime: Runtime }) {
  const [isAsked, ask] = useState(false);
  const name = plain(runtime.name);
  const drain = useAction<string>({
    act: (client, reason) => client.runtimes.drain(runtime.name, { reason }),
    changes: ["runtimes", "agents"],
    done: () => `${name} takes nothing more`,
  });
  if (runtime.state !== "online") return null;
  return (
    <>
      <ActButton
        needs="operate"
        size="compact-sm"
        variant="default"
        aria-label={`Drain ${name}`}
        onClick={() => ask(true)}
      >
        Drain …
      </ActButton>
      {isAsked ? (
        <AskReason
          title={`Drain ${name}`}
          go="Drain it"
          close={() => ask(false)}
          act={(reason) => drain.mutate(reason)}
        >
          It claims nothing more; what it has in hand it ends. Start it again to undo this.
        </AskReason>
      ) : null}
    </>
  );
}
