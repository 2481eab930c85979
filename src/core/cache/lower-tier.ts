// What the store asks of a tier below memory.
import type { ScanStep } from './scan-order.ts';

/** A value that a tier has, by its index; reading it takes time. */
export interface StoredValue {
  readonly key: string;
  readonly size: number;
  readonly label: Uint8Array | undefined;
  readonly checksum: number;
  /** Seconds since 1970; Infinity for never. */
  readonly expiresUnixSeconds: number;
}

/** A value in memory that a tier may keep; its bytes stay until `release`. */
export interface ValueSource extends StoredValue {
  readonly spans: readonly Uint8Array[];
  release(): void;
}

/** Memory for a value that is being read. */
export type ReserveSpans = () => readonly Uint8Array[] | undefined;

/**
 * A tier below memory. Calls return at once: an index in memory answers, and reads and writes happen later. A tier may
 * lose any value at any time, but never hands out a wrong byte.
 */
export interface LowerTier {
  /** Whether there is a value and its time is not over. */
  find(key: string): StoredValue | undefined;
  /** Keeps a value for the next 10 s: a client was told that it exists. */
  hold(value: StoredValue): void;
  /** Two values belong to one prompt, as a client's requests suggest. */
  follows?(key: string, before: string): void;
  /** Takes a value over, and releases it when it is written, or at once if too many wait. */
  keep(value: ValueSource): void;
  /**
   * Reads a value.
   *
   * @param reserve Returns the memory for all its bytes, in order; undefined if there is no room. Called once it is the value's turn. No
   *   byte is written there after the end of this call, which therefore waits for reads that hang.
   * @returns Whether all bytes came; false also if too many reads wait.
   */
  read(value: StoredValue, reserve: ReserveSpans): Promise<boolean>;
  /** The bytes of a value did not match its checksum. */
  corrupt(value: StoredValue): void;
  delete(key: string): boolean;
  clear(): void;
  /** Keys in steps, as `ScanOrder`. */
  scan(cursor: number, count: number): ScanStep;
  /** Whether a key of a step of `scan` comes in no step before. @default true */
  isFirst?(key: string, cursor: number): boolean;
  keys(): Iterable<string>;
}
