// Planted faults: the check of the checker. For each part of the invariants one table of changes,
// by the invariant that must catch them; an invariant without a change fails, and so does a change
// for an invariant that is not asked.
// Leaves to others: the histories and their changes (invariants-*.test.ts), undoing them.

import { describe, expect, test } from "vitest";
import type { Violation } from "../../src/store/house/invariants.ts";
import { invariantParts } from "../../src/store/house/invariants.ts";

export type Part = keyof typeof invariantParts;

/** Statements of one fault each, by invariant and by what the fault is. */
export type Planted = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** What the checker finds after changes that are rolled back. */
export type Find = (...changes: string[]) => Promise<Violation[]>;

/** Declares that the history is good, that no invariant is without a fault, and that each bites. */
export function everyFaultIsNamed(part: Part, planted: Planted, found: Find): void {
  test(`without a fault nothing is violated (${part})`, async () => {
    expect(await found("select 1")).toEqual([]);
  });

  test(`every invariant has a fault that it must catch (${part})`, () => {
    const names = invariantParts[part].map(({ name }) => name);
    expect(Object.keys(planted).toSorted()).toEqual(names.toSorted());
    expect(Object.values(planted).every((faults) => Object.keys(faults).length > 0)).toBe(true);
  });

  describe.each(Object.entries(planted))("%s", (name, faults) => {
    test.each(Object.entries(faults))("catches %s", async (_, changes) => {
      const named = (await found(...changes)).map(({ invariant }) => invariant);
      expect(named).toContain(name);
    });
  });
}
