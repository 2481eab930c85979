// Work in slices: lets the engine's other requests have their turn.
import { nextSlice } from '../base/slices.ts';

/** Time that work may take between two breaks, in milliseconds. */
const sliceMs = 10;

/** The breaks of one piece of work, from its creation on. */
class Breaks {
  #startMs = performance.now();

  /** Resolves at once unless the last break is long ago. */
  async pause(): Promise<void> {
    if (performance.now() - this.#startMs < sliceMs) return;
    await nextSlice();
    this.#startMs = performance.now();
  }
}

/** Like `map`, in slices. */
export async function mapInSlices<T, R>(
  items: readonly T[],
  each: (item: T, index: number) => R | Promise<R>,
): Promise<R[]> {
  const breaks = new Breaks();
  const results: R[] = [];
  for (const [index, item] of items.entries()) {
    results.push(await each(item, index));
    await breaks.pause();
  }
  return results;
}
