// A secret that the server shows once: copied, kept, then gone from the page.
// Promises: the dialog leaves by its own button alone, so that no stray key or click loses it; the
// secret is on no other place of the page and in no store.
// Leaves to others: making it (`pages/`).

import { Button, Modal } from "@mantine/core";
import type { ReactNode } from "react";
import { Copyable } from "./copyable.tsx";

type SecretDialogProps = {
  readonly title: string;
  readonly secret: string;
  /** Where it belongs. */
  readonly children: ReactNode;
  readonly close: () => void;
};

export function SecretDialog({ title, secret, children, close }: SecretDialogProps) {
  return (
    <Modal
      opened
      onClose={close}
      title={title}
      centered
      withCloseButton={false}
      closeOnClickOutside={false}
      closeOnEscape={false}
    >
      <div className="sb-stack">
        <p className="sb-note sb-amber">Shown once: copy it now. It cannot be shown again.</p>
        <Copyable text={secret} what="the secret" />
        <div>{children}</div>
        <div className="sb-row sb-end">
          <Button onClick={close}>I have kept it</Button>
        </div>
      </div>
    </Modal>
  );
}
