// Placeholders in the arguments of a command: `{input.path.to.value}` becomes that value.
// Promises: only own fields are read; strings are put in as they are, anything else as JSON; there
// is no shell, so a value is always part of exactly one argument. Other braces stay as they are.
// Leaves to others: guarding against values that begin with `-` (put `--` before them).

import type { Json } from "../../wire.ts";

const INPUT_PLACEHOLDER = /\{input((?:\.[^.{}]+)*)\}/g;

/** The input has no such field. The run cannot succeed with this input, so it is not retried. */
export class MissingInput extends Error {
  override readonly name = "MissingInput";
  /** The placeholder as written, such as `{input.pr}`. */
  readonly placeholder: string;

  constructor(placeholder: string) {
    super(`the arguments name ${placeholder}, but the input has no such field`);
    this.placeholder = placeholder;
  }
}

/** Fills the placeholders of all arguments. Throws {@link MissingInput}. */
export function fillPlaceholders(args: readonly string[], input: Json): string[] {
  return args.map((arg) =>
    arg.replace(INPUT_PLACEHOLDER, (placeholder: string, path: string) => {
      const value = lookUp(input, path === "" ? [] : path.slice(1).split("."));
      if (value === undefined) throw new MissingInput(placeholder);
      return typeof value === "string" ? value : JSON.stringify(value);
    }),
  );
}

function lookUp(input: Json, path: string[]): Json | undefined {
  let value: Json | undefined = input;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name))
      return undefined;
    value = (value as { [key: string]: Json })[name];
  }
  return value;
}
