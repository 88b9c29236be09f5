// Batches: rows that travel as one array per column and are unnested again. Whatever they hold, the
// database reads back what was given; asked of the database itself, which alone knows its own
// notation.
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Json } from "../../src/domain/run.ts";
import type { Column } from "../../src/store/batch.ts";
import {
  arraysOf,
  batch,
  instantText,
  jsonText,
  batched,
  namesOf,
  parametersOf,
  sendBatch,
  settingOf,
  arrayText,
  valuesOf,
} from "../../src/store/batch.ts";
import type { Runner } from "../../src/store/db.ts";
import { runnerOf, statement } from "../../src/store/db.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { emptyDatabase } from "../setup/database.ts";
import { openAs } from "./sessions.ts";

let database: FreshDatabase;
let client: pg.Client;
let runner: Runner;

beforeAll(async () => {
  database = await emptyDatabase();
  client = await openAs(database.connection, null);
  runner = runnerOf(client);
});
afterAll(async () => {
  await client?.end();
  await database?.drop();
});

type Values = {
  word: string | null;
  other: string | null;
  bytes: string | null;
  id: string | null;
  count: number | null;
  big: number | null;
  flag: boolean | null;
  at: number | null;
  json: Json | undefined;
  list: string[] | null;
  ids: string[] | null;
};

const columns: readonly Column<Values>[] = [
  { name: "word", type: "text", of: (row) => row.word },
  { name: "other", type: "text", of: (row) => row.other },
  { name: "bytes", type: "bytea", of: (row) => (row.bytes === null ? null : `\\x${row.bytes}`) },
  { name: "id", type: "uuid", of: (row) => row.id },
  { name: "count", type: "integer", of: (row) => row.count },
  { name: "big", type: "bigint", of: (row) => row.big },
  { name: "flag", type: "boolean", of: (row) => row.flag },
  { name: "at", type: "timestamptz", of: (row) => instantText(row.at) },
  { name: "json", type: "text", of: (row) => jsonText(row.json), as: "jsonb" },
  {
    name: "list",
    type: "text",
    of: (row) => (row.list === null ? null : arrayText(row.list)),
    as: "text[]",
  },
  {
    name: "ids",
    type: "text",
    of: (row) => (row.ids === null ? null : arrayText(row.ids)),
    as: "uuid[]",
  },
];
const names = columns.map(({ name }) => name);
/** So that rows come back in their order, and none is lost though all its columns are empty. */
const numbered: readonly Column<Values & { n: number }>[] = [
  { name: "n", type: "integer", of: (row) => row.n },
  ...columns,
];

const readBack = batched(
  "read_back",
  numbered,
  (rows, next) => `select ${valuesOf(numbered)} from ${rows} where $${next} = 'more' order by n.n`,
);

/** What the database has of the rows. */
async function backOf(rows: readonly Values[]): Promise<Values[]> {
  const given = rows.map((row, n) => ({ ...row, n }));
  type Found = { n: number; bytes: Buffer | null } & Values;
  const found = await sendBatch<Values & { n: number }, Found>(runner, readBack, given, ["more"]);
  return found.map(({ n, bytes, json, ...row }, at) => {
    expect(n).toBe(at);
    const hex = (bytes as Buffer | null)?.toString("hex") ?? null;
    return { ...row, bytes: hex, json: json ?? undefined };
  });
}

/** Text as the door lets it in: no NUL, no half of a pair. */
const word = fc.oneof(
  fc.constantFrom("", " ", "NULL", "null", "{", "}", "{}", ",", '"', "\\", '\\"', "\\\\", "'"),
  fc.constantFrom("\\x00", "\n", "\r\n", "\t", "{a,b}", '{"a",NULL}', "a\u0301", "é", "日本", "🚦"),
  fc.string({ unit: fc.constantFrom("{", "}", '"', ",", "\\", " ", "N", "\n", "é", "🚦") }),
  fc.string({ unit: "grapheme-composite" }),
);
const json: fc.Arbitrary<Json> = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    word,
    fc.boolean(),
    fc.integer(),
    fc.constantFrom(0.1, 1e21, 1e-7, -2.5),
    fc.array(tie("json"), { maxLength: 4 }),
    fc.dictionary(word, tie("json"), { maxKeys: 4, noNullPrototype: true }),
    fc.constant(null),
  ),
})).json;
const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(one, { freq: 3 });
const row: fc.Arbitrary<Values> = fc.record({
  word: maybe(word),
  other: maybe(fc.constantFrom("same", "words", "again")),
  bytes: maybe(fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("hex"))),
  id: maybe(fc.uuid()),
  count: maybe(fc.integer()),
  big: maybe(fc.maxSafeInteger()),
  flag: maybe(fc.boolean()),
  at: maybe(fc.integer({ min: Date.UTC(1, 0, 1), max: Date.UTC(9999, 11, 31) })),
  json: fc.oneof(
    fc.constant(undefined),
    json.filter((value) => value !== null),
  ),
  list: maybe(fc.array(word)),
  ids: maybe(fc.array(fc.uuid())),
});

const nothing: Values = {
  word: null,
  other: null,
  bytes: null,
  id: null,
  count: null,
  big: null,
  flag: null,
  at: null,
  json: undefined,
  list: null,
  ids: null,
};

