// Outcomes of the requests of a simulated fleet, in their order of arrival.
import type { FleetSimulationResult } from './fleet-result.ts';
import { TokenTimes } from './token-times.ts';

/** The part of the result that is given per request. */
type RequestResults = Pick<
  FleetSimulationResult,
  | 'arrivalSeconds'
  | 'promptTokens'
  | 'ttftSeconds'
  | 'e2eSeconds'
  | 'engineOf'
  | 'cachedTokens'
  | 'failed'
  | 'waitingAtArrival'
  | 'tokenSeconds'
  | 'hitRate'
  | 'seconds'
>;

/** About 64 bytes per request, and 8 per token if token times are kept. */
export class RequestLog {
  readonly #arrivals: number[] = [];
  readonly #prompts: number[] = [];
  readonly #ttft: number[] = [];
  readonly #e2e: number[] = [];
  readonly #engineOf: number[] = [];
  readonly #cached: number[] = [];
  readonly #failed: number[] = [];
  readonly #waitingAtArrival: number[] = [];
  /** Undefined unless token times are kept. */
  readonly #tokens: TokenTimes | undefined;
  #waiting = 0;
  #finished = 0;
  /** When requests without a first token were admitted by their engine, if that is kept. */
  readonly #prefilling = new Map<number, number>();
  #prefilled = 0;
  #prefillSeconds = 0;
  /** Times to first token since they were last taken. */
  #recentTtfts: number[] = [];
  readonly #keepsRecent: boolean;
  /** When the last token came, or the last request failed. */
  #endSeconds = 0;

  /** @param options.keepsRecent Whether `takeRecentTtfts` is called. */
  constructor(options: { readonly keepTokens: boolean; readonly keepsRecent?: boolean }) {
    this.#keepsRecent = options.keepsRecent ?? false;
    this.#tokens = options.keepTokens ? new TokenTimes() : undefined;
  }

  /** Requests with a complete response. */
  get finished(): number {
    return this.#finished;
  }

  get arrivedRequests(): number {
    return this.#arrivals.length;
  }

  /** Prompts computed, and the time from their admission to their first token, as `vllm:request_prefill_time_seconds`. */
  get prefills(): { readonly prefilled: number; readonly prefillSeconds: number } {
    return { prefilled: this.#prefilled, prefillSeconds: this.#prefillSeconds };
  }

  /** Times to first token since the last call. */
  takeRecentTtfts(): readonly number[] {
    const recent = this.#recentTtfts;
    this.#recentTtfts = [];
    return recent;
  }

  /** 0 before the first. */
  get lastArrivalSeconds(): number {
    return this.#arrivals.at(-1) ?? 0;
  }

  /** @returns The index of the request. */
  arrived(promptTokens: number, nowSeconds: number): number {
    const index = this.#arrivals.length;
    this.#arrivals.push(nowSeconds);
    this.#prompts.push(promptTokens);
    this.#ttft.push(Number.NaN);
    this.#e2e.push(Number.NaN);
    this.#engineOf.push(-1);
    this.#cached.push(0);
    this.#failed.push(0);
    this.#waitingAtArrival.push(this.#waiting++);
    return index;
  }

  sent(index: number, engine: number): void {
    this.#engineOf[index] = engine;
  }

  admitted(index: number, cachedTokens: number, nowSeconds: number): void {
    this.#cached[index] = cachedTokens;
    if (this.#keepsRecent) this.#prefilling.set(index, nowSeconds);
  }

  /**
   * Keeps the times of tokens, if requested.
   *
   * @param tokensMax Tokens of the complete response.
   * @param networkSeconds One-way time from engine to client.
   */
  tokens(
    index: number,
    tokensMax: number,
    atSeconds: readonly number[],
    networkSeconds: number,
  ): void {
    this.#tokens?.add(index, tokensMax, atSeconds, networkSeconds);
  }

  /** @param seen When the client receives it. */
  firstToken(index: number, seen: number): void {
    this.#waiting--;
    const ttft = seen - (this.#arrivals[index] as number);
    this.#ttft[index] = ttft;
    const admitted = this.#prefilling.get(index);
    if (admitted === undefined) return;
    this.#recentTtfts.push(ttft);
    this.#prefilling.delete(index);
    this.#prefilled++;
    this.#prefillSeconds += seen - admitted;
  }

  /** @param seen When the client receives the last token. */
  completed(index: number, seen: number, nowSeconds: number): void {
    this.#e2e[index] = seen - (this.#arrivals[index] as number);
    this.#finished++;
    this.#endSeconds = nowSeconds;
  }

  /** Its response will never end. */
  lost(index: number, hasToken: boolean, nowSeconds: number): void {
    if (!hasToken) this.#waiting--;
    this.#prefilling.delete(index);
    this.#failed[index] = 1;
    this.#endSeconds = nowSeconds;
  }

  results(): RequestResults {
    return {
      arrivalSeconds: Float64Array.from(this.#arrivals),
      promptTokens: Float64Array.from(this.#prompts),
      ttftSeconds: Float64Array.from(this.#ttft),
      e2eSeconds: Float64Array.from(this.#e2e),
      engineOf: Int32Array.from(this.#engineOf),
      cachedTokens: Float64Array.from(this.#cached),
      failed: Uint8Array.from(this.#failed),
      waitingAtArrival: Float64Array.from(this.#waitingAtArrival),
      tokenSeconds: this.#tokens?.all(this.#arrivals.length) ?? [],
      hitRate: sum(this.#cached) / sum(this.#prompts),
      seconds: this.#endSeconds,
    };
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
