// The two buttons for dead letters, and the desk that holds their dialogs.
// Promises: the same for one, for those that are ticked, and for a group; a dialog stays until it
// is closed, also when what it was about has left the list below.
// Leaves to others: the dialogs.

import { Button } from "@mantine/core";
import { createContext, useContext, useState } from "react";
import type { ReactNode } from "react";
import { DiscardDialog } from "./discard-dialog.tsx";
import { RedriveDialog } from "./redrive-dialog.tsx";
import type { Which } from "./which.ts";

const verbs = ["Redrive", "Discard"] as const;
type Asked = { readonly which: Which; readonly verb: (typeof verbs)[number] };

const Desk = createContext<(asked: Asked) => void>(() => undefined);

/** Around whatever has the buttons: stays while lists come and go. */
export function LetterDesk({ children }: { readonly children: ReactNode }) {
  const [asked, ask] = useState<Asked | null>(null);
  const close = (): void => ask(null);
  return (
    <Desk.Provider value={ask}>
      {children}
      {asked?.verb === "Redrive" ? <RedriveDialog which={asked.which} close={close} /> : null}
      {asked?.verb === "Discard" ? <DiscardDialog which={asked.which} close={close} /> : null}
    </Desk.Provider>
  );
}

type ActsProps = {
  readonly which: Which;
  /** `all 12`, `selected`. */
  readonly what: string;
  /** For screen readers: of which. */
  readonly name?: string;
  readonly size?: "xs" | "compact-sm";
  readonly disabled?: boolean;
};

export function LetterActs({ which, what, name, size = "xs", disabled = false }: ActsProps) {
  const ask = useContext(Desk);
  return (
    <>
      {verbs.map((verb) => {
        const label = [verb, what].filter(Boolean).join(" ");
        return (
          <Button
            key={verb}
            size={size}
            variant="default"
            disabled={disabled}
            aria-label={name === undefined ? `${label} …` : `${label} … ${name}`}
            onClick={() => ask({ which, verb })}
          >
            {label} …
          </Button>
        );
      })}
    </>
  );
}
