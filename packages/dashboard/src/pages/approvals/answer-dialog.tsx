// The dialogs that answer a question: approve, reject, approve with edited arguments.
// Promises: nothing is sent before the button (or Enter; Ctrl Enter while editing); what will be
// approved is shown against what was asked; who loses the race is told who won, with what, and that
// nothing of theirs was used; what was typed survives a refusal and a reload.
// Leaves to others: which question (`inbox.tsx`, `pages/run/approvals.tsx`), the rule (server).

import { Button, Modal, TextInput } from "@mantine/core";
import type { Approval, Signalbox } from "@signalbox/sdk";
import { isSignalboxError } from "@signalbox/sdk";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { FormEvent, ReactNode } from "react";
import { useAsked } from "../../api.ts";
import { useDraft } from "../../parts/draft.ts";
import { jsonText } from "../../parts/json-text.ts";
import { plain } from "../../parts/plain.tsx";
import { Wrong } from "../../parts/quiet.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { riskLooks } from "../../parts/states.ts";
import { useReturn } from "../../parts/use-return.ts";
import { useSignedIn } from "../../session.ts";
import { editDraft } from "./answers.ts";
import type { AnswerKind } from "./answers.ts";
import { Edited, editedFrom } from "./edited.tsx";
import { Outcome } from "./words.tsx";

type AnswerDialogProps = {
  readonly approval: Approval;
  readonly kind: AnswerKind;
  readonly close: () => void;
  /** It was answered by this page. */
  readonly answered: (approval: Approval) => void;
};

const kinds = {
  approve: { title: "Approve", go: "Approve it", done: "Approved", color: "green" },
  reject: { title: "Reject", go: "Reject it", done: "Rejected", color: "red" },
  edit: { title: "Edit and approve", go: "Approve as edited", done: "Approved", color: "green" },
} as const;

export function AnswerDialog({ approval, kind, close, answered }: AnswerDialogProps) {
  useReturn();
  const { title, done } = kinds[kind];
  const { data: now = approval, refetch } = useAsked({
    of: ["approvals", approval.id],
    ask: (client) => client.approvals.get(approval.id),
  });
  const note = useDraft(`${approval.id}.note`, "");
  const edit = useDraft(editDraft(approval), jsonText(approval.arguments));
  const { mutate, isPending, error } = useAnswer({
    approval,
    said: (after) => {
      note.forget();
      edit.forget();
      notifications.show({
        message: `${done}: ${plain(approval.title)}`,
        color: "green",
        autoClose: 4_000,
      });
      answered(after);
    },
    lost: () => void refetch(),
  });
  const edited = kind === "edit" ? editedFrom(edit.text) : null;
  const isReady = edited === null || "value" in edited;
  const submit = (event?: FormEvent): void => {
    event?.preventDefault();
    if (!isReady || isPending) return;
    const comment = note.text.trim() === "" ? {} : { comment: note.text.trim() };
    const args = edited !== null && "value" in edited ? { arguments: edited.value } : {};
    mutate((client) =>
      kind === "reject"
        ? client.approvals.reject(approval.id, comment)
        : client.approvals.approve(approval.id, { ...comment, ...args }),
    );
  };
  const isLost = now.status !== "pending" && !isPending;
  return (
    <Modal
      opened
      onClose={close}
      centered
      title={`${title}: ${plain(approval.title).slice(0, 120)}`}
      size={kind === "edit" ? "xl" : "lg"}
    >
      {isLost ? (
        <Lost now={now} close={close} />
      ) : (
        <form onSubmit={submit} className="sb-stack">
          <Saying approval={approval} kind={kind} />
          {kind === "edit" ? (
            <Edited approval={approval} draft={edit} edited={editedFrom(edit.text)} go={submit} />
          ) : null}
          <Note kind={kind} text={note.text} write={note.write} />
          {error === null || isSignalboxError(error, "approval_decided") ? null : (
            <Wrong error={error} />
          )}
          <Buttons kind={kind} isReady={isReady} isPending={isPending} close={close} />
        </form>
      )}
    </Modal>
  );
}

/** Sends an answer. `lost`: it was refused because somebody was first. */
function useAnswer(answer: {
  readonly approval: Approval;
  readonly said: (after: Approval) => void;
  readonly lost: () => void;
}) {
  const { client, number } = useSignedIn();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (act: (client: Signalbox) => Promise<Approval>) => act(client),
    onSuccess: answer.said,
    onError: (error) => {
      if (isSignalboxError(error, "approval_decided")) answer.lost();
    },
    onSettled: async () => {
      const asked = (["approvals", "run", "runs", "counts"] as const).map((subject) =>
        queries.invalidateQueries({ queryKey: [number, subject] }),
      );
      await Promise.all(asked);
    },
  });
}

/** What the answer does. */
function Saying({ approval, kind }: { readonly approval: Approval; readonly kind: AnswerKind }) {
  const goesOn =
    approval.hold_until === null
      ? "The run is handed out again and its next attempt gets the answer."
      : "The attempt that waits goes on at once.";
  const text: Readonly<Record<AnswerKind, ReactNode>> = {
    approve: <>It may be done exactly as it was asked. {goesOn}</>,
    reject: <>It is not done, and the run ends cancelled with your note as its reason.</>,
    edit: <>What you write here may be done, and nothing else. {goesOn}</>,
  };
  return (
    <div className="sb-stack-s">
      <div className="sb-row">
        <StateBadge look={riskLooks[approval.risk]} />
        <code className="sb-action">{plain(approval.action)}</code>
      </div>
      <p>{text[kind]}</p>
    </div>
  );
}

type NoteProps = { kind: AnswerKind; text: string; write: (text: string) => void };

function Note({ kind, text, write }: NoteProps) {
  return (
    <TextInput
      label="Note (optional)"
      description="Kept in the register with your answer; the agent reads it, too."
      value={text}
      maxLength={500}
      {...(kind === "edit" ? {} : { "data-autofocus": true })}
      onChange={(event) => write(event.currentTarget.value)}
    />
  );
}

type ButtonsProps = { kind: AnswerKind; isReady: boolean; isPending: boolean; close: () => void };

function Buttons({ kind, isReady, isPending, close }: ButtonsProps) {
  const { go, color } = kinds[kind];
  return (
    <div className="sb-row sb-end sb-dialog-foot">
      <Button variant="default" onClick={close}>
        Leave it
      </Button>
      <Button type="submit" color={color} disabled={!isReady} loading={isPending}>
        {go}
      </Button>
    </div>
  );
}

const endings: Readonly<Record<Approval["status"], string>> = {
  pending: "Somebody was faster",
  approved: "Somebody was faster",
  rejected: "Somebody was faster",
  expired: "It has expired",
  cancelled: "It is not needed any more",
};

/** Somebody, or time, was faster. */
function Lost({ now, close }: { readonly now: Approval; readonly close: () => void }) {
  return (
    <div className="sb-stack" role="alert">
      <h3>{endings[now.status]}</h3>
      <Outcome of={now} />
      <p>Your answer was not used: one question has one answer. Nothing is left to do here.</p>
      <div className="sb-row sb-end">
        <Button onClick={close} data-autofocus>
          Back to the others
        </Button>
      </div>
    </div>
  );
}
