// Keeps tenants within their quotas of the shared store, as LMCache's coordinator does: servers delete the oldest chunks.
import type { FleetState } from './fleet-routes.ts';
import { deleteObjects } from './server-orders.ts';

/** LMCache's own: interval of sweeps, and the share of a tenant's bytes that one of them deletes. */
const sweepMs = 5_000;
const evictedShare = 0.2;
/** Chunks that one sweep deletes; the next one goes on. */
const chunksPerSweep = 10_000;

type SweptState = Omit<FleetState, 'hashes'>;

export class QuotaSweep {
  readonly #state: SweptState;
  readonly #timer: NodeJS.Timeout;
  #isRunning = false;

  constructor(state: SweptState) {
    this.#state = state;
    this.#timer = setInterval(() => void this.sweep(), sweepMs).unref();
  }

  /** Deletes once. Never rejects: what is left is over its quota in the next sweep, too. */
  async sweep(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const { directory, quotas, pins } = this.#state;
    try {
      for (const [salt, bytes] of [...directory.bytesBySalt('l2')]) {
        const limit = quotas.limitOf(salt);
        if (limit === undefined || bytes < limit) continue;
        const excess = limit === 0 ? bytes : evictedShare * bytes;
        const isFree = (key: Parameters<typeof pins.has>[0]) => !pins.has(key);
        const keys = directory.oldestInStore(salt, excess, chunksPerSweep, isFree);
        // Any server reaches the shared store.
        const server = directory.anyInstance();
        if (server === undefined || keys.length === 0) continue;
        await deleteObjects(server, keys, { tier: 'l2', force: false });
      }
    } catch {
      // The server is gone or refuses.
    } finally {
      this.#isRunning = false;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
