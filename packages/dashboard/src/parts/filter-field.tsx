// A field that filters a list.
// Promises: applied when typing pauses, without blanks around it; Escape empties it; what the
// address says by other means wins.
// Leaves to others: the address, the list.

import { TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useState } from "react";

const TYPING_MS = 250;

type FieldProps = {
  readonly label: string;
  readonly value: string;
  readonly set: (value: string) => void;
  /** `/` leads here. */
  readonly isFirst?: boolean;
};

export function FilterField({ label, value, set, isFirst = false }: FieldProps) {
  const [typed, setTyped] = useState(value);
  const [from, setFrom] = useState(value);
  if (from !== value) {
    setFrom(value);
    if (typed.trim() !== value) setTyped(value);
  }
  const apply = useDebouncedCallback((text: string) => set(text.trim()), TYPING_MS);
  return (
    <TextInput
      size="xs"
      className="sb-field"
      aria-label={label}
      placeholder={label}
      value={typed}
      {...(isFirst ? { "data-search": true } : {})}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        setTyped("");
        set("");
      }}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        apply(event.currentTarget.value);
      }}
    />
  );
}
