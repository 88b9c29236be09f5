// Putting dead letters away: why, and go.
// Promises: no letter is put away without a note; the note goes into the register.
// Leaves to others: counting, doing, how it went (`act-dialog.tsx`).

import { TextInput } from "@mantine/core";
import { useState } from "react";
import { ActDialog } from "./act-dialog.tsx";
import { bodyOf, doneOne, oneOf } from "./which.ts";
import type { Act, Which } from "./which.ts";

type DiscardProps = { readonly which: Which; readonly close: () => void };

export function DiscardDialog({ which, close }: DiscardProps) {
  const [typed, setNote] = useState("");
  const note = typed.trim();
  const one = oneOf(which);
  const act: Act = async (client, confirmed) => {
    if (one === null) {
      return client.deadLetters.discardMany({ ...bodyOf(which), confirm_count: confirmed, note });
    }
    await client.deadLetters.discard(one, { note });
    return doneOne(one, null);
  };
  return (
    <ActDialog
      which={which}
      verb="Discard"
      past="discarded"
      says={
        "It stays failed and in the register, and waits for nobody any more. This cannot be " +
        "taken back."
      }
      isReady={note !== ""}
      act={act}
      close={close}
      isDangerous
    >
      <TextInput
        label="Note"
        description="Kept in the register, with who did it."
        value={typed}
        maxLength={500}
        required
        data-autofocus
        onChange={(event) => setNote(event.currentTarget.value)}
      />
    </ActDialog>
  );
}
