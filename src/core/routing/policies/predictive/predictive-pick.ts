// What predictive picked, and what its hooks need to know of it.
import type { ExpectedPrompt } from '../../../kv/index.ts';
import type { PromptChain } from '../../assumed-prefixes.ts';
import type { Endpoint, Pick } from '../../contract.ts';
import { type Attempt, type EngineForecast, prefillWork } from './engine-forecast.ts';
import type { PromptsInFlight } from './prompts-in-flight.ts';

/** A pick with the data that the hooks need. The reason is formatted only on request. */
export class PredictivePick implements Pick, Attempt {
  readonly endpoint: Endpoint;
  /** Kept here because an attempt may outlive its engine's entry. */
  readonly forecast: EngineForecast;
  readonly scores: readonly number[] | undefined;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly loadSeconds: number;
  readonly work: number;
  readonly prefixHash: number | undefined;
  readonly prefixTokens: number;
  /** Whether events decided what is cached. */
  readonly hadTokens: boolean;
  readonly isFromPeer: boolean;
  readonly #ttftSeconds: number;
  readonly #waitSeconds: number;
  chain: PromptChain | undefined;
  inFlight: PromptsInFlight | undefined = undefined;
  expected: ExpectedPrompt | undefined = undefined;
  queued: Attempt['queued'] = undefined;
  /** Set when it is sent. */
  sentSeconds = Number.NaN;
  /** Prefill that its engine was assigned for it. */
  assignedSeconds = 0;

  constructor(options: {
    readonly endpoint: Endpoint;
    readonly forecast: EngineForecast;
    readonly chain: PromptChain;
    readonly scores: readonly number[] | undefined;
    readonly promptTokens: number;
    readonly cachedTokens: number;
    readonly loadSeconds: number;
    readonly ttftSeconds: number;
    readonly waitSeconds: number;
    readonly hadTokens: boolean;
    readonly isFromPeer: boolean;
  }) {
    this.endpoint = options.endpoint;
    this.forecast = options.forecast;
    this.chain = options.chain;
    this.scores = options.scores;
    this.promptTokens = options.promptTokens;
    this.cachedTokens = options.cachedTokens;
    this.loadSeconds = options.loadSeconds;
    this.hadTokens = options.hadTokens;
    this.isFromPeer = options.isFromPeer;
    this.work = prefillWork(options.promptTokens - options.cachedTokens, options.cachedTokens);
    const { hashes, blockTokens } = options.chain;
    const blocks = Math.min(hashes.length, Math.floor(options.cachedTokens / blockTokens));
    this.prefixHash = hashes[blocks - 1];
    this.prefixTokens = blocks * blockTokens;
    this.#ttftSeconds = options.ttftSeconds;
    this.#waitSeconds = options.waitSeconds;
  }

  get predictedSeconds(): number | undefined {
    return this.forecast.hasSeen(this.work) ? this.#ttftSeconds : undefined;
  }

  get reason(): string {
    if (this.isFromPeer) return 'another router picked it';
    const loading = this.loadSeconds > 0 ? ` (loads take ${this.loadSeconds.toFixed(3)} s)` : '';
    return (
      `first token predicted in ${this.#ttftSeconds.toFixed(3)} s: ` +
      `${this.cachedTokens} of ${this.promptTokens} tokens cached${loading}, ` +
      `${this.#waitSeconds.toFixed(3)} s of prefill ahead`
    );
  }
}
