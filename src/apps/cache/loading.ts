// Values that are below memory come to memory before a command reads them, within a bounded time.
import type { ClientStore } from '../../core/cache/index.ts';

/** Brings values to memory, one after the other, so that one command does not take all reads. */
export type LoadValues = (keys: readonly string[]) => Promise<void>;

/**
 * @param timeoutMs Time for all values of a command. The one that is being read then comes to memory later, and the
 *   command goes on without it: LMCache gives up a worker that waits for long.
 */
export function valueLoader(store: ClientStore, timeoutMs: number): LoadValues {
  return (keys) =>
    new Promise((resolve) => {
      let isOver = false;
      const end = () => {
        isOver = true;
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(end, timeoutMs);
      const loadAll = async () => {
        for (const key of keys) {
          if (!isOver && (store.isBelow(key) || store.isElsewhere(key))) await store.load(key);
        }
      };
      loadAll().then(end, end);
    });
}
