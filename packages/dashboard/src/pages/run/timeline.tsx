// The life of a run as bars to scale: its states in one lane, what it waited for in another, each
// attempt in its own.
// Promises: every bar is told in words too (its title and a list for screen readers); a bar is
// never thinner than can be seen; the axis names the real span.
// Leaves to others: the colours (`parts/states.ts`).

import type { Attempt, Event, Run, RunState } from "@signalbox/sdk";
import { plain } from "../../parts/plain.tsx";
import { attemptLooks, durationText, runLooks } from "../../parts/states.ts";
import type { Look } from "../../parts/states.ts";
import { useNow } from "../../parts/when.tsx";

type Bar = {
  readonly from: number;
  readonly to: number;
  readonly look: Look;
  readonly say: string;
};
type Lane = { readonly name: string; readonly bars: readonly Bar[] };

type TimelineProps = {
  readonly run: Run;
  readonly moves: readonly Event[];
  readonly attempts: readonly Attempt[];
};

/** Lanes for attempts beyond this are left to the table of attempts. */
const MOST_LANES = 12;
const THINNEST = 0.4;

export function Timeline({ run, moves, attempts }: TimelineProps) {
  const now = useNow();
  const begin = Date.parse(run.created_at);
  const ended = run.finished_at === null ? null : Date.parse(run.finished_at);
  const end = Math.max(begin + 1, ended ?? now);
  const lanes: Lane[] = [
    { name: "state", bars: stateBars(moves, end) },
    { name: "waits", bars: waitBars(moves, end) },
    ...attempts.slice(-MOST_LANES).map((attempt) => ({
      name: `attempt ${attempt.number}`,
      bars: [attemptBar(attempt, end)],
    })),
  ];
  const share = (at: number): number =>
    (Math.min(Math.max(at - begin, 0), end - begin) / (end - begin)) * 100;
  return (
    <div className="sb-timeline">
      {lanes.map(({ name, bars }) =>
        bars.length === 0 ? null : (
          <div key={name} className="sb-lane">
            <span className="sb-dim sb-small">{name}</span>
            <ol className="sb-track">
              {bars.map(({ from, to, look, say }) => (
                <li
                  key={`${say} ${from}`}
                  className={`sb-track-bar sb-${look.tone}`}
                  style={{
                    left: `${share(from)}%`,
                    width: `${Math.max(THINNEST, share(to) - share(from))}%`,
                  }}
                  title={say}
                >
                  <span className="sb-track-word">{look.word}</span>
                  <span className="sb-hidden">{say}</span>
                </li>
              ))}
            </ol>
          </div>
        ),
      )}
      <div className="sb-lane sb-dim sb-small sb-num" aria-hidden="true">
        <span />
        <div className="sb-row sb-between">
          {[0, 0.25, 0.5, 0.75, 1].map((part) => (
            <span key={part}>{part === 0 ? "0" : durationText((end - begin) * part)}</span>
          ))}
        </div>
      </div>
    </div>
  );
}

/** One bar per stay in a state, from the run's own transitions. */
function stateBars(events: readonly Event[], end: number): Bar[] {
  return staysOf(events, end).map(({ from, to, state, isLast }) => {
    const look = runLooks[state];
    const isInstant = isLast && to <= from;
    const say = isInstant ? look.word : `${look.word} for ${durationText(to - from)}`;
    return { from, to, look, say };
  });
}

const waiting: ReadonlySet<RunState> = new Set(["pending", "waiting_tool", "waiting_approval"]);

/** What it waited for: as the house has told (`dispatch.…`, `approval.…`), else its state. */
function waitBars(events: readonly Event[], end: number): Bar[] {
  return staysOf(events, end).flatMap(({ from, to, state }) => {
    if (!waiting.has(state) || to - from < LEAST_WAIT_MS) return [];
    const told = events.filter(
      ({ type, at }) => reasons.test(type) && Date.parse(at) >= from && Date.parse(at) <= to,
    );
    const why = [...new Set(told.map(whyOf))].filter((text) => text !== "").join("; ");
    const word = why === "" ? runLooks[state].word : why.slice(0, 200);
    const say = `waited ${durationText(to - from)}: ${word}`;
    return [{ from, to, look: { ...runLooks[state], word: plain(word) }, say: plain(say) }];
  });
}

/** Waits of less are the house's own way of working. */
const LEAST_WAIT_MS = 250;
const reasons = /^(?:dispatch|approval)\./;

function whyOf({ type, data }: Event): string {
  const { codes, title, reason } = data;
  if (Array.isArray(codes)) return codes.map(String).join(", ");
  return [title, reason].find((one) => typeof one === "string") ?? type;
}

type Stay = {
  readonly from: number;
  readonly to: number;
  readonly state: RunState;
  readonly isLast: boolean;
};

/** Each stay in a state, from the run's own transitions. */
function staysOf(events: readonly Event[], end: number): Stay[] {
  const moves = events.flatMap(({ at, to_state: state }) =>
    state === null ? [] : [{ at: Date.parse(at), state }],
  );
  return moves.map(({ at, state }, n) => ({
    from: at,
    to: moves[n + 1]?.at ?? end,
    state,
    isLast: n === moves.length - 1,
  }));
}

function attemptBar(attempt: Attempt, end: number): Bar {
  const { number, state, claimed_at: from, ended_at: to, cause } = attempt;
  const look = attemptLooks[state];
  const [began, ended] = [Date.parse(from), to === null ? end : Date.parse(to)];
  const why = cause === null ? "" : ` (${cause})`;
  const say = `attempt ${number}: ${look.word}${why}, ${durationText(ended - began)}`;
  return { from: began, to: ended, look, say };
}
