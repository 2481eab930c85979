// Statistics of the requests of a workload, printed with every result, so that a generator can be compared
// with the traffic that it models.
import type { WorkloadRequest } from '../traces/index.ts';

/** Statistics of lengths in tokens. */
export interface LengthStats {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export interface WorkloadStats {
  readonly requests: number;
  /** Time between the first and the last request. */
  readonly spanSeconds: number;
  /** Requests per second over that span; undefined if all came at once. */
  readonly rate: number | undefined;
  /** Standard deviation of the gaps divided by their mean; 1 for Poisson. Undefined if all came at once. */
  readonly gapCv: number | undefined;
  readonly sessions: number;
  readonly prompt: LengthStats;
  readonly answer: LengthStats;
  /** Share of the prompt tokens that an unlimited cache, filled in order, would serve. */
  readonly reusableShare: number;
  /** Tokens of the blocks that occur in more than one prompt: the size of a cache for all hits. */
  readonly workingSetTokens: number;
}

/** A block that one request computed, and a later one used. */
const computed = 1;
const asked = 2;

/** Counts requests as they are sent. Memory: a few numbers per request and per block id. */
export class WorkloadMeter {
  readonly #blockTokens: number;
  readonly #arrivals: number[] = [];
  readonly #prompts: number[] = [];
  readonly #answers: number[] = [];
  readonly #sessions = new Set<string>();
  /** By block id, its use so far. */
  readonly #uses = new Map<number, typeof computed | typeof asked>();
  #reusedTokens = 0;
  #workingBlocks = 0;

  constructor(blockTokens: number) {
    this.#blockTokens = blockTokens;
  }

  add(request: WorkloadRequest): void {
    const { arrivalSeconds, promptTokens, outputTokens, blockIds, session } = request;
    this.#arrivals.push(arrivalSeconds);
    this.#prompts.push(promptTokens);
    this.#answers.push(outputTokens);
    if (session !== undefined) this.#sessions.add(session);
    const promptBlocks = Math.ceil(promptTokens / this.#blockTokens);
    let isPrefix = true;
    let found = 0;
    for (let block = 0; block < blockIds.length; block++) {
      const id = blockIds[block] as number;
      const use = this.#uses.get(id);
      if (block < promptBlocks) {
        isPrefix &&= use !== undefined;
        if (isPrefix) found += this.#blockTokens;
        if (use === computed) this.#workingBlocks++;
        if (use !== asked) this.#uses.set(id, use === undefined ? computed : asked);
      } else if (use === undefined) this.#uses.set(id, computed);
    }
    this.#reusedTokens += Math.min(found, promptTokens);
  }

  stats(): WorkloadStats {
    const requests = this.#arrivals.length;
    const spanSeconds = (this.#arrivals.at(-1) ?? 0) - (this.#arrivals[0] ?? 0);
    const tokens = this.#prompts.reduce((sum, value) => sum + value, 0);
    return {
      ...{ requests, spanSeconds },
      rate: spanSeconds > 0 ? (requests - 1) / spanSeconds : undefined,
      gapCv: variation(this.#arrivals.slice(1).map((at, i) => at - (this.#arrivals[i] as number))),
      sessions: this.#sessions.size,
      prompt: lengthStats(this.#prompts),
      answer: lengthStats(this.#answers),
      reusableShare: tokens > 0 ? this.#reusedTokens / tokens : 0,
      workingSetTokens: this.#workingBlocks * this.#blockTokens,
    };
  }
}

function lengthStats(values: readonly number[]): LengthStats {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  return { mean, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}

function variation(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return mean > 0 ? Math.sqrt(variance) / mean : undefined;
}
