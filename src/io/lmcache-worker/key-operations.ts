// What a worker has in one location, and the operations that the controller has yet to hear of.
import type { MessageValue } from '../../core/lmcache/index.ts';

/** Operations that wait to be sent; beyond it, the controller is told with the next full sync. */
const waitingMax = 65_536;

export class KeyOperations {
  readonly #keys = new Set<bigint>();
  #waiting: { readonly isAdmission: boolean; readonly key: bigint }[] = [];
  #sequence = 0;

  get keys(): ReadonlySet<bigint> {
    return this.#keys;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** @returns False if it has the key already. */
  admit(key: bigint): boolean {
    if (this.#keys.has(key)) return false;
    this.#keys.add(key);
    this.#note(true, key);
    return true;
  }

  /** @returns False if it has no such key. */
  evict(key: bigint): boolean {
    if (!this.#keys.delete(key)) return false;
    this.#note(false, key);
    return true;
  }

  /** Takes the waiting operations, as the controller reads them. Numbers count from 0, also those of lost messages. */
  take(): MessageValue[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting.map(({ isAdmission, key }) => ({
      ...{ op_type: isAdmission ? 'admit' : 'evict', key, seq_num: this.#sequence++ },
    }));
  }

  /** Drops the waiting operations, which a full sync contains. */
  skip(): void {
    this.#sequence += this.#waiting.length;
    this.#waiting = [];
  }

  /** Numbers start again, as the controller expects of a worker that registers. */
  restart(): void {
    this.#sequence = 0;
    this.#waiting = Array.from(this.#keys, (key) => ({ isAdmission: true, key }));
  }

  #note(isAdmission: boolean, key: bigint): void {
    // The gap in the numbers tells the controller that it lacks some.
    if (this.#waiting.length >= waitingMax) this.skip();
    this.#waiting.push({ isAdmission, key });
  }
}
