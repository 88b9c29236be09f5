// Rows as arrays: how a set-based write gets its rows, one array parameter per column, unnested.
// Promises: every value arrives as it was given, whatever characters it has; a column in which all
// rows are alike travels as that one value, and one in which all are empty not at all (reading
// arrays is half of what a set-based insert costs, ADR 0040). The first column is the key, of which
// no two rows are alike.
// Leaves to others: which columns there are (one table beside each statement).

import type { Row, Runner, Statement } from "./db.ts";
import { statement } from "./db.ts";

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

/**
 * The batch as a table expression `n` whose parameters begin with `$1`: an array per column, then
 * for every column but the first the value that all its rows have. By `case`: row-level security
 * keeps `coalesce` out of index conditions.
 */
export function batch<T>(columns: readonly Column<T>[]): string {
  const arrays = columns.map(({ type }, at) => `$${at + 1}::${type}[]`);
  const names = columns.map(({ name }) => name).join(", ");
  const values = columns.map(({ name, type }, at) => {
    if (at === 0) return `u.${name}`;
    const alike = `$${columns.length + at}::${type}`;
    return `case when u.${name} is null then ${alike} else u.${name} end as ${name}`;
  });
  return `(select ${values.join(", ")} from unnest(${arrays.join(", ")}) as u(${names})) n`;
}

/** How many parameters a batch of these columns has: what else a statement is given comes after. */
export function parametersOf<T>(columns: readonly Column<T>[]): number {
  return 2 * columns.length - 1;
}

/** One row as the table expression `n`: without arrays, since setting them up costs most. */
function single<T>(columns: readonly Column<T>[]): string {
  const values = columns.map(({ name, type }, at) => `$${at + 1}::${type} as ${name}`);
  return `(select ${values.join(", ")}) n`;
}

/** A statement over rows of these columns, and the same for one row alone. */
export type Batched<T> = {
  readonly columns: readonly Column<T>[];
  readonly many: Statement;
  readonly one: Statement;
};

/** What the statement says of its rows: where they are (`n`), and which parameter comes next. */
type Text = (rows: string, next: number) => string;

/**
 * A statement over a batch, in both its forms. The one for a row alone is called `…_alone`.
 *
 * @example
 * batched("say", columns, (rows, next) => `select $${next}::text || n.word from ${rows}`);
 */
export function batched<T>(name: string, columns: readonly Column<T>[], text: Text): Batched<T> {
  return {
    columns,
    many: statement(name, text(batch(columns), parametersOf(columns) + 1)),
    one: statement(`${name}_alone`, text(single(columns), columns.length + 1)),
  };
}

/** Sends rows by the form that fits their number, with what else the statement is given. */
export function sendBatch<T, R extends Row>(
  runner: Runner,
  { columns, many, one }: Batched<T>,
  rows: readonly T[],
  more: readonly unknown[] = [],
): Promise<R[]> {
  const [row] = rows;
  if (row === undefined || rows.length > 1) {
    return runner.query<R>(many, [...arraysOf(columns, rows), ...more]);
  }
  const values = columns.map(({ of }) => of(row) ?? null);
  return runner.query<R>(one, [...values, ...more]);
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

/** The parameters of a batch: the arrays of the columns, then what is alike in all rows. */
export function arraysOf<T>(columns: readonly Column<T>[], rows: readonly T[]): (string | null)[] {
  const arrays: (string | null)[] = [];
  const alike: (string | null)[] = [];
  for (const column of columns) {
    const common = arrays.length === 0 ? undefined : commonOf(column, rows);
    arrays.push(common === undefined ? arrayOf(column, rows) : null);
    if (arrays.length > 1) alike.push(common ?? null);
  }
  return [...arrays, ...alike];
}

/** What all rows have in a column; null: nothing, undefined: they differ. */
function commonOf<T>({ of }: Column<T>, rows: readonly T[]): string | null | undefined {
  const [first] = rows;
  if (first === undefined) return null;
  const common = of(first) ?? null;
  for (const row of rows) if ((of(row) ?? null) !== common) return undefined;
  return common === null ? null : String(common);
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
