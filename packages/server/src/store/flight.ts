// Flights: the statements a flush sends in one turn of the event loop travel together, in one write
// with one Sync, and their answers come back in one piece.
// Promises: each statement is parsed once per connection and its columns are described once; an
// error ends its flight (what comes after it is not executed, a commit least of all) and rejects
// all that was not answered; flights of a session follow one another.
// Why not the driver's own pipelining: it sends Describe and Sync with every statement and makes
// objects, timers and row descriptions for each, which was most of what a small flush cost
// (ADR 0019). Leaves to others: connecting, timeouts, reading the protocol (pg).

import type pg from "pg";
import type { Plain } from "./batch.ts";
import { arrayText } from "./batch.ts";
import type { Row, Runner, Statement } from "./db.ts";
import { types } from "./db.ts";

type Asked = {
  readonly what: Statement;
  readonly values: readonly unknown[];
  rows: Row[];
  readonly resolve: (rows: Row[]) => void;
  readonly reject: (error: unknown) => void;
};

/** How the rows of a statement are read. The template gives all rows one shape. */
type Shape = {
  readonly names: readonly string[];
  readonly parsers: readonly ((text: string) => unknown)[];
  readonly template: { readonly [name: string]: null };
};

/** What is known of the statements of one connection, by name. */
type Known = {
  readonly shapes: Map<string, Shape>;
  readonly parsed: Set<string>;
  /** Those whose parsing was cut short by an error: closed before they are parsed again. */
  readonly doubtful: Set<string>;
};

/** The part of the driver's messages that is read here. */
type RowDescription = { readonly fields: readonly { name: string; dataTypeID: number }[] };
type DataRow = { readonly fields: readonly (string | null)[] };

const noRows: Shape = { names: [], parsers: [], template: {} };

/** Sends statements through a connected client that is used for nothing else. */
export class FlightRunner implements Runner {
  readonly #client: pg.Client;
  readonly #known: Known = { shapes: new Map(), parsed: new Set(), doubtful: new Set() };
  #waiting: Asked[] = [];
  #flying = false;
  #scheduled = false;

  constructor(client: pg.Client) {
    this.#client = client;
  }

  query<R extends Row>(what: Statement, values: readonly unknown[] = []): Promise<R[]> {
    return new Promise((resolve, reject) => {
      const given = resolve as (rows: Row[]) => void;
      this.#waiting.push({ what, values, rows: [], resolve: given, reject });
      if (this.#scheduled || this.#flying) return;
      this.#scheduled = true;
      process.nextTick(() => this.#fly());
    });
  }

  #fly(): void {
    this.#scheduled = false;
    const asked = this.#waiting;
    this.#waiting = [];
    this.#flying = true;
    const landed = (): void => {
      this.#flying = false;
      if (this.#waiting.length > 0) this.#fly();
    };
    this.#client.query(new Flight(asked, this.#known, landed));
  }
}

/** What `pg.Client` calls of a query it was given. */
class Flight implements pg.Submittable {
  /** Set by the client when it watches the time of a query: told of the end. */
  callback: (() => void) | undefined;
  readonly #asked: readonly Asked[];
  readonly #known: Known;
  readonly #landed: () => void;
  #at = 0;
  #over = false;

  constructor(asked: readonly Asked[], known: Known, landed: () => void) {
    this.#asked = asked;
    this.#known = known;
    this.#landed = landed;
  }

  submit(connection: pg.Connection): void {
    const { shapes } = this.#known;
    connection.stream.cork();
    for (const { what, values } of this.#asked) {
      const { name } = what;
      this.#parse(connection, what);
      connection.bind({ statement: name, values: values.map(valueText) }, true);
      if (!shapes.has(name)) connection.describe({ type: "P" }, true);
      connection.execute({}, true);
    }
    connection.sync();
    connection.stream.uncork();
  }

  #parse(connection: pg.Connection, { name, text }: Statement): void {
    const { parsed, doubtful } = this.#known;
    if (parsed.has(name)) return;
    if (doubtful.delete(name)) connection.close({ type: "S", name }, true);
    connection.parse({ name, text, types: [] }, true);
    parsed.add(name);
  }

  handleRowDescription({ fields }: RowDescription): void {
    const { what } = this.#asked[this.#at] as Asked;
    const names = fields.map((field) => field.name);
    const parsers = fields.map(({ dataTypeID }) => types.getTypeParser(dataTypeID, "text"));
    const template = Object.fromEntries(names.map((name) => [name, null] as const));
    this.#known.shapes.set(what.name, { names, parsers, template });
  }

  handleDataRow({ fields }: DataRow): void {
    if (this.#over) return;
    const { what, rows } = this.#asked[this.#at] as Asked;
    const { names, parsers, template } = this.#known.shapes.get(what.name) ?? noRows;
    const row: { [name: string]: unknown } = { ...template };
    for (let n = 0; n < names.length; n += 1) {
      const text = fields[n] ?? null;
      if (text !== null) row[names[n] as string] = parsers[n]?.(text);
    }
    rows.push(row);
  }

  handleCommandComplete(): void {
    if (this.#over) return;
    const { what, rows, resolve } = this.#asked[this.#at] as Asked;
    if (!this.#known.shapes.has(what.name)) this.#known.shapes.set(what.name, noRows);
    this.#at += 1;
    resolve(rows);
  }

  /** A statement failed, the connection was lost, or the answer took too long. */
  handleError(error: unknown): void {
    if (this.#over) return;
    for (const { what, reject } of this.#asked.slice(this.#at)) {
      this.#known.parsed.delete(what.name);
      this.#known.doubtful.add(what.name);
      reject(error);
    }
    this.#end();
  }

  handleReadyForQuery(): void {
    if (!this.#over) this.#end();
  }

  #end(): void {
    this.#over = true;
    this.callback?.();
    this.#landed();
  }
}

/** A parameter as text; null stays null. */
function valueText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return arrayText(value as Plain[]);
  return typeof value === "string" ? value : JSON.stringify(value);
}
