// Misses that LMCache's client in C++ understands. Its GET reads as many bytes as `$<size of the value>\r\n` has before
// it looks at them, so Redis' `$-1\r\n` leaves it waiting until the connection closes.
import { LruMap } from '../../core/base/index.ts';

/** Models, ranks and groups whose sizes of values are known; the least recently used one is forgotten. */
const groupsMax = 4096;

/**
 * The key of LMCache's multiprocess mode: model, rank, object group, hash, and perhaps a salt. All values of one model,
 * rank and group have one size.
 */
const keyShape = /^(.*@[\da-f]{8}@[\da-f]{1,16})@[\da-f]{8,128}(?:@[^@/\\]{0,128})?$/;

/** The commands of that client; any other one shows another client, which reads replies as they are. */
const itsCommands = new Set(['AUTH', 'SET', 'GET', 'EXISTS', 'DEL']);

/** Sizes of values by the group of their key. */
export class ValueSizes {
  readonly #sizes = new LruMap<string, number>({ entriesMax: groupsMax });

  learn(key: string, size: number): void {
    const group = keyShape.exec(key)?.[1];
    if (group !== undefined) this.#sizes.set(group, size);
  }

  /** All sizes by group, for another process. */
  get known(): readonly (readonly [string, number])[] {
    return [...this.#sizes.entries()];
  }

  /** @param group As in `known`. */
  learnOf(group: string, size: number): void {
    this.#sizes.set(group, size);
  }

  of(key: string): number | undefined {
    const group = keyShape.exec(key)?.[1];
    return group === undefined ? undefined : this.#sizes.get(group);
  }
}

/** How one connection is told of misses. */
export class MissPadding {
  /** Those of the client's tenant. */
  sizes: ValueSizes;
  #isPadded: boolean;

  constructor(sizes: ValueSizes, isPadded = true) {
    this.sizes = sizes;
    this.#isPadded = isPadded;
  }

  /** Whether all commands so far were that client's. */
  get isPadded(): boolean {
    return this.#isPadded;
  }

  /** Takes note of a command, by its name in capitals. */
  saw(command: string, isInline: boolean): void {
    if (isInline || !itsCommands.has(command)) this.#isPadded = false;
  }

  /**
   * A miss that is as long as the head of the value would be.
   *
   * @returns undefined for Redis' own: another client, another key, or a size that is not known.
   */
  reply(key: string): Uint8Array | undefined {
    const size = this.#isPadded ? this.sizes.of(key) : undefined;
    if (size === undefined) return undefined;
    const length = Math.max(miss.length, `$${size}\r\n`.length);
    return Buffer.from(miss.padEnd(length, '\r\n'), 'latin1');
  }
}

const miss = '$-1\r\n';
