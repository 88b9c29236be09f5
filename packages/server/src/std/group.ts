// Grouping: Map.groupBy, which Node 20 does not have yet.
// Promises: groups in order of first appearance, items in their order.

/**
 * Items by key.
 *
 * @example
 * groupBy([1, 2, 3], (n) => n % 2).get(1); // [1, 3]
 */
export function groupBy<T, K>(items: Iterable<T>, keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
