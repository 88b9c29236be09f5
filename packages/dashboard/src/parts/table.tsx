// A short table: heads, rows, figures aligned to the right.
// Promises: on small screens each row stands as a list of heads and values, and is a row of a table
// to screen readers all the same; rows can be walked with j and k.
// Leaves to others: lists of any length (`pages/runs/run-table.tsx`).

import type { ReactNode } from "react";

type TableProps = {
  readonly name: string;
  readonly heads: readonly string[];
  /** Columns that hold figures. */
  readonly figures?: readonly number[];
  readonly rows: readonly { readonly key: string; readonly cells: readonly ReactNode[] }[];
};

export function Table({ name, heads, figures = [], rows }: TableProps) {
  const look = (n: number): string | undefined => (figures.includes(n) ? "sb-figure" : undefined);
  return (
    <div className="sb-short-table" tabIndex={0} role="region" aria-label={name}>
      <table role="table">
        <thead>
          <tr role="row">
            {heads.map((head, n) => (
              <th key={head} scope="col" role="columnheader" className={look(n)}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells }) => (
            <tr key={key} role="row" data-item tabIndex={-1}>
              {cells.map((cell, n) => (
                <td key={heads[n]} role="cell" data-head={heads[n]} className={look(n)}>
                  <div>{cell}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
