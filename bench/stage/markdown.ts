// Tables of a page.
// Leaves to others: the width of columns (the formatter).

/** A table, line by line. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
}
