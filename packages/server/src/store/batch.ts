// Rows as arrays: how a set-based write gets its rows, one array parameter per column, unnested.
// Promises: every value arrives as it was given, whatever characters it has; a column in which all
// rows are empty costs nothing (its parameter is null, and `unnest` fills up with nulls).
// Leaves to others: which columns there are (one table beside each statement).

/** A column of a batch: its name, its SQL type, and what a row has in it (null = nothing). */
export type Column<T> = {
  readonly name: string;
  /** Type of one value as it travels. */
  readonly type: "uuid" | "bigint" | "integer" | "timestamptz" | "boolean" | "text" | "bytea";
  readonly of: (row: T) => string | number | boolean | null | undefined;
  /** Arrays and JSON travel as text and become this in the statement. */
  readonly as?: "jsonb" | "text[]" | "uuid[]";
  /** What an update makes of a row that has nothing here: the old value stays. */
  readonly keep?: true;
  /** What an update sets instead (`n` is the batch, `r` the row). */
  readonly set?: string;
};

function valueOf<T>({ name, as }: Column<T>): string {
  return as === undefined ? `n.${name}` : `n.${name}::${as}`;
}

/** The batch as a table expression `n` whose parameters begin with `$1`. */
export function batch<T>(columns: readonly Column<T>[]): string {
  const arrays = columns.map(({ type }, index) => `$${index + 1}::${type}[]`);
  return `unnest(${arrays.join(", ")}) as n(${columns.map(({ name }) => name).join(", ")})`;
}

/** Names of the columns, for an insert. */
export function namesOf<T>(columns: readonly Column<T>[]): string {
  return columns.map(({ name }) => name).join(", ");
}

/** Values of the columns, for an insert. */
export function valuesOf<T>(columns: readonly Column<T>[]): string {
  return columns.map(valueOf).join(", ");
}

/** `a = n.a, b = …`, for an update of a table called `r`. */
export function settingOf<T>(columns: readonly Column<T>[]): string {
  const settings = columns.map((column) => {
    const { name, keep, set } = column;
    const value = keep === true ? `coalesce(${valueOf(column)}, r.${name})` : valueOf(column);
    return `${name} = ${set ?? value}`;
  });
  return settings.join(", ");
}

/** One parameter per column, in order. */
export function arraysOf<T>(columns: readonly Column<T>[], rows: readonly T[]): (string | null)[] {
  return columns.map((column) => arrayOf(column, rows));
}

function arrayOf<T>({ type, of }: Column<T>, rows: readonly T[]): string | null {
  const isText = type === "text" || type === "bytea";
  let list = "";
  let empty = true;
  // The rows of a flush often have the same words: the last one is not quoted again.
  let last: string | number | boolean | null = null;
  let written = "NULL";
  for (const row of rows) {
    const value = of(row) ?? null;
    if (value !== last) {
      last = value;
      if (value === null) written = "NULL";
      else written = isText ? quoted(String(value)) : String(value);
    }
    if (value !== null) empty = false;
    list += list === "" ? written : `,${written}`;
  }
  return empty ? null : `{${list}}`;
}

/** What a parameter can be, or an item of one that is an array. */
export type Plain = string | number | boolean;

/** An array as PostgreSQL writes it. */
export function arrayText(values: readonly (Plain | null | undefined)[]): string {
  const items = values.map((value) =>
    value === null || value === undefined ? "NULL" : quoted(String(value)),
  );
  return `{${items.join(",")}}`;
}

const special = /["\\]/;

function quoted(text: string): string {
  return special.test(text) ? `"${text.replaceAll(/["\\]/g, "\\$&")}"` : `"${text}"`;
}

/** JSON as text for a column that is cast to `jsonb`; what is not there stays empty. */
export function jsonText(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value);
}

const remembered = new Map<number, string>();
const MAX_REMEMBERED = 1000;

/**
 * An instant as text. The rows of one flush share a few instants, so the last ones are remembered:
 * writing them anew was a tenth of what a flush cost.
 */
export function instantText(at: number | null | undefined): string | null {
  if (at === null || at === undefined) return null;
  const known = remembered.get(at);
  if (known !== undefined) return known;
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  const text = new Date(at).toISOString();
  remembered.set(at, text);
  return text;
}
