// A JSON document to be read by a person: as a tree, or as its text.
// Promises: what is a string, a number or nothing stays to be told apart; text of several lines is
// shown as such; long text is cut until asked for; agents' text is text.
// Leaves to others: what differs between two (`json-change.tsx`).

import type { Json } from "@signalbox/sdk";
import { useState } from "react";
import { CopyButton } from "./copyable.tsx";
import { plain } from "./plain.tsx";

type TreeProps = {
  readonly value: Json;
  readonly name: string;
  /** Above it; default none. */
  readonly title?: string;
};

/** Tree and text, with a choice between them; copying takes the text whole. */
export function JsonTree({ value, name, title }: TreeProps) {
  const [isText, showText] = useState(false);
  const text = JSON.stringify(value, null, 2) ?? "null";
  const choices = [
    ["Tree", false],
    ["JSON", true],
  ] as const;
  return (
    <div className="sb-tree-box">
      <div className="sb-row">
        {title === undefined ? <span className="sb-grow" /> : <h3 className="sb-grow">{title}</h3>}
        {choices.map(([word, is]) => (
          <button
            key={word}
            type="button"
            className="sb-switch"
            aria-pressed={isText === is}
            aria-label={`${name} as ${word}`}
            onClick={() => showText(is)}
          >
            {word}
          </button>
        ))}
        <CopyButton text={text} what={name} />
      </div>
      {isText ? (
        <pre tabIndex={0} aria-label={name} className="sb-tree-text">
          {plain(text)}
        </pre>
      ) : (
        <div tabIndex={0} role="region" aria-label={name} className="sb-tree-text">
          <Items value={value} depth={0} />
        </div>
      )}
    </div>
  );
}

/** Things of one object or list that are drawn at first. */
const MOST_ITEMS = 100;

function Items({ value, depth }: { readonly value: Json; readonly depth: number }) {
  const [shown, show] = useState(MOST_ITEMS);
  if (typeof value !== "object" || value === null) return <Scalar value={value} />;
  const entries = Object.entries(value);
  if (entries.length === 0) {
    return <span className="sb-dim">{Array.isArray(value) ? "empty list" : "nothing"}</span>;
  }
  return (
    <ul className="sb-tree">
      {entries.slice(0, shown).map(([key, item]) => (
        <li key={key}>
          <Item name={key} value={item} depth={depth} />
        </li>
      ))}
      {entries.length > shown ? (
        <li>
          <button type="button" className="sb-more" onClick={() => show(shown + 10 * MOST_ITEMS)}>
            {entries.length - shown} more
          </button>
        </li>
      ) : null}
    </ul>
  );
}

/** Characters of a list of plain things that stands in one line. */
const MOST_LINE = 100;

/** A short list of plain things as its text; null for anything else. */
function lineOf(value: Json): string | null {
  if (!Array.isArray(value) || value.length === 0) return null;
  if (value.some((one) => typeof one === "object" && one !== null)) return null;
  const text = value.map((one) => JSON.stringify(one)).join(", ");
  return text.length > MOST_LINE ? null : `[${text}]`;
}

/** Depth to which a tree is open, and how large a thing may be for that. */
const OPEN_DEPTH = 3;
const OPEN_ITEMS = 30;

function Item({ name, value, depth }: { name: string; value: Json; depth: number }) {
  const size = typeof value === "object" && value !== null ? Object.keys(value).length : 0;
  const line = lineOf(value);
  if (size === 0 || line !== null) {
    return (
      <div className="sb-tree-row">
        <span className="sb-tree-key">{plain(name)}</span>
        {line === null ? (
          <Items value={value} depth={depth + 1} />
        ) : (
          <span className="sb-tree-string">{plain(line)}</span>
        )}
      </div>
    );
  }
  const isOpen = depth < OPEN_DEPTH && size <= OPEN_ITEMS;
  return (
    <details open={isOpen}>
      <summary>
        <span className="sb-tree-key">{plain(name)}</span>{" "}
        <span className="sb-dim">{sizeText(value, size)}</span>
      </summary>
      <Items value={value} depth={depth + 1} />
    </details>
  );
}

const sizeText = (value: Json, n: number): string =>
  `${n} ${Array.isArray(value) ? "item" : "field"}${n === 1 ? "" : "s"}`;

/** Characters of a text that are drawn at first. */
const MOST_TEXT = 1_200;

function Scalar({ value }: { readonly value: string | number | boolean | null }) {
  const [isWhole, showWhole] = useState(false);
  if (typeof value !== "string") return <span className="sb-tree-plain">{String(value)}</span>;
  const cut = isWhole ? value : value.slice(0, MOST_TEXT);
  const isBlock = value.includes("\n");
  return (
    <span className={isBlock ? "sb-tree-block" : "sb-tree-string"}>
      {isBlock ? plain(cut) : plain(JSON.stringify(cut))}
      {cut.length < value.length ? (
        <button type="button" className="sb-more" onClick={() => showWhole(true)}>
          … {value.length - cut.length} more characters
        </button>
      ) : null}
    </span>
  );
}