describe("what comes back is what was given", () => {
  test("whatever the rows hold", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 30 }), async (rows) => {
        expect(await backOf(rows)).toEqual(rows);
      }),
      { numRuns: 300 },
    );
  });

  test("whatever one word holds, alone and beside its like", async () => {
    await fc.assert(
      fc.asyncProperty(word, word, async (one, two) => {
        const words = [one, null, two, two, one, null, null, ""];
        const rows = words.map((text) => ({ ...nothing, word: text, list: [one, two] }));
        expect(await backOf(rows)).toEqual(rows);
      }),
      { numRuns: 300 },
    );
  });

  test("whatever most rows have in common", async () => {
    await fc.assert(
      fc.asyncProperty(row, fc.array(row, { maxLength: 3 }), fc.nat(40), async (one, odd, n) => {
        const rows = [...Array.from({ length: n }, () => one), ...odd];
        expect(await backOf(rows)).toEqual(rows);
      }),
      { numRuns: 200 },
    );
  });

  test("a very long text, of what must be written differently", async () => {
    const long = '"\\{},🚦 NULL\n'.repeat(100_000);
    const rows = [nothing, { ...nothing, word: long, json: { long }, list: [long] }];
    expect(await backOf(rows)).toEqual(rows);
  });

  test("a thousand rows whose neighbours are alike or not", async () => {
    const rows = Array.from({ length: 1000 }, (_, n) => ({
      ...nothing,
      word: n % 7 === 0 ? null : String(Math.floor(n / 3)),
      count: n % 5,
      flag: n % 2 === 0,
      at: 1_800_000_000_000 + n,
    }));
    expect(await backOf(rows)).toEqual(rows);
  });

  test("instants to the millisecond, more of them than are remembered", async () => {
    const rows = Array.from({ length: 2500 }, (_, n) => ({ ...nothing, at: n * 86_399_999 }));
    expect(await backOf(rows)).toEqual(rows);
    expect(await backOf(rows)).toEqual(rows);
  });
});

describe("what is not there", () => {
  test("a column in which all rows are empty travels as null, and the rows remain", async () => {
    const rows = [{ ...nothing, word: "a" }, nothing, nothing];
    const parameters = arraysOf(columns, rows);
    const arrays = names.map((name) => (name === "word" ? '{"a",NULL,NULL}' : null));
    expect(parameters).toEqual([...arrays, ...names.slice(1).map(() => null)]);
    expect(parameters).toHaveLength(parametersOf(columns));
    expect(await backOf(rows)).toEqual(rows);
  });

  test("a column in which all rows are alike travels as that value, unless it is the key", () => {
    const rows = [0, 1, 2].map((n) => ({
      ...nothing,
      word: "a",
      other: 'b"',
      count: n,
      flag: true,
    }));
    const given = new Map(arraysOf(columns, rows).map((value, at) => [at, value]));
    const place = (name: string): number => names.indexOf(name);
    const alike = (name: string): number => columns.length - 1 + place(name);
    const is = (name: string) => [given.get(place(name)), given.get(alike(name))];
    expect(given.get(0)).toBe('{"a","a","a"}');
    expect(is("other")).toEqual([null, 'b"']);
    expect(is("count")).toEqual(["{0,1,2}", null]);
    expect(is("flag")).toEqual([null, "true"]);
    expect(is("at")).toEqual([null, null]);
  });

  test("no rows are no rows", async () => {
    expect(await backOf([])).toEqual([]);
  });

  test("an empty word is a word, an empty list a list, false a flag, 0 a count", async () => {
    const rows = [{ ...nothing, word: "", list: [], ids: [], flag: false, count: 0, json: false }];
    expect(await backOf(rows)).toEqual(rows);
  });
});

test("what no text column can hold is refused by the database, not mangled", async () => {
  const rows = [{ ...nothing, word: "a \u0000 b" }];
  await expect(backOf(rows)).rejects.toMatchObject({ code: "22021" });
});

type Patch = { id: string; kept: string | null; plain: string | null; sum: number | null };
const patchColumns: readonly Column<Patch>[] = [
  { name: "kept", type: "text", of: (patch) => patch.kept, keep: true },
  { name: "plain", type: "text", of: (patch) => patch.plain },
  { name: "sum", type: "integer", of: (patch) => patch.sum, set: "r.sum + coalesce(n.sum, 1)" },
];

describe("in a statement", () => {
  const withId: readonly Column<Patch>[] = [
    { name: "id", type: "uuid", of: (patch) => patch.id },
    ...patchColumns,
  ];

  test("an update keeps, replaces or computes, as each column says", async () => {
    await client.query(
      "create temp table t (id uuid primary key, kept text, plain text, sum integer)",
    );
    const insert = statement(
      "insert_t",
      `insert into t (${namesOf(withId)}) select ${valuesOf(withId)} from ${batch(withId)}`,
    );
    const update = statement(
      "update_t",
      `update t r set ${settingOf(patchColumns)} from ${batch(withId)} where r.id = n.id`,
    );
    const ids = [randomUUID(), randomUUID()] as const;
    const before = ids.map((id) => ({ id, kept: "old", plain: "old", sum: 1 }));
    await runner.query(insert, arraysOf(withId, before));
    const patches = [
      { id: ids[0], kept: null, plain: null, sum: null },
      { id: ids[1], kept: "new", plain: "new", sum: 5 },
    ];
    await runner.query(update, arraysOf(withId, patches));
    const { rows } = await client.query("select kept, plain, sum from t order by sum");
    expect(rows).toEqual([
      { kept: "old", plain: null, sum: 2 },
      { kept: "new", plain: "new", sum: 6 },
    ]);
  });
});
