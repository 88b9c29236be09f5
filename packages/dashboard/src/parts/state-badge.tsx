// A state as people see it: a shape, a word and a colour, in this order of importance.
// Promises: readable without colour; the shape is hidden from screen readers, which read the word.
// Leaves to others: which state has which look (`states.ts`).

import type { ReactElement } from "react";
import type { Look, Shape } from "./states.ts";

const stroke = { fill: "none", stroke: "currentColor", strokeWidth: 2, strokeLinecap: "round" };
const line = (d: string): ReactElement => <path d={d} {...(stroke as object)} />;
const solid = (d: string): ReactElement => <path d={d} fill="currentColor" />;

const shapes: Readonly<Record<Shape, ReactElement>> = {
  bars: line("M5 3v10M11 3v10"),
  bell: line("M3 11h10M4.5 11V7a3.5 3.5 0 0 1 7 0v4M8 14v0"),
  check: line("M3 8.5l3.5 3.5L13 4.5"),
  clock: line("M8 2a6 6 0 1 0 .01 0M8 5v3.5l2.5 1.5"),
  cross: line("M4 4l8 8M12 4l-8 8"),
  dash: line("M3 8h10"),
  diamond: line("M8 2l6 6-6 6-6-6z"),
  half: (
    <>
      {line("M8 2.5a5.5 5.5 0 1 0 .01 0")}
      {solid("M8 2.5a5.5 5.5 0 0 1 0 11z")}
    </>
  ),
  hand: line("M4 8V5.5M7 8V3M10 8V3.5M13 8V6v4a4 4 0 0 1-4 4H8c-2 0-3-1-4-3L2.5 8.5"),
  hourglass: line("M4 2.5h8M4 13.5h8M5 2.5c0 4 6 7 6 11M11 2.5c0 4-6 7-6 11"),
  play: solid("M4 2.5l9 5.5-9 5.5z"),
  ring: line("M8 3a5 5 0 1 0 .01 0"),
  square: line("M4 4h8v8H4z"),
  undo: line("M6 3L3 6l3 3M3 6h6a4 4 0 0 1 0 8H7"),
};

function StateShape({ shape }: { readonly shape: Shape }) {
  return (
    <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true" className="sb-shape">
      {shapes[shape]}
    </svg>
  );
}

/** A state as a badge. */
export function StateBadge({ look, note }: { readonly look: Look; readonly note?: string }) {
  return (
    <span className={`sb-badge sb-${look.tone}`}>
      <StateShape shape={look.shape} />
      {look.word}
      {note === undefined ? null : <span className="sb-badge-note">{note}</span>}
    </span>
  );
}
