// Keeps the fleet in step with its endpoint source.
import type { EndpointChange, EndpointSource } from '../../../io/endpoints/index.ts';
import type { Logger } from '../../../io/log/index.ts';
import type { Fleet } from './fleet.ts';

/** A source whose first set has been applied. */
export class FollowedSource {
  readonly #stop = new AbortController();
  readonly #changes: AsyncIterator<readonly EndpointChange[]>;
  readonly #fleet: Fleet;
  readonly #name: string;
  readonly #log: Logger;

  /**
   * Applies the first set.
   *
   * @throws {InputError} If the source is configured in a way that cannot work.
   */
  static async begin(source: EndpointSource, fleet: Fleet, log: Logger): Promise<FollowedSource> {
    const followed = new FollowedSource(source, fleet, log);
    await followed.#step();
    return followed;
  }

  private constructor(source: EndpointSource, fleet: Fleet, log: Logger) {
    this.#changes = source.changes(this.#stop.signal)[Symbol.asyncIterator]();
    this.#name = source.name;
    this.#fleet = fleet;
    this.#log = log;
  }

  /** Applies later changes until it is stopped. */
  async follow(): Promise<void> {
    try {
      while (await this.#step());
    } catch (error) {
      // A source that breaks its contract must not bring the router down.
      this.#log.error(`${this.#name}: failed; its engines stay as they are: ${error}`);
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  /** @returns Whether more changes may follow. */
  async #step(): Promise<boolean> {
    const { value, done } = await this.#changes.next();
    if (done || this.#stop.signal.aborted) return false;
    this.#fleet.apply(value);
    return true;
  }
}
