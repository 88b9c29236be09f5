// Verifying a whole register: every invariant, asked of a database that may be at work.
// Promises: reads only; refuses (`SchemaRefused`, exit code 78) a database of another schema, and
// sessions that would see nothing and so find nothing; what is asked of streams is asked of ranges
// with some 20,000 events, each question in a transaction of its own: neither memory nor the age
// of a snapshot grows with the register.
// Leaves to others: finding the database, telling the result (cli), what a database alone cannot
// show (`invariant-catalogue.ts`).

import type { Connection, RoleName } from "../db.ts";
import { Reader, statement } from "../db.ts";
import { programVersion, SchemaRefused } from "../migrate.ts";
import { checkIsolation } from "../self-check.ts";
import type { Invariant, Range, Violation } from "./invariant.ts";
import { everyStream, MOST_VIOLATIONS } from "./invariant.ts";
import { askedAbout, catalogue } from "./invariant-catalogue.ts";
import { invariants, violationsOf } from "./invariants.ts";

/** What was asked, and what was found. */
export type Verification = {
  /** Events of the register: an empty one shows nothing. */
  readonly events: number;
  readonly invariants: number;
  /** At most 100 of each invariant, in the order of their list. */
  readonly violations: readonly Violation[];
  /** What a database alone cannot show, wholly or in part. */
  readonly beyond: readonly Beyond[];
};

/** An invariant of which `verify` shows a part (`asked`) or nothing, and what shows the rest. */
export type Beyond = {
  readonly invariant: string;
  readonly says: string;
  readonly asked: boolean;
  readonly why: string;
  /** Names of tests. */
  readonly shown_by: readonly string[];
};

const asked = askedAbout(invariants.map(({ name }) => name));
const beyond: readonly Beyond[] = catalogue.flatMap(({ number, says, beyond: rest }) =>
  rest === undefined
    ? []
    : [
        {
          invariant: `I-${number}`,
          says,
          asked: asked.has(number),
          why: rest.why,
          shown_by: rest.shown.map(([words]) => words),
        },
      ],
);

/** A question over a large register takes its time; longer than this is no answer. */
const LONGEST_MS = 600_000;

const there = statement(
  "schema_there",
  "select to_regclass('signalbox.schema_migration') is not null as there",
);
const version = statement(
  "schema_version",
  "select coalesce(max(m.version), 0) as version from signalbox.schema_migration m",
);
const events = statement(
  "count_events",
  "select coalesce(sum(f.n), 0)::bigint as n from signalbox.feed_counter f",
);

/** A range ends with the stream in which this many events of it are full. */
const RANGE_EVENTS = 20_000;

const rangeEnd = statement(
  "end_of_range",
  `select e.stream_id as until from signalbox.event e where e.stream_id > $1::uuid
   order by e.stream_id, e.seq offset $2::integer limit 1`,
);

/** What may be set for tests, and what hears of progress. */
export type VerifyOptions = {
  /** Hears what is asked next: the name of an invariant, and of which range of streams. */
  readonly tell?: (name: string, range: number | null) => void;
  /** Events of a range, at least one stream. */
  readonly rangeEvents?: number;
};

/** Asks every invariant of everything that is stored. */
export async function verifyRegister(
  connection: Connection,
  options: VerifyOptions = {},
): Promise<Verification> {
  const readers = [null, "signalbox_app", "signalbox_house"] as const;
  const [owner, app, house] = readers.map((role) => readerOf(connection, role)) as [
    Reader,
    Reader,
    Reader,
  ];
  try {
    await checkSchema(owner);
    await checkIsolation(app, house);
    const found = await askAll(house, options);
    const counted = await house.within([], (runner) => runner.query<{ n: number }>(events));
    const all = counted[0]?.n ?? 0;
    return { events: all, invariants: invariants.length, violations: found, beyond };
  } finally {
    await Promise.all([owner, app, house].map((reader) => reader.end()));
  }
}

/** Range by range, so that what one holds is read from disk once; then what is asked at once. */
async function askAll(house: Reader, options: VerifyOptions): Promise<Violation[]> {
  const { tell = () => {}, rangeEvents = RANGE_EVENTS } = options;
  const found = new Map<string, Violation[]>();
  const ask = async (one: Invariant, range: Range): Promise<void> => {
    const known = found.get(one.name) ?? [];
    if (known.length >= MOST_VIOLATIONS) return;
    const more = await house.within([], (runner) => violationsOf(runner, one, range));
    found.set(one.name, [...known, ...more].slice(0, MOST_VIOLATIONS));
  };
  const ofStreams = invariants.filter((one) => one.ofStreams);
  let { after } = everyStream;
  for (let n = 1; after !== everyStream.until; n++) {
    const until = await endOf(house, after, rangeEvents);
    for (const one of ofStreams) {
      tell(one.name, n);
      await ask(one, { after, until });
    }
    after = until;
  }
  for (const one of invariants.filter((other) => !other.ofStreams)) {
    tell(one.name, null);
    await ask(one, everyStream);
  }
  return invariants.flatMap(({ name }) => found.get(name) ?? []);
}

async function endOf(house: Reader, after: string, size: number): Promise<string> {
  const [end] = await house.within([], (runner) =>
    runner.query<{ until: string }>(rangeEnd, [after, size - 1]),
  );
  return end?.until ?? everyStream.until;
}

function readerOf(connection: Connection, role: RoleName | null): Reader {
  const session = { role, applicationName: "signalbox verify", lockTimeoutMs: 10_000 };
  return new Reader(connection, { ...session, statementTimeoutMs: LONGEST_MS, readOnly: true }, 1);
}

async function checkSchema(owner: Reader): Promise<void> {
  const found = await owner.within([], async (runner) => {
    const [schema] = await runner.query<{ there: boolean }>(there);
    if (schema?.there !== true) return 0;
    return (await runner.query<{ version: number }>(version))[0]?.version ?? 0;
  });
  const known = programVersion();
  if (found === known) return;
  const todo =
    found > known
      ? "use a newer signalbox"
      : "`signalbox db migrate` brings the database up to date";
  throw new SchemaRefused(
    `The database has schema ${found}, this program knows ${known}; ${todo}.`,
  );
}
