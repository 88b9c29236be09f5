// The footprint of a database: of every table how many rows it has and which transaction wrote
// each,
// so that a write is found even when it changed nothing.
// Promises: reads only; every table of the schema, whatever it is called.
// Leaves to others: what is done between two footprints (campaigns/reads.ts).

import type { Register } from "./register.ts";

/** Of each table: its rows, and a digest of where they lie and who wrote them. */
export type Footprint = ReadonlyMap<string, { readonly rows: number; readonly mark: string }>;

const tables = `
  select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'signalbox' and c.relkind = 'r' order by c.relname`;

const markOf = (table: string): string => `
  select count(*)::integer as rows,
    coalesce(md5(string_agg(t.ctid::text || ' ' || t.xmin::text || ' ' || t.xmax::text, ','
      order by t.ctid)), '') as mark
  from signalbox."${table}" t`;

/** Everything that is written in the database now. */
export async function footprintOf(register: Register): Promise<Footprint> {
  const found = new Map<string, { rows: number; mark: string }>();
  for (const { name } of await register.rows<{ name: string }>(tables)) {
    const [row] = await register.rows<{ rows: number; mark: string }>(markOf(name));
    if (row !== undefined) found.set(name, row);
  }
  return found;
}

/** Tables that are not as they were. */
export function changedTables(before: Footprint, after: Footprint): string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])];
  return names.filter((name) => before.get(name)?.mark !== after.get(name)?.mark);
}
