// The Pareto front: the items that no other item beats in every respect.

/**
 * The items that no other item beats: none is at least as cheap in every respect and cheaper in one.
 *
 * @param costs of one item, as many for each; less is better. Items whose costs are equal stand or fall
 * together.
 * @returns those items, in the order given.
 */
export function paretoFront<T>(items: readonly T[], costs: (item: T) => readonly number[]): T[] {
  const all = items.map(costs)
  return items.filter((_, i) => !all.some((other) => beats(other, all[i]!)))
}

const beats = (a: readonly number[], b: readonly number[]) =>
  a.every((cost, i) => cost <= b[i]!) && a.some((cost, i) => cost < b[i]!)
