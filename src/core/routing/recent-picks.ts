// The last picks of a core, for the debug route.
import type { Endpoint, Pick } from './contract.ts';

/** One pick, kept for the debug route. */
export interface RecentPick {
  readonly atSeconds: number;
  readonly requestId: string;
  readonly model: string | undefined;
  readonly promptTokens: number;
  readonly url: string;
  readonly reason: string;
  readonly cachedTokens: number;
  /** URLs of the candidates, aligned with `scores`. */
  readonly candidates: readonly string[];
  readonly scores: readonly number[] | undefined;
}

/** A pick as it is added: its reason is formatted, and its candidates are named, only on request. */
export interface MadePick {
  readonly atSeconds: number;
  readonly requestId: string;
  readonly model: string | undefined;
  readonly promptTokens: number;
  readonly pick: Pick;
  readonly candidates: readonly Endpoint[];
  /** Whether another engine has the request too. */
  readonly isHedge: boolean;
}

/**
 * Keeps a number of picks; older ones are dropped. One array per field: an object per pick would live for as many picks
 * as are kept, which the garbage collector copies twice.
 */
export class RecentPicks {
  readonly #picksMax: number;
  readonly #requestIds: string[] = [];
  readonly #models: (string | undefined)[] = [];
  readonly #picks: Pick[] = [];
  readonly #candidates: (readonly Endpoint[])[] = [];
  readonly #areHedges: boolean[] = [];
  readonly #atSeconds: Float64Array;
  readonly #promptTokens: Float64Array;
  /** Number of picks added so far. */
  #added = 0;

  constructor(picksMax: number) {
    this.#picksMax = picksMax;
    this.#atSeconds = new Float64Array(picksMax);
    this.#promptTokens = new Float64Array(picksMax);
  }

  add(made: MadePick): void {
    const slot = this.#added++ % this.#picksMax;
    this.#requestIds[slot] = made.requestId;
    this.#models[slot] = made.model;
    this.#picks[slot] = made.pick;
    this.#candidates[slot] = made.candidates;
    this.#areHedges[slot] = made.isHedge;
    this.#atSeconds[slot] = made.atSeconds;
    this.#promptTokens[slot] = made.promptTokens;
  }

  /** Oldest first. */
  all(): RecentPick[] {
    const first = Math.max(0, this.#added - this.#picksMax);
    return Array.from({ length: this.#added - first }, (_, i) =>
      this.#at((first + i) % this.#picksMax),
    );
  }

  #at(slot: number): RecentPick {
    const { endpoint, reason, cachedTokens, scores } = this.#picks[slot] as Pick;
    return {
      atSeconds: this.#atSeconds[slot] as number,
      requestId: this.#requestIds[slot] as string,
      model: this.#models[slot],
      promptTokens: this.#promptTokens[slot] as number,
      url: endpoint.url,
      reason: this.#areHedges[slot] ? `hedge, as the first byte is late: ${reason}` : reason,
      cachedTokens,
      candidates: (this.#candidates[slot] as readonly Endpoint[]).map(({ url }) => url),
      scores,
    };
  }
}
