// How vLLM's front end assigns requests to the engine cores of a data-parallel server.
// https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/v1/engine/core_client.py (DPLBAsyncMPClient)
// https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/v1/engine/coordinator.py

/** Requests that wait and run on one core, at the end of its last step. */
export type CoreCounts = readonly [waiting: number, running: number];

/** Minimum time between two publications of the counts: the coordinator's `min_stats_update_interval_ms`. */
const publicationSeconds = 0.1;
/** How long the coordinator waits for the reports of other cores about a step, unless one about the next arrives. */
const collectionSeconds = 0.05;
/** Weight of a waiting request relative to a running one. */
const waitingWeight = 4;

/** One API server: it knows the counts that were last published, and its own requests since. */
export class CoreAssignment {
  #counts: [waiting: number, running: number][];
  readonly #servers: number;
  readonly #first: number;

  /**
   * @param options.servers Number of API servers. @default 1
   * @param options.server This one's index, by which servers begin with different cores. @default 0
   */
  constructor(
    cores: number,
    { servers = 1, server = 0 }: { readonly servers?: number; readonly server?: number } = {},
  ) {
    this.#counts = Array.from({ length: cores }, () => [0, 0]);
    this.#servers = servers;
    this.#first = Math.floor((cores * server) / servers);
  }

  receive(counts: readonly CoreCounts[]): void {
    this.#counts = counts.map(([waiting, running]) => [waiting, running]);
  }

  /** Assigns one request: to the first core with the lowest score. */
  next(): number {
    const scores = this.#counts.map(([waiting, running]) => waitingWeight * waiting + running);
    const lowest = Math.min(...scores);
    let core = this.#first;
    while (scores[core] !== lowest) core = (core + 1) % scores.length;
    // Each of its own counts once for each server, as if the others sent as many.
    (this.#counts[core] as [number, number])[0] += this.#servers;
    return core;
  }
}

/** The coordinator of a server: collects the counts of the cores and publishes them to the API servers. */
export class CountCoordinator {
  #publishedSeconds = Number.NEGATIVE_INFINITY;
  /** Those of the last step, and when they came; undefined once they are published. */
  #last: { readonly counts: readonly CoreCounts[]; readonly atSeconds: number } | undefined;
  /** Those of the step before, which are known to be complete when a core reports the next. */
  #complete: { readonly counts: readonly CoreCounts[]; readonly atSeconds: number } | undefined;

  /** Takes the counts of all cores at the end of a step. */
  report(counts: readonly CoreCounts[], atSeconds: number): void {
    if (this.#last !== undefined) this.#complete = { counts: this.#last.counts, atSeconds };
    this.#last = { counts, atSeconds };
  }

  /** Returns what has been published since the last call and until now, if anything. */
  publishedUntil(nowSeconds: number): readonly CoreCounts[] | undefined {
    let published: readonly CoreCounts[] | undefined;
    for (;;) {
      const next = this.#complete ?? this.#last;
      if (next === undefined) return published;
      const collected = next === this.#last ? next.atSeconds + collectionSeconds : next.atSeconds;
      const due = Math.max(this.#publishedSeconds + publicationSeconds, collected);
      if (due > nowSeconds) return published;
      this.#publishedSeconds = due;
      published = next.counts;
      if (next === this.#last) this.#last = undefined;
      this.#complete = undefined;
    }
  }
}
