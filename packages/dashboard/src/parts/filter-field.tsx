// A field that filters a list.
// Promises: applied when typing pauses, without blanks around it; Escape empties it; what the
// address says by other means wins.
// Leaves to others: the address, the list.

import { TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useId, useState } from "react";

const TYPING_MS = 250;

type FieldProps = {
  readonly label: string;
  /** What stands in it while it is empty: the label, unless given. */
  readonly hint?: string;
  /** Words to choose from; any other can be typed. */
  readonly options?: readonly string[];
  readonly isWide?: boolean;
  readonly value: string;
  readonly set: (value: string) => void;
  /** `/` leads here. */
  readonly isFirst?: boolean;
};

export function FilterField({ label, hint = label, options, value, set, ...looks }: FieldProps) {
  const { isWide = false, isFirst = false } = looks;
  const list = useId();
  const [typed, setTyped] = useState(value);
  const [from, setFrom] = useState(value);
  if (from !== value) {
    setFrom(value);
    if (typed.trim() !== value) setTyped(value);
  }
  const apply = useDebouncedCallback((text: string) => set(text.trim()), TYPING_MS);
  return (
    <>
      <TextInput
        size="xs"
        className={isWide ? "sb-field-wide" : "sb-field"}
        aria-label={label}
        placeholder={hint}
        value={typed}
        {...(isFirst ? { "data-search": true } : {})}
        {...(options === undefined ? {} : { list })}
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
      {options === undefined ? null : (
        <datalist id={list}>
          {options.map((option) => (
            <option key={option} value={option} />
          ))}
        </datalist>
      )}
    </>
  );
}
