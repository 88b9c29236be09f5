// The fleet board: one card per agent, those that need somebody first.
// Promises: the whole fleet at a glance: how many are how, and who is away until when.
// Leaves to others: a card (`agent-card.tsx`).

import { TextInput } from "@mantine/core";
import type { Agent } from "@signalbox/sdk";
import { useState } from "react";
import { useAccounts, useAgents, useAllowances, useLiveRuns } from "../../api.ts";
import { Page } from "../../parts/page.tsx";
import { Empty, Show } from "../../parts/quiet.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { agentLooks } from "../../parts/states.ts";
import { AgentCard } from "./agent-card.tsx";

const order = ["exhausted", "paused", "busy", "on_call", "idle", "offline"] as const;
type Standing = (typeof order)[number];

const standingOf = (agent: Agent): Standing => (agent.paused_at !== null ? "paused" : agent.status);

const isQuiet = (agent: Agent): boolean => ["idle", "offline"].includes(standingOf(agent));

export function FleetPage() {
  const agents = useAgents();
  const [only, setOnly] = useState<Standing | null>(null);
  const [text, setText] = useState("");
  const counts = (agents.data ?? []).map(standingOf);
  return (
    <Page
      title="Fleet"
      note={<Counts counts={counts} only={only} choose={setOnly} />}
      actions={
        <TextInput
          size="xs"
          aria-label="Find an agent"
          placeholder="Find an agent"
          data-search
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
      }
    >
      <Show asked={agents} rows={6} height={120}>
        {(all) => <Board all={all} only={only} text={text} />}
      </Show>
    </Page>
  );
}

type CountsProps = {
  readonly counts: readonly Standing[];
  readonly only: Standing | null;
  readonly choose: (only: Standing | null) => void;
};

function Counts({ counts, only, choose }: CountsProps) {
  return (
    <div className="sb-row">
      {order.map((standing) => {
        const count = counts.filter((one) => one === standing).length;
        if (count === 0) return null;
        return (
          <button
            key={standing}
            type="button"
            className="sb-chip"
            aria-pressed={only === standing}
            onClick={() => choose(only === standing ? null : standing)}
          >
            <StateBadge look={agentLooks[standing]} note={String(count)} />
          </button>
        );
      })}
    </div>
  );
}

type BoardProps = {
  readonly all: readonly Agent[];
  readonly only: Standing | null;
  readonly text: string;
};

function Board({ all, only, text }: BoardProps) {
  const { data: accounts = [] } = useAccounts();
  const { data: allowances = [] } = useAllowances();
  const { data: runs = [] } = useLiveRuns();
  if (all.length === 0) {
    return (
      <Empty
        title="No agent has been seen yet"
        command="signalbox worker --agent reviewer -- sh -c 'echo done'"
      >
        An agent appears with its first worker or its first run. In a terminal on this machine:
      </Empty>
    );
  }
  const shown = all
    .filter((agent) => only === null || standingOf(agent) === only)
    .filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()))
    .toSorted((a, b) => order.indexOf(standingOf(a)) - order.indexOf(standingOf(b)));
  if (shown.length === 0) return <Empty title="No agent is like that" />;
  const cards = (agents: readonly Agent[]) =>
    agents.length === 0 ? null : (
      <ul className="sb-board">
        {agents.map((agent) => (
          <AgentCard
            key={agent.id}
            agent={agent}
            limits={accounts
              .filter(({ name }) => agent.accounts.includes(name))
              .flatMap(({ exhaustions }) => exhaustions.filter(({ state }) => state !== "open"))}
            allowances={allowances.filter(
              ({ scope, name }) =>
                (scope === "agent" && name === agent.name) ||
                (scope === "account" && agent.accounts.includes(name ?? "")),
            )}
            runs={runs.filter((run) => run.agent === agent.name)}
          />
        ))}
      </ul>
    );
  // Cards with little to say stand in rows of their own, which are low.
  return (
    <>
      {cards(shown.filter((agent) => !isQuiet(agent)))}
      {cards(shown.filter(isQuiet))}
    </>
  );
}
