// Slices of long work: one at a time in the whole process, with time for everything else in between, however many requests have such work.

/**
 * Most turns of the event loop between two slices. A turn accepts one connection and reads its request in the next, so with a slice in each
 * turn, clients that connect together would wait for as many slices as they are.
 */
const turnsMax = 64;

/** Time after which the next slice follows although others still have work, in milliseconds. */
const betweenMs = 5;

/** Work that waits for its next slice, in order of arrival. */
const waiting: (() => void)[] = [];

/** Resolves when the next slice may begin: after that of all work that already waits. */
export function nextSlice(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) afterOthers();
  });
}

function afterOthers(): void {
  const startMs = performance.now();
  let turns = 0;
  const turn = (): void => {
    if (++turns < turnsMax && performance.now() - startMs < betweenMs) {
      setImmediate(turn);
      return;
    }
    const begin = waiting.shift();
    if (waiting.length > 0) afterOthers();
    begin?.();
  };
  setImmediate(turn);
}
