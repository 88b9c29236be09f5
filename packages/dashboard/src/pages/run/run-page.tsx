// One run: how it is and why, its life as bars, what it says, what it cost, what can be done.
// Promises: state, log and timeline move by themselves; a run that waits says what for; the tab
// that is open stands in the address.
// Leaves to others: each part (the files beside this one).

import { Tabs } from "@mantine/core";
import type { Json, Run } from "@signalbox/sdk";
import { isTerminal } from "@signalbox/sdk";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useAsked } from "../../api.ts";
import { CopyButton } from "../../parts/copyable.tsx";
import { Go, RunLink } from "../../parts/go.tsx";
import { Page, Section } from "../../parts/page.tsx";
import { Plain, runTitle } from "../../parts/plain.tsx";
import { Show } from "../../parts/quiet.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { moneyText, runLooks } from "../../parts/states.ts";
import { Countdown, Took, When } from "../../parts/when.tsx";
import { useSignedIn } from "../../session.ts";
import { Actions } from "./actions.tsx";
import { RunApprovals } from "./approvals.tsx";
import { Attempts } from "./attempts.tsx";
import { useRunEvents } from "./follow-run.ts";
import { History } from "./history.tsx";
import { LetterActions, LetterNote } from "./letter.tsx";
import { Log } from "./log.tsx";
import { RawEvents } from "./raw-events.tsx";
import { Children, Commands, Document, UsageByModel } from "./tables.tsx";
import { Timeline } from "./timeline.tsx";

export function RunPage() {
  const { id = "" }: { id?: string } = useParams({ strict: false });
  const asked = useAsked({
    of: ["run", id],
    ask: (client) => client.runs.get(id),
    everyMs: 10_000,
  });
  return (
    <Show asked={asked} rows={8}>
      {(run) => <RunView key={run.id} run={run} />}
    </Show>
  );
}

function RunView({ run }: { readonly run: Run }) {
  const { client } = useSignedIn();
  const { log, moves } = useRunEvents(client, run.id);
  const { data: attempts = [] } = useAsked({
    of: ["run", run.id, "attempts"],
    ask: (signalbox) => signalbox.runs.attempts(run.id),
  });
  const isOver = isTerminal(run.state);
  return (
    <Page
      title={runTitle(run)}
      note={
        <div className="sb-row">
          <StateBadge look={runLooks[run.state]} {...causeOf(run)} />
          <code className="sb-clip">{run.id}</code>
          <CopyButton text={run.id} what="the run's id" />
        </div>
      }
      actions={
        <>
          <Actions run={run} />
          <LetterActions run={run} />
        </>
      }
    >
      {isOver ? <Outcome run={run} /> : <WhyNot run={run} />}
      <RunApprovals run={run} />
      <Facts run={run} />
      <Section title="Timeline">
        <Timeline run={run} moves={moves} attempts={attempts} />
      </Section>
      <RunTabs
        tabs={{
          log: { label: "Log", show: () => <Log id={run.id} log={log} /> },
          attempts: {
            label: `Attempts (${attempts.length})`,
            show: () => <Attempts attempts={attempts} />,
          },
          usage: { label: "Usage", show: () => <UsageByModel run={run} /> },
          documents: { label: "Input and output", show: () => <Documents run={run} /> },
          children: { label: "Children", show: () => <Children id={run.id} /> },
          history: { label: "Who did what", show: () => <History moves={moves} /> },
          events: { label: "Events", show: () => <RawEvents id={run.id} log={log} /> },
          commands: { label: "Commands", show: () => <Commands id={run.id} /> },
        }}
      />
    </Page>
  );
}

/** Why it ended, where the state does not say it already. */
function causeOf({ state, end_cause: cause }: Run): { note?: string } {
  return cause === null || cause === state ? {} : { note: `· ${cause}` };
}

type RunTab = { readonly label: string; readonly show: () => ReactNode };

