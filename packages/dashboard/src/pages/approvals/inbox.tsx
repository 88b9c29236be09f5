// The list of questions and the one that is open: side by side where there is room, else one after
// the other.
// Promises: what is open stays open whatever comes or goes in the list, so that no answer ever
// meets another question than the one that was read; a, r and e open a dialog, j and k move; after
// an answer the next question is open.
// Leaves to others: which questions (`approvals-page.tsx`), one question (`approval-view.tsx`).

import { useHotkeys } from "@mantine/hooks";
import type { Approval } from "@signalbox/sdk";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import type { ReactNode } from "react";
import { useAsked } from "../../api.ts";
import { Plain } from "../../parts/plain.tsx";
import { Empty, Show } from "../../parts/quiet.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { approvalLooks, riskLooks } from "../../parts/states.ts";
import { Countdown, useNow, When } from "../../parts/when.tsx";
import { isOfPair } from "../../shell/keys.tsx";
import { AnswerDialog } from "./answer-dialog.tsx";
import type { AnswerKind } from "./answers.ts";
import { ApprovalView } from "./approval-view.tsx";
import { useChosen } from "./chosen.ts";
import { isUrgent } from "./words.tsx";

type InboxProps = { readonly approvals: readonly Approval[]; readonly foot: ReactNode };
type Asked = { readonly approval: Approval; readonly kind: AnswerKind };

export function Inbox({ approvals, foot }: InboxProps) {
  const { chosen, isWide, choose } = useChosen();
  const [asked, ask] = useState<Asked | null>(null);
  const goTo = useRef<string | null>(null);
  const { id } = chosen;
  const [first] = approvals;
  // Pinned as soon as it is shown: a question that comes or goes must not change which is open.
  useEffect(() => {
    if (!isWide || id !== undefined || first === undefined) return;
    if (window.location.pathname === "/approvals") choose({ ...chosen, id: first.id });
  });
  useEffect(() => {
    if (goTo.current === null) return;
    itemOf(goTo.current)?.focus();
    goTo.current = null;
  });
  const open = useAsked({
    of: ["approvals", id ?? ""],
    ask: (client) => client.approvals.get(id ?? ""),
    enabled: id !== undefined,
  });
  const askAbout = (kind: AnswerKind): void => {
    const focused = document.activeElement?.closest<HTMLElement>("[data-approval]");
    const wanted = id ?? focused?.dataset["approval"];
    const approval = open.data ?? approvals.find((one) => one.id === wanted);
    if (approval?.status === "pending") ask({ approval, kind });
  };
  const back = (): void => {
    const { id: left, ...rest } = chosen;
    if (left === undefined) return;
    goTo.current = left;
    choose(rest, true);
  };
  useInboxKeys({ ask: askAbout, back: () => (isWide ? itemOf(id ?? "")?.focus() : back()) });
  const answered = (approval: Approval): void => {
    ask(null);
    const at = approvals.findIndex((one) => one.id === approval.id);
    const next = approvals[at + 1] ?? approvals[at - 1];
    const { id: _, ...rest } = chosen;
    goTo.current = next?.id ?? null;
    choose(next === undefined || !isWide ? rest : { ...rest, id: next.id }, true);
  };
  const isListShown = isWide || id === undefined;
  return (
    <div className="sb-inbox">
      {isListShown ? <List approvals={approvals} foot={foot} /> : null}
      {id === undefined ? null : (
        <div className="sb-stack sb-inbox-open">
          {isListShown ? null : (
            <button type="button" className="sb-more sb-back" onClick={back}>
              ‹ All questions
            </button>
          )}
          <Show asked={open} rows={4} height={64}>
            {(approval) => (
              <ApprovalView
                key={approval.id}
                approval={approval}
                ask={(kind) => ask({ approval, kind })}
              />
            )}
          </Show>
        </div>
      )}
      {asked === null ? null : (
        <AnswerDialog {...asked} close={() => ask(null)} answered={answered} />
      )}
    </div>
  );
}

const itemOf = (id: string): HTMLElement | null =>
  document.querySelector<HTMLElement>(`[data-approval="${CSS.escape(id)}"]`);

type InboxActs = { readonly ask: (kind: AnswerKind) => void; readonly back: () => void };

function useInboxKeys({ ask, back }: InboxActs): void {
  const on = (act: () => void) => (event: KeyboardEvent) => {
    // What a dialog does with a key is its own affair, also with the one that has closed it.
    const isInDialog = event.target instanceof Element && event.target.closest("[role=dialog]");
    if (isOfPair(event) || isInDialog || document.querySelector("[role=dialog]")) return;
    act();
  };
  useHotkeys([
    ["a", on(() => ask("approve"))],
    ["r", on(() => ask("reject"))],
    ["e", on(() => ask("edit"))],
    ["Escape", on(back), { preventDefault: false }],
  ]);
}

function List({ approvals, foot }: InboxProps) {
  if (approvals.length === 0) return <Empty title="Nothing more waits" />;
  return (
    <div className="sb-stack-s sb-inbox-list">
      <ul className="sb-stack-s" aria-label="Questions">
        {approvals.map((approval) => (
          <li key={approval.id}>
            <ListItem approval={approval} />
          </li>
        ))}
      </ul>
      <p className="sb-dim sb-small">{foot}</p>
    </div>
  );
}

function ListItem({ approval }: { readonly approval: Approval }) {
  const { chosen, isWide, choose } = useChosen();
  const { id, title, action, agent, risk, status } = approval;
  const isLate = isUrgent(approval, useNow());
  const isOpen = chosen.id === id;
  return (
    <Link
      to="/approvals"
      search={{ ...chosen, id }}
      className="sb-inbox-item"
      replace={isWide}
      preload={false}
      data-item
      data-approval={id}
      onFocus={() => {
        if (isWide && !isOpen) choose({ ...chosen, id });
      }}
    >
      <span className="sb-row sb-between sb-inbox-line">
        <strong className="sb-clip sb-grow">
          <Plain text={title} />
        </strong>
        <span className={`sb-small ${isLate && status === "pending" ? "sb-urgent" : "sb-dim"}`}>
          {status === "pending" ? (
            <Countdown to={approval.expires_at} over="expiring" />
          ) : (
            <When at={approval.decided_at ?? approval.asked_at} />
          )}
        </span>
      </span>
      <span className="sb-row sb-inbox-line sb-small">
        <StateBadge look={status === "pending" ? riskLooks[risk] : approvalLooks[status]} />
        <span className="sb-dim sb-clip sb-grow">
          <Plain text={agent ?? "no agent"} /> · <Plain text={action} />
        </span>
      </span>
    </Link>
  );
}
