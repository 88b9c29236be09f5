// Plans: what the product sends, noted on its way, and how a database would execute it.
// Promises: a statement is explained as the engine runs it: prepared, on a session of the same role
// and settings; reading a plan executes nothing.
// Leaves to others: which plans are good (plans.test.ts).

import pg from "pg";
import type { FlushSession } from "../../src/engine/services/flush/flush.ts";
import type { Reader, Runner, SessionOptions, Statement } from "../../src/store/db.ts";
import { sessionConfig } from "../../src/store/db.ts";
import { ClientSession } from "../../src/store/session.ts";
import type { Connection } from "../setup/database.ts";
import { literal, nameProjects } from "./sessions.ts";

export type Sent = { readonly statement: Statement; readonly values: readonly unknown[] };

/** Notes each statement with its last values, and sends it on. */
export function noting(runner: Runner, sent: Map<string, Sent>): Runner {
  return {
    query: (statement, values = []) => {
      sent.set(statement.name, { statement, values });
      return runner.query(statement, values);
    },
  };
}

/** A pool of the product whose statements are noted. */
export function notingReader(reader: Reader, sent: Map<string, Sent>): Reader {
  const within: Reader["within"] = (projects, work) =>
    reader.within(projects, (runner) => work(noting(runner, sent)));
  return Object.assign(Object.create(reader) as Reader, { within });
}

/** A flush session of the product whose statements are noted. */
export class NotedSession implements FlushSession {
  readonly sent = new Map<string, Sent>();
  readonly #session: ClientSession;

  constructor(connection: Connection, options: SessionOptions) {
    this.#session = new ClientSession(connection, options);
  }

  async runner(): Promise<Runner> {
    return noting(await this.#session.runner(), this.sent);
  }

  discard(): void {
    this.#session.discard();
  }

  end(): Promise<void> {
    return this.#session.end();
  }
}

/** A node of a plan, as `explain (format json)` tells it. */
export type Node = {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly Plans?: readonly Node[];
};

/** A value as `execute` takes it: text that becomes what the parameter is. */
function given(value: unknown): string {
  if (!Array.isArray(value)) return value === null ? "null" : literal(String(value));
  const items = value.map((one) => (one === null ? "null" : JSON.stringify(String(one))));
  return literal(`{${items.join(",")}}`);
}

/** A session that explains as the engine's own of these options would execute. */
export class Explainer {
  readonly #client: pg.Client;
  readonly #projects: readonly string[];

  constructor(connection: Connection, options: SessionOptions, projects: readonly string[]) {
    this.#client = new pg.Client(sessionConfig(connection, options));
    this.#projects = projects;
  }

  open(): Promise<void> {
    return this.#client.connect().then(() => {});
  }

  end(): Promise<void> {
    return this.#client.end();
  }

  /**
   * The plans of so many executions, one after the other: after five with the values in view
   * PostgreSQL may take one that holds for all values.
   */
  async plans({ statement, values }: Sent, executions: number): Promise<Node[]> {
    const client = this.#client;
    const call = values.length === 0 ? "noted" : `noted(${values.map(given).join(", ")})`;
    const plans: Node[] = [];
    await client.query("begin");
    try {
      await nameProjects(client, this.#projects);
      await client.query(`prepare noted as ${statement.text}`);
      for (let n = 0; n < executions; n += 1) {
        const { rows } = await client.query<{ "QUERY PLAN": readonly { Plan: Node }[] }>(
          `explain (format json) execute ${call}`,
        );
        plans.push(...rows.flatMap((row) => row["QUERY PLAN"].map(({ Plan }) => Plan)));
      }
    } finally {
      await client.query("rollback");
      await client.query("deallocate all");
    }
    return plans;
  }
}

/** Tables that grow with the work done, or with those who ask for it. */
const growing = new Set([
  "run",
  "run_spec",
  "run_tag",
  "run_dependency",
  "attempt",
  "event",
  "lane",
  "agent",
  "presence",
  "account",
  "exhaustion",
  "allowance",
  "allowance_period",
  "reservation",
  "refund",
  "usage",
  "slot",
  "run_block",
]);

/** How a growing table is reached: `run by run_pkey (id)`; null columns: nothing bounds it. */
type Reach = { readonly table: string; readonly index: string | null; readonly by: Set<string> };

/** A node and all below it. */
function* nodesOf(plan: Node): Generator<Node> {
  yield plan;
  for (const below of plan.Plans ?? []) yield* nodesOf(below);
}

/** Columns that an index condition bounds: those on the left of its comparisons. */
function columnsOf(condition: string): Set<string> {
  const rows = [...condition.matchAll(/ROW\(([\w, ]+)\) [<>]/g)];
  const single = condition.replaceAll(/ROW\([^)]*\)/g, "").matchAll(/\((\w+) (?:=|[<>]=?) /g);
  const named = [...rows.flatMap(([, list = ""]) => list.split(", ")), ...[...single].map(second)];
  return new Set(named);
}

const second = ([, word = ""]: RegExpMatchArray): string => word;

function reachOf(node: Node): Reach | null {
  const { "Relation Name": table, "Node Type": type, Plans: below = [] } = node;
  if (table === undefined || !growing.has(table) || type === "ModifyTable") return null;
  const scan = below.find((one) => one["Node Type"] === "Bitmap Index Scan") ?? node;
  const { "Index Name": index = null, "Index Cond": condition = "" } = scan;
  return { table, index, by: columnsOf(condition) };
}

/** How a plan reaches each growing table that it reads, in the order of the plan. */
export function pathsOf(plan: Node): string[] {
  return [...nodesOf(plan)].flatMap((node) => {
    const reach = reachOf(node);
    if (reach === null) return [];
    const { table, index, by } = reach;
    return [`${table} by ${index ?? "reading all"} (${[...by].toSorted().join(", ")})`];
  });
}

/** What a plan reads beyond what was asked for; nothing for a good one. */
export function excessOf(plan: Node): string[] {
  return [...nodesOf(plan)].flatMap((node) => {
    if (node["Node Type"] === "Hash") {
      return [...nodesOf(node)].flatMap((below) => {
        const reach = reachOf(below);
        return reach === null ? [] : [`hashes ${reach.table}`];
      });
    }
    const reach = reachOf(node);
    if (reach === null) return [];
    const { table, index, by } = reach;
    if (index === null) return [`reads all of ${table}`];
    if (by.size === 0) return [`walks all of ${table} by ${index}`];
    const isProjectOnly = by.size === 1 && by.has("project_id");
    return isProjectOnly ? [`reads ${table} of whole projects by ${index}`] : [];
  });
}