function RunTabs({ tabs }: { readonly tabs: Readonly<Record<string, RunTab>> }) {
  const { tab = "log" }: { tab?: string } = useSearch({ strict: false });
  const navigate = useNavigate();
  const open = tabs[tab] === undefined ? "log" : tab;
  return (
    <Tabs
      value={open}
      keepMounted={false}
      onChange={(next) => void navigate({ to: ".", search: { tab: next }, replace: true })}
    >
      <Tabs.List>
        {Object.entries(tabs).map(([name, { label }]) => (
          <Tabs.Tab key={name} value={name}>
            {label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value={open} pt="sm">
        {tabs[open]?.show()}
      </Tabs.Panel>
    </Tabs>
  );
}

/** Why it is not running now, by the same rules that hand it out. */
function WhyNot({ run }: { readonly run: Run }) {
  const { data } = useAsked({
    of: ["run", run.id, "explain"],
    ask: (client) => client.runs.explain(run.id),
    everyMs: 10_000,
  });
  // What is under way and blocked by nothing is told by its state, lease and timeline.
  if (data === undefined || (run.state !== "pending" && data.reasons.length === 0)) return null;
  const tone = run.state === "pending" && data.reasons.length > 0 ? "amber" : "neutral";
  return (
    <section className={`sb-note sb-${tone}`} aria-label="Why is it not running?">
      <strong>
        <Plain text={data.summary} />
      </strong>
      {data.ahead === null || data.ahead === 0 ? null : (
        <span className="sb-num"> · {data.ahead} runs ahead</span>
      )}
      <ul>
        {data.reasons.map(({ code, message, until }) => (
          <li key={`${code} ${message}`}>
            {message === data.summary ? null : <Plain text={message} />}{" "}
            <code className="sb-small">{code}</code>
            {until === null || until === undefined ? null : (
              <>
                {" "}
                · in <Countdown to={until} over="a moment" />
              </>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** How it ended, and the error in full. */
function Outcome({ run }: { readonly run: Run }) {
  const said = run.error?.message ?? run.status_reason;
  if (run.state === "completed" || said === null) return null;
  return (
    <section className="sb-note sb-red" aria-label="How it ended">
      <strong>{run.error?.code ?? run.end_cause}</strong>: <Plain text={said} />
      <LetterNote run={run} />
    </section>
  );
}

function Facts({ run }: { readonly run: Run }) {
  const cost = run.usage.cost_micros;
  const facts: [string, ReactNode][] = [
    [
      "Agent",
      run.agent === null ? (
        "any"
      ) : (
        <Go key="agent" to="/runs" search={{ agent: run.agent }}>
          <Plain text={run.agent} />
        </Go>
      ),
    ],
    ["Queue", <Plain key="queue" text={run.queue} />],
    ["Runtime", <Plain key="runtime" text={run.runtime ?? "–"} />],
    ["Model", <Plain key="model" text={run.model ?? "–"} />],
    ["Priority", run.priority],
    ["Attempts", `${run.attempts_used} of ${run.max_attempts}`],
    ["Created", <When key="created" at={run.created_at} />],
    ["Took", <Took key="took" from={run.started_at} to={run.finished_at} />],
    ["Cost", cost === undefined ? "–" : moneyText(cost)],
  ];
  if (run.lease_expires_at !== null) {
    facts.push([
      "Lease ends in",
      <Countdown key="lease" to={run.lease_expires_at} over="a moment" />,
    ]);
  }
  if (run.deadline_at !== null)
    facts.push(["Deadline", <When key="deadline" at={run.deadline_at} />]);
  if (run.parent_run !== null) facts.push(["Parent", <RunLink key="parent" id={run.parent_run} />]);
  if (run.redrive_of !== null)
    facts.push(["Redrive of", <RunLink key="redrive" id={run.redrive_of} />]);
  if (run.tags.length > 0) facts.push(["Tags", <Plain key="tags" text={run.tags.join(", ")} />]);
  return (
    <dl className="sb-facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className="sb-num">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Documents({ run }: { readonly run: Run }) {
  const documents: [string, Json][] = [
    ["Input", run.input],
    ["Output", run.output],
    ["Error", run.error],
    ["Checkpoint", run.checkpoint],
    ["Metadata", run.metadata],
  ];
  return (
    <div className="sb-stack">
      {documents.map(([name, value]) => (
        <Section key={name} title={name}>
          {value === null ? <p className="sb-dim">none</p> : <Document value={value} name={name} />}
        </Section>
      ))}
    </div>
  );
}
