// One agent of the board: how it is and why, until when, what it does, what it may still spend.
// Promises: an exhausted agent shows the countdown and the evidence it rests on; pause needs a
// reason, resume none.
// Leaves to others: which agents are shown and in which order (`fleet-page.tsx`).

import type { Agent, Allowance, Exhaustion, RunSummary } from "@signalbox/sdk";
import { useState } from "react";
import { useAction } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { AskReason } from "../../parts/ask-reason.tsx";
import { Go, RunLink } from "../../parts/go.tsx";
import { Plain, plain, runTitle } from "../../parts/plain.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { agentLooks, runLooks } from "../../parts/states.ts";
import { UsageBar } from "../../parts/usage-bar.tsx";
import { Countdown, Took, When } from "../../parts/when.tsx";

type AgentCardProps = {
  readonly agent: Agent;
  /** Closed or probing limits of its accounts. */
  readonly limits: readonly Exhaustion[];
  readonly allowances: readonly Allowance[];
  readonly runs: readonly RunSummary[];
};

/** A card shows this many runs; the rest is a link. */
const MOST_RUNS = 3;

export function AgentCard({ agent, limits, allowances, runs }: AgentCardProps) {
  // Live runs and limits stand below in full, and change while the state stays.
  const says = runs.length > 0 || limits.length > 0 ? null : agent.status_reason;
  const limit = agent.max_concurrent === null ? "" : ` of ${agent.max_concurrent}`;
  return (
    <li className="sb-card" data-item tabIndex={-1} aria-label={plain(agent.name)}>
      <div className="sb-row sb-between">
        <h2 className="sb-clip">
          <Go to="/runs" search={{ agent: agent.name }}>
            <Plain text={agent.name} />
          </Go>
        </h2>
        <div className="sb-row">
          <StateBadge look={agentLooks[agent.status]} />
          {agent.paused_at === null ? null : <StateBadge look={agentLooks.paused} />}
        </div>
      </div>
      <p className="sb-dim sb-small">
        {says === null ? "" : <Plain text={`${says} · `} />}since <When at={agent.status_since} />
      </p>
      {agent.paused_at === null ? null : (
        <p className="sb-note sb-amber">
          Paused <When at={agent.paused_at} />: <Plain text={agent.pause_reason ?? "no reason"} />
        </p>
      )}
      {limits.map((one) => (
        <Limit key={`${one.account} ${one.model ?? ""}`} limit={one} />
      ))}
      <ul className="sb-list">
        {runs.slice(0, MOST_RUNS).map((run) => (
          <li key={run.id} className="sb-row sb-between">
            <span className="sb-clip">
              <RunLink id={run.id} title={runTitle(run)} />
            </span>
            <span className="sb-row sb-small">
              <StateBadge look={runLooks[run.state]} />
              <Took from={run.started_at ?? run.created_at} to={run.finished_at} />
            </span>
            {run.lease_expires_at === null ? null : (
              <span className="sb-dim sb-small sb-whole">
                lease ends in <Countdown to={run.lease_expires_at} over="a moment" /> unless renewed
              </span>
            )}
          </li>
        ))}
      </ul>
      {runs.length > MOST_RUNS ? (
        <Go to="/runs" search={{ agent: agent.name }}>
          {`${runs.length - MOST_RUNS} more`}
        </Go>
      ) : null}
      {allowances.map((allowance) => (
        <UsageBar key={allowance.id} allowance={allowance} />
      ))}
      <div className="sb-row sb-between sb-card-foot">
        <span className="sb-dim sb-small sb-num">
          {agent.live}
          {limit} at work · seen <When at={agent.last_heartbeat_at} />
        </span>
        <PauseButton agent={agent} />
      </div>
    </li>
  );
}

/** Until when, and why we think so. */
function Limit({ limit }: { readonly limit: Exhaustion }) {
  const { account, model, reason, recovery_at: at, evidence, state } = limit;
  const whose = model === null ? account : `${account} (${model})`;
  return (
    <div className="sb-note sb-amber">
      <p>
        <strong>{state === "half_open" ? "Probing" : <Until at={at} />}</strong> ·{" "}
        {reason.replace("_", " ")} of <Plain text={whose} />
      </p>
      <p className="sb-small">
        Evidence ({evidence.source}, rule {evidence.rule}): <Plain text={evidence.excerpt || "–"} />
      </p>
    </div>
  );
}

function Until({ at }: { readonly at: string | null }) {
  if (at === null) return "Waits for a person";
  return (
    <>
      Back in <Countdown to={at} over="a moment" />
    </>
  );
}

function PauseButton({ agent }: { readonly agent: Agent }) {
  const [isAsked, ask] = useState(false);
  const name = plain(agent.name);
  const pause = useAction<{ reason: string }>({
    act: (client, given) => client.agents.pause(agent.name, given),
    changes: ["agents", "run"],
    done: () => `${name} is paused`,
  });
  const resume = useAction<null>({
    act: (client) => client.agents.resume(agent.name),
    changes: ["agents", "run"],
    done: () => `${name} may claim again`,
  });
  if (agent.paused_at !== null) {
    return (
      <ActButton
        needs="operate"
        size="compact-sm"
        variant="default"
        loading={resume.isPending}
        aria-label={`Resume ${name}`}
        onClick={() => resume.mutate(null)}
      >
        Resume
      </ActButton>
    );
  }
  return (
    <>
      <ActButton
        needs="operate"
        size="compact-sm"
        variant="default"
        aria-label={`Pause ${name}`}
        onClick={() => ask(true)}
      >
        Pause …
      </ActButton>
      {isAsked ? (
        <AskReason
          title={`Pause ${name}`}
          go="Pause it"
          close={() => ask(false)}
          act={(reason) => pause.mutate({ reason })}
        >
          It claims nothing more until it is resumed. What it has under way goes on.
        </AskReason>
      ) : null}
    </>
  );
}
