// Queues: how deep each line is, how old its oldest, and what is paused.
// Promises: pausing needs a reason; a queue exists here from its first run on.
// Leaves to others: the runs themselves (`pages/runs/`), the servers (`pages/health/`).

import type { Queue, Signalbox } from "@signalbox/sdk";
import { useState } from "react";
import { useAction, useAsked } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { AskReason } from "../../parts/ask-reason.tsx";
import { Go } from "../../parts/go.tsx";
import { Page } from "../../parts/page.tsx";
import { Plain, plain } from "../../parts/plain.tsx";
import { Empty, Show } from "../../parts/quiet.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { agentLooks, numberText, runtimeLooks } from "../../parts/states.ts";
import { Table } from "../../parts/table.tsx";
import { When } from "../../parts/when.tsx";

type Line = Queue & { readonly oldest: string | null; readonly isGuess: boolean };

/** Pages of pending runs, newest first, that are walked to find the oldest one of a queue. */
const PAGE = 500;

async function lines(client: Signalbox): Promise<Line[]> {
  const { items } = await client.queues.list({ limit: 100 });
  return Promise.all(
    items.map(async (queue) => {
      if (queue.pending === 0) return { ...queue, oldest: null, isGuess: false };
      const page = await client.runs.list({ queue: queue.name, state: "pending", limit: PAGE });
      return {
        ...queue,
        oldest: page.items.at(-1)?.created_at ?? null,
        isGuess: page.has_more,
      };
    }),
  );
}

export function QueuesPage() {
  const asked = useAsked({ of: ["queues", "lines"], ask: lines });
  return (
    <Page title="Queues">
      <Show asked={asked} rows={3}>
        {(queues) =>
          queues.length === 0 ? (
            <Empty
              title="No queue yet"
              command={`signalbox submit --queue nightly --input '{"hello": "world"}'`}
            >
              A queue appears with its first run.
            </Empty>
          ) : (
            <Queues queues={queues} />
          )
        }
      </Show>
    </Page>
  );
}

function Queues({ queues }: { readonly queues: readonly Line[] }) {
  return (
    <Table
      name="All queues"
      heads={["Queue", "State", "Pending", "Oldest", "Actions"]}
      figures={[2, 3]}
      rows={queues.map((queue) => ({
        key: queue.name,
        cells: [
          <Go key="name" to="/runs" search={{ queue: queue.name }}>
            <Plain text={queue.name} />
          </Go>,
          queue.paused_at === null ? (
            <StateBadge key="state" look={{ ...runtimeLooks.online, word: "open" }} />
          ) : (
            <div key="state">
              <StateBadge look={agentLooks.paused} />
              <p className="sb-dim sb-small">
                <When at={queue.paused_at} /> by <Plain text={queue.paused_by ?? "?"} />:{" "}
                <Plain text={queue.pause_reason ?? "no reason"} />
              </p>
            </div>
          ),
          numberText(queue.pending),
          queue.oldest === null ? (
            "–"
          ) : (
            <span key="oldest">
              {queue.isGuess ? "before " : ""}
              <When at={queue.oldest} />
            </span>
          ),
          <QueueButton key="act" queue={queue} />,
        ],
      }))}
    />
  );
}

const changes = ["queues", "run", "runs"] as const;

function QueueButton({ queue }: { readonly queue: Queue }) {
  const [isAsked, ask] = useState(false);
  const name = plain(queue.name);
  const pause = useAction<string>({
    act: (client, reason) => client.queues.pause(queue.name, { reason }),
    changes,
    done: () => `Queue ${name} is paused`,
  });
  const resume = useAction<null>({
    act: (client) => client.queues.resume(queue.name),
    changes,
    done: () => `Queue ${name} is open again`,
  });
  const isPaused = queue.paused_at !== null;
  return (
    <>
      <ActButton
        needs="operate"
        size="compact-sm"
        variant="default"
        loading={pause.isPending || resume.isPending}
        aria-label={`${isPaused ? "Resume" : "Pause"} queue ${name}`}
        onClick={() => (isPaused ? resume.mutate(null) : ask(true))}
      >
        {isPaused ? "Resume" : "Pause …"}
      </ActButton>
      {isAsked ? (
        <AskReason
          title={`Pause queue ${name}`}
          go="Pause it"
          close={() => ask(false)}
          act={(reason) => pause.mutate(reason)}
        >
          None of its runs is handed out until it is resumed. What is under way goes on.
        </AskReason>
      ) : null}
    </>
  );
}
