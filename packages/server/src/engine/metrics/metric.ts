// A metric as data: its name, what it says, and how it is read off what counts.
// Promises: a table of metrics stands without anything that counts, so the reference page is made
// from it; words from outside become label values only in a plain, short form.
// Leaves to others: the text (metrics.ts), what is counted (services/, store/house/figures.ts).

import type { Tally } from "../services/figures.ts";

export type Labels = { readonly [name: string]: string };
export type Sample = { readonly labels: Labels; readonly value: number | Tally };

type Described = {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** Names of its labels, for the reference. */
  readonly labels?: readonly string[];
  /** How many of what was counted make one of what is told: milliseconds are told in seconds. */
  readonly per?: number;
};

/** A row of a table, read off a source that is handed in later. */
export type MetricOf<Source> = Described & { readonly read: (source: Source) => readonly Sample[] };

/** A metric that can be asked. */
export type Metric = Described & { readonly read: () => readonly Sample[] };

export const MS_PER_SECOND = 1000;

/** Ties a table to its source. While there is none (null), its metrics have no samples. */
export function bind<Source>(
  table: readonly MetricOf<Source>[],
  source: () => Source | null,
): Metric[] {
  return table.map(({ read, ...described }) => ({
    ...described,
    read: () => {
      const present = source();
      return present === null ? [] : read(present);
    },
  }));
}

/** One sample without labels. */
export function single(value: number | Tally): Sample[] {
  return [{ labels: {}, value }];
}

/** A sample per word. */
export function byWord(
  label: string,
  values: Readonly<Record<string, number | Tally>>,
): readonly Sample[] {
  return Object.entries(values).map(([word, value]) => ({ labels: { [label]: word }, value }));
}

const PLAIN = /^[\w.:@/-]{1,64}$/;
/** What stands for all that is not told by name. */
export const OTHER = "other";

/** A name from outside as a label value: as it is when plain and short, else `other`. */
export function plainLabel(name: string): string {
  return PLAIN.test(name) ? name : OTHER;
}

/** Adds up samples that came to have the same labels. */
export function addedUp(samples: readonly (Sample & { readonly value: number })[]): Sample[] {
  const sums = new Map<string, { labels: Labels; value: number }>();
  for (const { labels, value } of samples) {
    const name = JSON.stringify(labels);
    const sum = sums.get(name);
    if (sum === undefined) sums.set(name, { labels, value });
    else sum.value += value;
  }
  return [...sums.values()];
}
