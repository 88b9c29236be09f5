// How a crowd is spread: ids that SQL can compute, the projects they belong to.
// Leaves to others: the rows (crowd.ts, fleet-crowd.ts).

export const PROJECTS = 5;

/** The n-th id of a kind (0 to 9), as SQL; ids of a kind grow with n as those of time do. */
export const idOf = (kind: number, n: string): string =>
  `('018f0000-0000-7${kind}00-8000-' || lpad(to_hex(${n}), 12, '0'))::uuid`;

/** The project of the n-th row, as SQL. */
export const projectOf = (n: string): string => idOf(9, `(${n}) % ${PROJECTS}`);

/** The projects of the crowd. */
export const crowdProjects = Array.from(
  { length: PROJECTS },
  (_, n) => `018f0000-0000-7900-8000-${n.toString(16).padStart(12, "0")}`,
);
