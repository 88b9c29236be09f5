// A short table: heads, rows, figures aligned to the right.
// Promises: scrolls sideways in its own box on small screens, or folds; rows can be walked with j
// and k.
// Leaves to others: lists of any length (`pages/runs/run-table.tsx`).

import type { ReactNode } from "react";

type TableProps = {
  readonly name: string;
  readonly heads: readonly string[];
  /** Columns that hold figures. */
  readonly figures?: readonly number[];
  /** On small screens each row stands on its own, with the heads beside its cells. */
  readonly folds?: boolean;
  readonly rows: readonly { readonly key: string; readonly cells: readonly ReactNode[] }[];
};

export function Table({ name, heads, figures = [], folds = false, rows }: TableProps) {
  const look = (n: number): string | undefined => (figures.includes(n) ? "sb-figure" : undefined);
  return (
    <div
      className={folds ? "sb-short-table sb-folds" : "sb-short-table"}
      tabIndex={0}
      role="region"
      aria-label={name}
    >
      <table>
        <thead>
          <tr>
            {heads.map((head, n) => (
              <th key={head} scope="col" className={look(n)}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells }) => (
            <tr key={key} data-item tabIndex={-1}>
              {cells.map((cell, n) => (
                <td key={heads[n]} className={look(n)} data-head={heads[n]}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
