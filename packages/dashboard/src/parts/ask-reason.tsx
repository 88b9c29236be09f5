// A dialog before an action that needs a reason: what will happen, why, and go.
// Promises: nothing happens before the button of the dialog; the reason goes into the register, so
// an action that requires one cannot be done without; Escape leaves; Enter in the field goes.
// Leaves to others: the action (`api.ts`), how it went (notifications).

import { Button, Checkbox, Modal, TextInput } from "@mantine/core";
import { useState } from "react";
import type { FormEvent, ReactNode } from "react";

type AskReasonProps = {
  readonly title: string;
  /** What will happen, in words. */
  readonly children: ReactNode;
  readonly go: string;
  readonly dangerous?: boolean;
  readonly reasonNeeded?: boolean;
  /** A second choice, off at first. */
  readonly choice?: string;
  readonly close: () => void;
  readonly act: (reason: string, chosen: boolean) => void;
};

export function AskReason(props: AskReasonProps) {
  const { title, children, go, dangerous = false, reasonNeeded = true, choice, close, act } = props;
  const [reason, setReason] = useState("");
  const [chosen, setChosen] = useState(false);
  const isReady = !reasonNeeded || reason.trim() !== "";
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!isReady) return;
    act(reason.trim(), chosen);
    close();
  };
  return (
    <Modal opened onClose={close} title={title} centered>
      <form onSubmit={submit} className="sb-stack">
        <div>{children}</div>
        <TextInput
          label={reasonNeeded ? "Reason" : "Reason (optional)"}
          description="Kept in the register, with who did it."
          value={reason}
          maxLength={500}
          data-autofocus
          required={reasonNeeded}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        {choice === undefined ? null : (
          <Checkbox
            label={choice}
            checked={chosen}
            onChange={(event) => setChosen(event.currentTarget.checked)}
          />
        )}
        <div className="sb-row sb-end">
          <Button variant="default" onClick={close}>
            Leave it
          </Button>
          <Button type="submit" color={dangerous ? "red" : "blue"} disabled={!isReady}>
            {go}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
