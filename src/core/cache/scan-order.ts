// Keys in an order that never changes while they exist, so that a scan in steps misses none of them.

/** Gaps are closed when they outnumber the keys by this factor, and there are at least `gapsMin` of them. */
const gapsPerKeyMax = 1;
const gapsMin = 1024;

interface Place {
  readonly serial: number;
  key: string | undefined;
}

/** Part of a scan. */
export interface ScanStep {
  readonly keys: readonly string[];
  /** Cursor of the next step; 0 after the last one. */
  readonly next: number;
}

/**
 * A key gets a serial number when it is added and keeps it until it is removed. A scan reports each key that exists
 * from its first step to its last one exactly once. Bounded by its user, who bounds the number of keys.
 */
export class ScanOrder {
  /** By serial number; keys that were removed leave gaps. */
  #places: Place[] = [];
  #gaps = 0;
  #serial = 0;

  /** @returns The serial number, for `remove`. */
  add(key: string): number {
    const serial = ++this.#serial;
    this.#places.push({ serial, key });
    return serial;
  }

  remove(serial: number): void {
    const place = this.#places[this.#from(serial)];
    if (place?.serial !== serial || place.key === undefined) return;
    place.key = undefined;
    this.#gaps++;
    const keys = this.#places.length - this.#gaps;
    if (this.#gaps < gapsMin || this.#gaps <= keys * gapsPerKeyMax) return;
    this.#places = this.#places.filter((kept) => kept.key !== undefined);
    this.#gaps = 0;
  }

  /**
   * @param cursor 0, or `next` of the step before.
   * @param count Keys looked at.
   */
  step(cursor: number, count: number): ScanStep {
    const keys: string[] = [];
    for (let at = this.#from(cursor); at < this.#places.length; at++) {
      const place = this.#places[at] as Place;
      if (place.key === undefined) continue;
      if (keys.length === count) return { keys, next: place.serial };
      keys.push(place.key);
    }
    return { keys, next: 0 };
  }

  /** The first place with this serial number or a higher one. */
  #from(serial: number): number {
    let [low, high] = [0, this.#places.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#places[middle] as Place).serial < serial) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
