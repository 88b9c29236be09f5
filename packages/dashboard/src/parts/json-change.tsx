// Two JSON documents as one list of lines: what is gone, what is new, what stays.
// Promises: signs and words beside the colours; long stretches without a change are folded until
// asked for; text of agents is text.
// Leaves to others: finding the lines (`json-diff.ts`).

import type { Json } from "@signalbox/sdk";
import { useState } from "react";
import { diffOf } from "./json-diff.ts";
import type { DiffLine } from "./json-diff.ts";
import { plain } from "./plain.tsx";

type ChangeProps = {
  readonly before: Json;
  readonly after: Json;
  /** What the two are, for screen readers. */
  readonly name: string;
};

/** Lines around a change that are shown with it. */
const AROUND = 3;
const signs = { same: " ", gone: "−", new: "+" } as const;
const words = { same: "", gone: "removed: ", new: "added: " } as const;

export function JsonChange({ before, after, name }: ChangeProps) {
  const [isWhole, showWhole] = useState(false);
  const lines = diffOf(before, after);
  const count = (kind: DiffLine["kind"]): number =>
    lines.filter((line) => line.kind === kind).length;
  const [gone, added] = [count("gone"), count("new")];
  const isSeen = (n: number): boolean =>
    isWhole || lines.slice(Math.max(0, n - AROUND), n + AROUND + 1).some(isChange);
  const hidden = lines.filter((_, n) => !isSeen(n)).length;
  if (gone + added === 0) return <p className="sb-dim">No difference.</p>;
  return (
    <div className="sb-stack-s">
      <div className="sb-row sb-between sb-small">
        <span className="sb-num">
          <span className="sb-change-gone">−{gone} removed</span>{" "}
          <span className="sb-change-new">+{added} added</span>
        </span>
        {hidden === 0 && !isWhole ? null : (
          <button type="button" className="sb-more" onClick={() => showWhole(!isWhole)}>
            {isWhole ? "Only what changes" : `Show ${hidden} unchanged lines`}
          </button>
        )}
      </div>
      <div className="sb-change" role="region" aria-label={name} tabIndex={0}>
        {lines.map((line, n) =>
          isSeen(n) ? (
            <Line key={n} line={line} other={partner(lines, n)} />
          ) : isSeen(n + 1) || n === lines.length - 1 ? (
            <div key={n} className="sb-dim" aria-hidden="true">
              ⋯
            </div>
          ) : null,
        )}
      </div>
    </div>
  );
}

const isChange = ({ kind }: DiffLine): boolean => kind !== "same";

/** The line that stands for this one on the other side, when as many are gone as are new. */
function partner(lines: readonly DiffLine[], n: number): string | null {
  const { kind } = lines[n] ?? { kind: "same" };
  if (kind === "same") return null;
  let from = n;
  while (from > 0 && isChange(lines[from - 1] as DiffLine)) from -= 1;
  let to = n;
  while (to < lines.length - 1 && isChange(lines[to + 1] as DiffLine)) to += 1;
  const block = lines.slice(from, to + 1);
  const mine = block.filter((line) => line.kind === kind);
  const others = block.filter((line) => line.kind !== kind);
  if (mine.length !== others.length) return null;
  const place = block.slice(0, n - from).filter((line) => line.kind === kind).length;
  return others[place]?.text ?? null;
}

function Line({ line: { kind, text }, other }: { line: DiffLine; other: string | null }) {
  const [from, to] = other === null ? [0, 0] : differing(text, other);
  return (
    <div className={`sb-change-line sb-change-${kind}`}>
      <span aria-hidden="true" className="sb-change-sign">
        {signs[kind]}
      </span>
      <span className="sb-hidden">{words[kind]}</span>
      <span className="sb-change-text">
        {plain(text.slice(0, from))}
        {to > from ? <mark>{plain(text.slice(from, to))}</mark> : null}
        {plain(text.slice(to))}
      </span>
    </div>
  );
}

/** From where to where a line differs from another. */
function differing(text: string, other: string): [number, number] {
  const most = Math.min(text.length, other.length);
  let from = 0;
  while (from < most && text[from] === other[from]) from += 1;
  let end = 0;
  while (end < most - from && text.at(-1 - end) === other.at(-1 - end)) end += 1;
  return [from, text.length - end];
}
