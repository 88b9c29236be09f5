// The end of the demo: what the register says, and whether it is as it should be.
// Promises: every figure is read back through the API, none is remembered from the play (only who
// was killed is, since the register cannot know why a worker fell silent).
// Leaves to others: playing (play.ts).

import type { Attempt, Event, Run } from "@signalbox/sdk";
import { safeLine } from "../safe-text.ts";
import type { Screen } from "../screen.ts";
import { duration, paintState, workedMs } from "../show-run.ts";
import { titleOf } from "./board.ts";
import { agents, LOCK_HOLDERS, titles } from "./plan.ts";
import type { Played } from "./play.ts";
import type { Stage } from "./stage.ts";

export type Entry = { run: Run; attempts: Attempt[]; events: Event[] };

/** One expectation, with what was found. */
export type Expectation = { holds: boolean; says: string };

export type Verdict = { records: Entry[]; expectations: Expectation[] };

/** Reads everything back. */
export async function readBack({ client }: Stage, played: Played): Promise<Verdict> {
  const records: Entry[] = [];
  for (const id of played.runs) {
    const [run, attempts] = await Promise.all([client.runs.get(id), client.runs.attempts(id)]);
    const events: Event[] = [];
    for (;;) {
      const page = await client.runs.events(id, {
        limit: 500,
        after_seq: events.at(-1)?.seq ?? "0",
      });
      events.push(...page.items);
      if (!page.has_more) break;
    }
    records.push({ run, attempts, events });
  }
  return { records, expectations: expectations(records, played) };
}

function expectations(records: readonly Entry[], played: Played): Expectation[] {
  return [
    allCompleted(records),
    byPriority(records),
    afterDependency(records),
    failedTwice(records),
    survivedKill(records, played),
    withoutGaps(records),
  ];
}

const named = (records: readonly Entry[], title: string): Entry | undefined =>
  records.find(({ run }) => titleOf(run) === title);

const feedOf = (record: Entry | undefined, type: string): number =>
  Number(record?.events.find((event) => event.type === type)?.feed ?? Number.NaN);

function allCompleted(records: readonly Entry[]): Expectation {
  const done = records.filter(({ run }) => run.state === "completed").length;
  return { holds: done === records.length, says: `${done} of ${records.length} runs completed` };
}

function byPriority(records: readonly Entry[]): Expectation {
  const claimed = records
    .filter(({ run }) => run.agent === agents.surveyor.name)
    .toSorted((a, b) => feedOf(a, "run.claimed") - feedOf(b, "run.claimed"))
    .map(({ run }) => run.priority);
  const holds = claimed.every((priority, n) => n === 0 || priority <= (claimed[n - 1] ?? 0));
  return { holds: holds && claimed.length > 2, says: `claimed by priority: ${claimed.join(", ")}` };
}

function afterDependency(records: readonly Entry[]): Expectation {
  const done = feedOf(named(records, titles.manifest), "run.completed");
  const claimed = feedOf(named(records, titles.verify), "run.claimed");
  const says =
    `the dependent run was claimed (feed ${claimed}) after the one it waited for ` +
    `had completed (feed ${done})`;
  return { holds: claimed > done, says };
}

function failedTwice(records: readonly Entry[]): Expectation {
  const states = named(records, titles.publish)?.attempts.map(({ state }) => state) ?? [];
  const wanted = [...Array.from({ length: LOCK_HOLDERS }, () => "failed"), "completed"];
  return {
    holds: states.join() === wanted.join(),
    says: `the publisher's attempts: ${states.join(", ")}`,
  };
}

function survivedKill(records: readonly Entry[], { killedRun, killed }: Played): Expectation {
  const attempts = records.find(({ run }) => run.id === killedRun)?.attempts ?? [];
  const [first, second, ...more] = attempts;
  const holds =
    killed !== null &&
    first?.state === "lost" &&
    first.runtime === killed.runtime &&
    second?.state === "completed" &&
    second.runtime !== killed.runtime &&
    more.length === 0;
  if (!holds) {
    const states = attempts.map((one) => `${one.runtime} ${one.state}`).join(", ");
    return { holds, says: `the killed worker's run: ${states || "no attempts"}` };
  }
  const tookMs = Date.parse(second.claimed_at) - killed.at;
  const says =
    `${killed.runtime} was killed by SIGKILL; its attempt was lost, and ${second.runtime} ` +
    `took over ${duration(tookMs)} later and finished the run`;
  return { holds, says };
}

function withoutGaps(records: readonly Entry[]): Expectation {
  const holds = records.every(({ events, run }) => {
    const inOrder = events.every(({ seq }, n) => Number(seq) === n + 1);
    return inOrder && events.at(-1)?.seq === run.last_seq;
  });
  const count = records.reduce((sum, { events }) => sum + events.length, 0);
  const says = `${count} events, numbered 1 to n without a gap in each run`;
  return { holds, says: holds ? says : `${count} events, with gaps` };
}

/** The table and the expectations. */
export function showVerdict(screen: Screen, { records, expectations: found }: Verdict): void {
  const c = screen.colours;
  screen.line();
  screen.table(
    ["RUN", "AGENT", "PRIO", "STATE", "TRIES", "TOOK", "WHO"],
    records.map(({ run, attempts }) => {
      const worked = workedMs(run);
      return [
        safeLine(titleOf(run), 36),
        safeLine(run.agent ?? "", 14),
        String(run.priority),
        paintState(run.state, c),
        String(attempts.length),
        worked === null ? "" : duration(worked),
        safeLine([...new Set(attempts.map(({ runtime }) => runtime))].join(" → "), 40),
      ];
    }),
  );
  screen.line();
  for (const { holds, says } of found) {
    screen.line(`${holds ? c.green("✓") : c.red("✗")} ${safeLine(says)}`);
  }
}
