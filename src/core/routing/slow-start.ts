// Sends an engine that is new, restarted or back few requests at first: its cache is cold, its first steps compile kernels,
// and an idle engine would draw the whole traffic to itself. Envoy's term.
import type { RoutingRequest } from './contract.ts';
import type { EndpointRecord } from './endpoint-record.ts';

/** Time in which an engine's share grows to a full one. */
export const slowStartSecondsDefault = 10;
/** Weight at the beginning, where other engines have 1; Envoy's `min_weight_percent`. */
const weightMin = 0.1;
/** Its multiples are spread evenly over 0 to 1. */
const goldenRatio = 0.618_033_988_749_895;

interface Start {
  readonly atSeconds: number;
  /** Requests for which the engine was considered, without a session. */
  considered: number;
}

/** Of all policies; without an engine that has just started, it does nothing. */
export class SlowStart {
  readonly #seconds: number;
  readonly #starts = new Map<EndpointRecord, Start>();

  /** @param seconds With 0, an engine has started at once. */
  constructor(seconds = slowStartSecondsDefault) {
    this.#seconds = seconds;
  }

  begin(record: EndpointRecord, nowSeconds: number): void {
    this.#starts.set(record, { atSeconds: nowSeconds, considered: 0 });
  }

  forget(record: EndpointRecord): void {
    this.#starts.delete(record);
  }

  /**
   * The candidates without those that this request is not for, because they have just started. If all of them have, as
   * when the router starts, each has its full share.
   */
  admitted(
    candidates: readonly EndpointRecord[],
    request: RoutingRequest,
    nowSeconds: number,
  ): readonly EndpointRecord[] {
    if (this.#starts.size === 0) return candidates;
    let isAnySettled = false;
    let isAnyStarting = false;
    for (const candidate of candidates) {
      const start = this.#starts.get(candidate);
      if (start !== undefined && nowSeconds - start.atSeconds < this.#seconds) isAnyStarting = true;
      else {
        isAnySettled = true;
        if (start !== undefined) this.#starts.delete(candidate);
      }
    }
    if (!isAnySettled || !isAnyStarting) return candidates;
    return candidates.filter((candidate) => {
      const start = this.#starts.get(candidate);
      if (start === undefined) return true;
      return this.#isFor(request, candidate, start, nowSeconds, candidates.length);
    });
  }

  #isFor(
    { session }: RoutingRequest,
    { url }: EndpointRecord,
    start: Start,
    nowSeconds: number,
    engines: number,
  ): boolean {
    const weight = Math.max(weightMin, (nowSeconds - start.atSeconds) / this.#seconds);
    // Policies prefer an idle engine, so it gets most of the requests that it is a candidate for.
    const share = weight / (engines - 1 + weight);
    // A session that has moved to the engine stays there.
    const place =
      session === undefined ? (start.considered++ * goldenRatio + 0.5) % 1 : placeOf(session, url);
    return place < share;
  }
}

/** A number in [0, 1) that is the same for each request of a session: FNV-1a, 32 bits. */
function placeOf(session: string, url: string): number {
  let hash = 0x811c9dc5;
  for (const text of [session, url]) {
    for (let i = 0; i < text.length; i++) {
      hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    }
  }
  // MurmurHash3's last steps: FNV-1a alone leaves similar names close together.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
