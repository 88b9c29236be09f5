// The life of a run as bars to scale: its states in one lane, each attempt in its own.
// Promises: every bar is told in words too (its title and a list for screen readers); a bar is
// never thinner than can be seen; the axis names the real span.
// Leaves to others: the colours (`parts/states.ts`).

import type { Attempt, Event, Run } from "@signalbox/sdk";
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
  readonly events: readonly Event[];
  readonly attempts: readonly Attempt[];
};

/** Lanes for attempts beyond this are left to the table of attempts. */
const MOST_LANES = 12;
const THINNEST = 0.4;

export function Timeline({ run, events, attempts }: TimelineProps) {
  const now = useNow();
  const begin = Date.parse(run.created_at);
  const ended = run.finished_at === null ? null : Date.parse(run.finished_at);
  const end = Math.max(begin + 1, ended ?? now);
  const lanes: Lane[] = [
    { name: "state", bars: stateBars(events, end) },
    ...attempts.slice(-MOST_LANES).map((attempt) => ({
      name: `attempt ${attempt.number}`,
      bars: [attemptBar(attempt, end)],
    })),
  ];
  const share = (at: number): number =>
    (Math.min(Math.max(at - begin, 0), end - begin) / (end - begin)) * 100;
  return (
    <div className="sb-timeline">
      {lanes.map(({ name, bars }) => (
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
      ))}
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
  const moves = events.flatMap(({ at, to_state: state }) =>
    state === null ? [] : [{ at: Date.parse(at), state }],
  );
  return moves.flatMap(({ at, state }, n) => {
    const to = moves[n + 1]?.at ?? end;
    const look = runLooks[state];
    const isInstant = n === moves.length - 1 && to <= at;
    const say = isInstant ? look.word : `${look.word} for ${durationText(to - at)}`;
    return [{ from: at, to, look, say }];
  });
}

function attemptBar(attempt: Attempt, end: number): Bar {
  const { number, state, claimed_at: from, ended_at: to, cause } = attempt;
  const look = attemptLooks[state];
  const [began, ended] = [Date.parse(from), to === null ? end : Date.parse(to)];
  const why = cause === null ? "" : ` (${cause})`;
  const say = `attempt ${number}: ${look.word}${why}, ${durationText(ended - began)}`;
  return { from: began, to: ended, look, say };
}
