// Takes and renews the Lease of the operator.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../core/base/index.ts';
import {
  Leadership,
  type LeaseSpec,
  renewSeconds,
  retrySeconds,
} from '../../core/operator/index.ts';
import type { Logger } from '../../io/log/index.ts';

/** The Lease in the cluster. */
export interface LeaseStore {
  read(): Promise<{ readonly spec?: LeaseSpec; readonly resourceVersion?: string } | undefined>;
  /** @returns False if it has changed since it was read. */
  write(spec: LeaseSpec, resourceVersion: string | undefined): Promise<boolean>;
}

export interface LeaderElectionOptions {
  readonly store: LeaseStore;
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #leadership: Leadership;
  readonly #stopped = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#leadership = new Leadership(options.identity, options.clock);
  }

  get isLeader(): boolean {
    return this.#leadership.isLeader;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Gives the lease up, so that another operator need not wait for its end. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    if (!this.isLeader) return;
    this.#leadership.lost();
    const { store, identity } = this.#options;
    try {
      const lease = await store.read();
      if (lease?.spec?.holderIdentity !== identity) return;
      await store.write(
        { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 },
        lease.resourceVersion,
      );
    } catch {
      // Then it ends by itself.
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await this.#look();
      const seconds = this.isLeader ? renewSeconds / 3 : retrySeconds;
      await sleep(seconds * 1000, undefined, { signal }).catch(() => {});
    }
  }

  async #look(): Promise<void> {
    const { store, clock, log } = this.#options;
    const wasLeader = this.isLeader;
    try {
      const lease = await store.read();
      const startedSeconds = clock.nowSeconds();
      const now = new Date().toISOString().replace('Z', '000Z');
      const step = this.#leadership.next(lease, now);
      if (step.do === 'wait') this.#leadership.lost();
      else if (await store.write(step.spec, lease?.resourceVersion)) {
        this.#leadership.written(startedSeconds);
      } else this.#leadership.lost();
    } catch (error) {
      log.warning(`lease: ${error instanceof Error ? error.message : error}`);
    }
    if (this.isLeader !== wasLeader) log.info(this.isLeader ? 'leading' : 'not leading any more');
  }
}
