// The questions of a run: the one that waits, to be answered here, and those that were answered.
// Promises: nothing is drawn for a run that never asked; the same view and dialogs as the inbox.
// Leaves to others: one question (`pages/approvals/`).

import type { Approval, Run } from "@signalbox/sdk";
import { useState } from "react";
import { useAsked } from "../../api.ts";
import { Section } from "../../parts/page.tsx";
import { Plain } from "../../parts/plain.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { approvalLooks } from "../../parts/states.ts";
import { When } from "../../parts/when.tsx";
import { AnswerDialog } from "../approvals/answer-dialog.tsx";
import type { AnswerKind } from "../approvals/answers.ts";
import { ApprovalView } from "../approvals/approval-view.tsx";

/** The newest questions of a run that are shown. */
const NEWEST = 50;

type Asked = { readonly approval: Approval; readonly kind: AnswerKind };

export function RunApprovals({ run }: { readonly run: Run }) {
  const [asked, ask] = useState<Asked | null>(null);
  const { data } = useAsked({
    of: ["approvals", "of", run.id],
    ask: (client) => client.approvals.list({ run_id: run.id, order: "desc", limit: NEWEST }),
  });
  const close = (): void => ask(null);
  const items = data?.items ?? [];
  const waiting = items.filter(({ status }) => status === "pending");
  const decided = items.filter(({ status }) => status !== "pending");
  const note = decided.length === 0 ? "" : `${decided.length} answered`;
  return (
    <>
      {items.length === 0 ? null : (
        <Section title="Approvals" note={note}>
          {waiting.map((approval) => (
            <ApprovalView
              key={approval.id}
              approval={approval}
              ask={(kind) => ask({ approval, kind })}
              isOnRun
            />
          ))}
          {decided.map((approval) => (
            <Decided key={approval.id} approval={approval} />
          ))}
        </Section>
      )}
      {asked === null ? null : <AnswerDialog {...asked} close={close} answered={close} />}
    </>
  );
}

/** One that was answered: a line that opens. */
function Decided({ approval }: { readonly approval: Approval }) {
  const { title, status, decided_at: at, decided_by: by } = approval;
  return (
    <details className="sb-raw">
      <summary>
        <StateBadge look={approvalLooks[status]} />{" "}
        <strong>
          <Plain text={title} />
        </strong>{" "}
        <span className="sb-dim sb-small">
          {by === null ? "" : <Plain text={`by ${by}`} />} <When at={at} />
        </span>
      </summary>
      <ApprovalView approval={approval} ask={() => undefined} isOnRun />
    </details>
  );
}
