// What the tiers of an engine do outside the engine model: requests to servers, which the model's time does not wait for.

/** What LMCache and a cache server exchanged since the start. */
export interface LmcacheRemoteStats {
  readonly readRequests: number;
  readonly readBytes: number;
  readonly writeRequests: number;
  readonly writeBytes: number;
  /** Loads that came to nothing: the server was gone or late, or had lost the value after it said that it has it. */
  readonly failedReads: number;
  readonly failedWrites: number;
  /** Values with a wrong byte or size; they count as missing. */
  readonly wrong: number;
  /** Chunks that were not sent because too many waited. */
  readonly dropped: number;
  readonly waiting: number;
  /** Whether the last request got a reply. */
  readonly isHealthy: boolean;
}

export class OutsideWork {
  /** Requests whose replies decide what the engine can load. */
  pending = 0;
  /** Called when one of them has its reply, after this time. */
  wake: (tookMs: number) => void = () => {};
  /** Counters of each cache server that the engine uses. */
  readonly stats: (() => LmcacheRemoteStats)[] = [];
  readonly #starters: ((url: string) => void)[] = [];
  readonly #closers: (() => void)[] = [];

  /** @param start Called once the engine listens, with its URL. */
  onListening(start: (url: string) => void): void {
    this.#starters.push(start);
  }

  listening(url: string): void {
    for (const start of this.#starters.splice(0)) start(url);
  }

  onClose(close: () => void): void {
    this.#closers.push(close);
  }

  close(): void {
    for (const close of this.#closers.splice(0)) close();
  }
}
