// How one load is divided among several client processes: together they send exactly what one would send.

/** The part of a load that one of several processes sends. */
export interface Part {
  /** From 0. */
  readonly index: number;
  readonly of: number;
}

/** The part of a process that is alone. */
export const whole: Part = { index: 0, of: 1 };

/** Returns every n-th of a list, so that each process has its share of every second of a schedule. */
export function partOf<Item>(items: readonly Item[], { index, of }: Part): Item[] {
  return items.filter((_, number) => number % of === index);
}

/** Returns this process's share of a number, such as that of the users. The shares add up to it. */
export function shareOf(total: number, { index, of }: Part): number {
  return Math.floor((total + of - 1 - index) / of);
}
