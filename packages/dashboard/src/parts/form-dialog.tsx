// A dialog with fields: what will happen, what is asked for, and go.
// Promises: nothing happens before its button; it stays open with what was typed until the server
// has done it, and a refusal is said inside it; Escape leaves; Enter in a field goes.
// Leaves to others: dialogs that want a reason alone (`ask-reason.tsx`).

import { Button, Modal } from "@mantine/core";
import { useState } from "react";
import type { FormEvent, ReactNode } from "react";
import { adviceOn } from "./advice.ts";
import type { Advice } from "./advice.ts";

type FormDialogProps = {
  readonly title: string;
  readonly children: ReactNode;
  readonly go: string;
  readonly dangerous?: boolean;
  /** Whether it can be done as it is filled in. */
  readonly ready?: boolean;
  readonly close: () => void;
  /** Throws what was refused. */
  readonly act: () => Promise<unknown>;
};

export function FormDialog(props: FormDialogProps) {
  const { title, children, go, dangerous = false, ready = true, close, act } = props;
  const [isGoing, setGoing] = useState(false);
  const [refused, setRefused] = useState<Advice | null>(null);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!ready || isGoing) return;
    setGoing(true);
    setRefused(null);
    try {
      await act();
      close();
    } catch (error) {
      setRefused(adviceOn(error));
      setGoing(false);
    }
  };
  return (
    <Modal opened onClose={close} title={title} centered>
      <form onSubmit={(event) => void submit(event)} className="sb-stack">
        {children}
        {refused === null ? null : (
          <p className="sb-note sb-red" role="alert">
            <strong>{refused.title}</strong>. {refused.advice}
          </p>
        )}
        <div className="sb-row sb-end">
          <Button variant="default" onClick={close}>
            Leave it
          </Button>
          <Button
            type="submit"
            color={dangerous ? "red" : "blue"}
            loading={isGoing}
            disabled={!ready}
          >
            {go}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
