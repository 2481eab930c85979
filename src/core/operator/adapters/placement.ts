// On which engines adapters are loaded. All adapters of a namespace are placed together, so that they can be spread evenly.
//
// Upstream's operator knows one algorithm: the first pods by name. The three names are those of its definition.

export type PlacementAlgorithm = 'default' | 'ordered' | 'equalized';

export interface Placement {
  /** Name of the resource. */
  readonly key: string;
  /**
   * `default`: engines that have the adapter keep it, then the first by name. `ordered`: always the first by name, so that
   * all adapters are on the same engines. `equalized`: the engines with the fewest adapters.
   */
  readonly algorithm: PlacementAlgorithm;
  /** How many engines; undefined for all. */
  readonly replicas: number | undefined;
  /** Engines that may take it. */
  readonly candidates: readonly string[];
  /** Engines that have it now. */
  readonly holders: ReadonlySet<string>;
}

/**
 * The engines of each adapter, in the order of their names. The result is stable: once every adapter is where it belongs, the
 * same answer comes out again.
 *
 * @param others Adapters of each engine that are not placed here, such as those of `--lora-modules`.
 */
export function placeAdapters(
  placements: readonly Placement[],
  others: ReadonlyMap<string, number> = new Map(),
): ReadonlyMap<string, readonly string[]> {
  const sorted = [...placements].sort((one, other) => (one.key < other.key ? -1 : 1));
  const counts = new Map(others);
  const add = (engine: string, by: number) => counts.set(engine, (counts.get(engine) ?? 0) + by);
  const chosen = new Map<string, Set<string>>();
  for (const placement of sorted) {
    const { algorithm, key, candidates, holders } = placement;
    const engines = [...candidates].sort();
    if (algorithm === 'default') engines.sort((a, b) => +holders.has(b) - +holders.has(a));
    const isSpread = algorithm === 'equalized';
    const taken = isSpread
      ? engines.filter((engine) => holders.has(engine))
      : engines.slice(0, wantedOf(placement));
    chosen.set(key, new Set(taken));
    for (const engine of taken) add(engine, 1);
  }
  const spread = sorted.filter(({ algorithm }) => algorithm === 'equalized');
  for (const placement of spread) adjust(placement, chosen.get(placement.key) ?? new Set(), counts);
  balance(spread, chosen, counts);
  return new Map(Array.from(chosen, ([key, engines]) => [key, [...engines].sort()]));
}

export function wantedOf({ replicas, candidates }: Pick<Placement, 'replicas' | 'candidates'>) {
  return Math.min(replicas ?? candidates.length, candidates.length);
}

/** Gives an adapter its number of engines: off those with the most adapters, onto those with the fewest. */
function adjust(placement: Placement, engines: Set<string>, counts: Map<string, number>): void {
  const wanted = wantedOf(placement);
  const count = (engine: string) => counts.get(engine) ?? 0;
  while (engines.size > wanted) {
    const most = [...engines].sort().reduce((a, b) => (count(b) > count(a) ? b : a));
    engines.delete(most);
    counts.set(most, count(most) - 1);
  }
  while (engines.size < wanted) {
    const free = placement.candidates.filter((engine) => !engines.has(engine)).sort();
    const least = free.reduce((a, b) => (count(b) < count(a) ? b : a));
    engines.add(least);
    counts.set(least, count(least) + 1);
  }
}

/**
 * Moves adapters while two engines differ by two or more. Each move makes the sum of the squared counts smaller, so it
 * ends.
 */
function balance(
  spread: readonly Placement[],
  chosen: ReadonlyMap<string, Set<string>>,
  counts: Map<string, number>,
): void {
  const count = (engine: string) => counts.get(engine) ?? 0;
  for (let isMoving = true; isMoving; ) {
    isMoving = false;
    for (const { key, candidates } of spread) {
      const engines = chosen.get(key) ?? new Set();
      const free = candidates.filter((engine) => !engines.has(engine)).sort();
      if (free.length === 0 || engines.size === 0) continue;
      const most = [...engines].sort().reduce((a, b) => (count(b) > count(a) ? b : a));
      const least = free.reduce((a, b) => (count(b) < count(a) ? b : a));
      if (count(most) - count(least) < 2) continue;
      engines.delete(most);
      engines.add(least);
      counts.set(most, count(most) - 1);
      counts.set(least, count(least) + 1);
      isMoving = true;
    }
  }
}
