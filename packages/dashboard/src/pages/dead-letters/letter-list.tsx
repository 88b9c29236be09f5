// The letters of a group as rows: the run, its error, who had it, and what can be done or was done.
// Promises: j and k move, Enter opens the run, x ticks; works on a narrow screen without scrolling
// sideways.
// Leaves to others: which letters (`group-page.tsx`), the dialogs.

import { Checkbox } from "@mantine/core";
import type { DeadLetter } from "@signalbox/sdk";
import { RunLink } from "../../parts/go.tsx";
import { Plain, runTitle } from "../../parts/plain.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { letterLooks } from "../../parts/states.ts";
import { When } from "../../parts/when.tsx";
import { LetterActs } from "./letter-acts.tsx";

type ListProps = {
  readonly letters: readonly DeadLetter[];
  readonly ticked: ReadonlySet<string>;
  readonly tick: (ids: ReadonlySet<string>) => void;
};

export function LetterList({ letters, ticked, tick }: ListProps) {
  const open = letters.filter(({ status }) => status === "open").map(({ run }) => run.id);
  const areAll = open.length > 0 && open.every((id) => ticked.has(id));
  return (
    <div className="sb-letters">
      {open.length === 0 ? null : (
        <div className="sb-letter sb-small">
          <Checkbox
            size="xs"
            label="Select all that are shown"
            checked={areAll}
            indeterminate={!areAll && ticked.size > 0}
            onChange={() => tick(new Set(areAll ? [] : open))}
          />
        </div>
      )}
      <ul aria-label="Dead letters">
        {letters.map((letter) => (
          <Row
            key={letter.run.id}
            letter={letter}
            isTicked={ticked.has(letter.run.id)}
            flip={() => {
              const next = new Set(ticked);
              if (!next.delete(letter.run.id)) next.add(letter.run.id);
              tick(next);
            }}
          />
        ))}
      </ul>
    </div>
  );
}

type RowProps = {
  readonly letter: DeadLetter;
  readonly isTicked: boolean;
  readonly flip: () => void;
};

function Row({ letter, isTicked, flip }: RowProps) {
  const { run, at, status } = letter;
  const isOpen = status === "open";
  return (
    <li
      className="sb-letter"
      data-item
      tabIndex={-1}
      onKeyDown={(event) => {
        if (event.target !== event.currentTarget) return;
        if (event.key === "Enter") event.currentTarget.querySelector("a")?.click();
        if (event.key === "x" && isOpen) flip();
      }}
    >
      {isOpen ? (
        <Checkbox
          size="xs"
          aria-label={`Select run ${run.id}`}
          checked={isTicked}
          onChange={flip}
        />
      ) : null}
      <div className="sb-letter-what">
        <div className="sb-row sb-between">
          <strong className="sb-clip">
            <RunLink id={run.id} title={runTitle(run)} />
          </strong>
          <span className="sb-dim sb-small">
            <When at={at} />
          </span>
        </div>
        <p className="sb-small sb-group-sample">
          <Plain text={(run.error?.message ?? "no message").slice(0, 400)} />
        </p>
        <p className="sb-small sb-dim sb-facts-line">
          <span>
            <Plain text={run.agent ?? "no agent"} />
          </span>
          <span>
            queue <Plain text={run.queue} />
          </span>
          <span className="sb-num">
            {run.attempts_used} attempt{run.attempts_used === 1 ? "" : "s"}
          </span>
        </p>
        {isOpen ? null : <Closed letter={letter} />}
      </div>
      {isOpen ? (
        <div className="sb-row">
          <LetterActs which={{ runs: [run.id] }} what="" name={runTitle(run)} size="compact-sm" />
        </div>
      ) : null}
    </li>
  );
}

/** What was done about it, by whom, and why. */
function Closed({ letter }: { readonly letter: DeadLetter }) {
  const { status, closed_at: at, closed_by: by, note, became } = letter;
  return (
    <div className="sb-row sb-small">
      <StateBadge look={letterLooks[status]} />
      <span>
        by <Plain text={by ?? "–"} /> <When at={at} />
        {note === null ? null : (
          <>
            : <Plain text={note} />
          </>
        )}
        {became === null ? null : (
          <>
            {" "}
            into <RunLink id={became} />
          </>
        )}
      </span>
    </div>
  );
}
