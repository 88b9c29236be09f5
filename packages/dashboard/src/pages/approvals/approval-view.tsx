// One question as a person reads it: what is to be done, with what, by whom, until when; and how it
// was answered, once it is.
// Promises: the same on the inbox and on the run's page; arguments are shown whole; what was
// decided is shown against what was asked; nothing is decided here without a dialog.
// Leaves to others: the dialogs (`answer-dialog.tsx`), which one is shown (`inbox.tsx`).

import { Button } from "@mantine/core";
import type { Approval } from "@signalbox/sdk";
import type { ReactNode } from "react";
import { useAsked } from "../../api.ts";
import { Copyable } from "../../parts/copyable.tsx";
import { hasDraft } from "../../parts/draft.ts";
import { Go, RunLink } from "../../parts/go.tsx";
import { JsonTree } from "../../parts/json-tree.tsx";
import { Plain, runTitle } from "../../parts/plain.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { approvalLooks, riskLooks } from "../../parts/states.ts";
import { useNow, When } from "../../parts/when.tsx";
import { editDraft } from "./answers.ts";
import type { AnswerKind } from "./answers.ts";
import { Expiry, Holding, isUrgent, Outcome } from "./words.tsx";

type ViewProps = {
  readonly approval: Approval;
  /** Opens the dialog for an answer. */
  readonly ask: (kind: AnswerKind) => void;
  /** On the run's page the run is known already. */
  readonly isOnRun?: boolean;
};

export function ApprovalView({ approval, ask, isOnRun = false }: ViewProps) {
  const { title, action, risk, status } = approval;
  const isWaiting = status === "pending";
  return (
    <article className="sb-card sb-question" aria-label={`Question: ${title}`}>
      <header className="sb-stack-s">
        <div className="sb-row">
          <StateBadge look={approvalLooks[status]} />
          <StateBadge look={riskLooks[risk]} />
          <code className="sb-action">
            <Plain text={action} />
          </code>
        </div>
        <h2 className="sb-question-title">
          <Plain text={title} />
        </h2>
      </header>
      {isWaiting ? (
        <AnswerButtons approval={approval} ask={ask} isOnRun={isOnRun} />
      ) : (
        <Outcome of={approval} />
      )}
      <Facts approval={approval} isOnRun={isOnRun} />
      <JsonTree
        key={approval.id}
        value={approval.arguments}
        name="Arguments"
        title={isWaiting ? "Arguments" : "Arguments as asked"}
      />
      <Commands approval={approval} />
    </article>
  );
}

function AnswerButtons({ approval, ask, isOnRun }: Required<ViewProps>) {
  const isBegun = hasDraft(editDraft(approval));
  // The letters are keys of the inbox alone.
  const key = (letter: string) =>
    isOnRun ? null : (
      <kbd className="sb-kbd" aria-hidden="true">
        {letter}
      </kbd>
    );
  return (
    <div className="sb-row sb-answer" role="group" aria-label="Answer">
      <Button size="sm" color="green" onClick={() => ask("approve")}>
        Approve … {key("a")}
      </Button>
      <Button size="sm" variant="outline" color="red" onClick={() => ask("reject")}>
        Reject … {key("r")}
      </Button>
      <Button size="sm" variant="default" onClick={() => ask("edit")}>
        {isBegun ? "Go on editing …" : "Edit and approve …"} {key("e")}
      </Button>
    </div>
  );
}

function Facts({ approval, isOnRun }: { approval: Approval; isOnRun: boolean }) {
  const { agent, run_id: id, attempt_number: attempt, asked_at: askedAt } = approval;
  const isWaiting = approval.status === "pending";
  const isLate = isUrgent(approval, useNow());
  const facts: [string, ReactNode][] = [
    ["Agent", agent === null ? "–" : <AgentLink key="agent" name={agent} />],
    ...(isOnRun ? [] : [["Run", <RunOf key="run" id={id} />] as [string, ReactNode]]),
    [
      "Asked",
      <span key="asked">
        <When at={askedAt} />, in attempt {attempt}
      </span>,
    ],
  ];
  if (isWaiting) {
    const expiry = (
      <span key="expiry" className={isLate ? "sb-urgent" : ""}>
        <Expiry approval={approval} />
      </span>
    );
    facts.push(["Expires", expiry], ["Meanwhile", <Holding key="hold" approval={approval} />]);
  }
  return (
    <dl className="sb-question-facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className="sb-num">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function AgentLink({ name }: { readonly name: string }) {
  return (
    <Go to="/runs" search={{ agent: name }}>
      <Plain text={name} />
    </Go>
  );
}

/** The run by its title, as soon as it is known. */
function RunOf({ id }: { readonly id: string }) {
  const { data } = useAsked({ of: ["run", id], ask: (client) => client.runs.get(id) });
  return <RunLink id={id} {...(data !== undefined && { title: runTitle(data) })} />;
}

function Commands({ approval: { id, status } }: { readonly approval: Approval }) {
  const lines =
    status === "pending"
      ? [`signalbox approvals approve ${id}`, `signalbox approvals reject ${id} --comment 'why'`]
      : [`signalbox approvals show ${id}`];
  return (
    <details className="sb-fold">
      <summary className="sb-dim">The same by command</summary>
      <div className="sb-stack-s">
        {lines.map((line) => (
          <Copyable key={line} text={line} what="the command" />
        ))}
      </div>
    </details>
  );
}
