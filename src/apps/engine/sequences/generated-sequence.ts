// One sequence that the engine generates: turns prompt tokens into tokens and text.

import type { EngineRequest } from '../../../core/engine/index.ts';
import { type BlockKey, hashTokenBlock, type KvSequence } from '../../../core/kv/index.ts';
import type { IncrementalDecoder, Tokenizer } from '../../../core/tokenizer/index.ts';
import type { Adapter } from '../adapters/adapters.ts';
import type { KvTransfer } from './kv-transfer.ts';
import { prefixRoot } from './prefix-root.ts';
import { StopChecker } from './stop-checker.ts';
import type { TokenSource } from './token-source.ts';

export type FinishReason = 'stop' | 'length' | 'abort';

/** The tokens and text that one or more steps add to the response. */
export interface TokenDelta {
  /** Sampled tokens. */
  readonly tokenIds: readonly number[];
  /** Text that can be sent now; may be empty. */
  readonly text: string;
  readonly finishReason: FinishReason | null;
  /** The stop string or stop token that ended it; null for the model's own end token. */
  readonly stopReason: string | number | null;
}

/** The choices of one prompt, and their progress. */
export interface SequenceFamily {
  /** Number of choices. */
  readonly choices: number;
  /** Number of choices that have ended by themselves. */
  finished: number;
  /** Number of tokens of the longest of these. */
  longestTokens: number;
}

export interface SequenceOptions {
  readonly id: string;
  readonly externalId: string;
  readonly family: SequenceFamily;
  readonly adapter: Adapter | undefined;
  readonly transfer?: KvTransfer | undefined;
  readonly reportsHits: boolean;
  readonly prompt: readonly number[];
  /** Parent of the first block's key: differs per cache salt. */
  readonly rootKey: number;
  /** Names blocks as vLLM does; needed where blocks are published, but slower than our own names. */
  readonly kv: KvSequence | undefined;
  readonly blockSize: number;
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly priority: number;
  readonly arrivalSeconds: number;
  readonly source: TokenSource;
  readonly endToken: number | undefined;
  readonly ignoreEos: boolean;
  readonly stops: readonly string[];
  readonly stopTokens: readonly number[];
  readonly includeStop: boolean;
  readonly skipSpecialTokens: boolean;
  /** Ends with the prefill, without a token. */
  readonly isPooled: boolean;
  readonly onDelta: (delta: TokenDelta) => void;
  /** Called if the response will not be complete. */
  readonly onFail: () => void;
}

/** Implements the engine model's view (counts and block keys) over actual tokens. */
export class GeneratedSequence implements EngineRequest {
  readonly id: string;
  readonly prompt: readonly number[];
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly priority: number;
  readonly arrivalSeconds: number;
  readonly output: number[] = [];
  readonly kv: KvSequence | undefined;
  readonly reportsHits: boolean;
  readonly externalId: string;
  readonly family: SequenceFamily;
  readonly adapter: Adapter | undefined;
  readonly adapterId: number | undefined;
  readonly isPooled: boolean;
  /** Whether its KV goes to another engine, or comes from one. */
  readonly transfer: KvTransfer | undefined;
  /** GPU blocks of its prompt that are kept for another engine. */
  keptBlocks: readonly number[] = [];
  /** Prompt tokens found in the prefix cache; set at admission. */
  cachedTokens = 0;
  /** Tokens of `cachedTokens` from a tier below the GPU. */
  externalTokens = 0;
  preemptions = 0;
  /** Number of preemptions since its last token. */
  preemptionsUnseen = 0;
  /** GPU seconds; meaningful once the event has occurred. */
  admittedSeconds = 0;
  firstTokenSeconds = 0;
  lastTokenSeconds = 0;
  finishReason: FinishReason | null = null;
  readonly #options: SequenceOptions;
  readonly #decoder: IncrementalDecoder;
  readonly #stops: StopChecker;
  readonly #keys: number[] = [];

  constructor(options: SequenceOptions, tokenizer: Tokenizer) {
    this.#options = options;
    this.id = options.id;
    this.prompt = options.prompt;
    this.kv = options.kv;
    this.reportsHits = options.reportsHits;
    this.promptTokens = options.prompt.length;
    this.externalId = options.externalId;
    this.family = options.family;
    this.adapter = options.adapter;
    this.adapterId = options.adapter?.id;
    this.transfer = options.transfer;
    this.isPooled = options.isPooled;
    this.maxTokens = options.maxTokens;
    this.priority = options.priority;
    this.arrivalSeconds = options.arrivalSeconds;
    this.#decoder = tokenizer.incrementalDecoder({
      skipSpecialTokens: options.skipSpecialTokens,
    });
    this.#stops = new StopChecker(options.stops, options.includeStop);
  }

  /** Whether its KV differs from that of other sequences with the same tokens: an adapter, or a cache salt. */
  get hasOwnScope(): boolean {
    return this.#options.rootKey !== prefixRoot(undefined, undefined);
  }

  /** Number of responses that its request asked for. */
  get choices(): number {
    return this.family.choices;
  }

  /** Resets the count of preemptions since the last token. @returns That count. */
  seePreemptions(): number {
    const seen = this.preemptionsUnseen;
    this.preemptions += seen;
    this.preemptionsUnseen = 0;
    return seen;
  }

  blockKey(index: number): BlockKey {
    if (this.kv) return this.kv.blockKey(index);
    for (let block = this.#keys.length; block <= index; block++) {
      const parent = this.#keys[block - 1] ?? this.#options.rootKey;
      this.#keys.push(hashTokenBlock(parent, this.#blockTokens(block), 0, this.#options.blockSize));
    }
    return this.#keys[index] as number;
  }

  /** Returns the tokens of one full block, prompt first, then output. */
  #blockTokens(index: number): readonly number[] {
    const { blockSize } = this.#options;
    const start = index * blockSize;
    const end = start + blockSize;
    if (end <= this.promptTokens) return this.prompt.slice(start, end);
    const outputStart = Math.max(0, start - this.promptTokens);
    const fromOutput = this.output.slice(outputStart, end - this.promptTokens);
    return start < this.promptTokens ? [...this.prompt.slice(start), ...fromOutput] : fromOutput;
  }

  /** Samples the next token. @returns Whether the sequence ends with it. */
  sample(): boolean {
    if (this.isPooled) return this.#endPooled();
    const { source, minTokens, maxTokens, endToken, ignoreEos, stopTokens } = this.#options;
    const tokenId = source.next(this.output);
    this.output.push(tokenId);
    this.kv?.append(tokenId);
    const mayStop = this.output.length >= minTokens;
    let stopReason: string | number | null = null;
    if (mayStop && !ignoreEos && tokenId === endToken) {
      this.finishReason = 'stop';
    } else if (mayStop && stopTokens.includes(tokenId)) {
      this.finishReason = 'stop';
      stopReason = tokenId;
    }
    // The token that ends a response adds no text, as in vLLM.
    if (this.finishReason === null || this.#options.includeStop) {
      const found = this.#stops.push(this.#decoder.push(tokenId), mayStop);
      if (found !== undefined && this.finishReason === null) {
        this.finishReason = 'stop';
        stopReason = found;
      }
    }
    if (this.finishReason === null && this.output.length >= maxTokens) this.finishReason = 'length';
    const isEnd = this.finishReason !== null;
    this.#options.onDelta({
      tokenIds: [tokenId],
      text: this.#stops.take(isEnd),
      finishReason: this.finishReason,
      stopReason,
    });
    return isEnd;
  }

  #endPooled(): boolean {
    this.finishReason = 'stop';
    const { onDelta } = this.#options;
    onDelta({ tokenIds: [], text: '', finishReason: 'stop', stopReason: null });
    return true;
  }

  /** Ends a response without tokens. */
  endEmpty(): void {
    this.finishReason = 'length';
    const { onDelta } = this.#options;
    onDelta({ tokenIds: [], text: '', finishReason: 'length', stopReason: null });
  }

  /** Ends the response from outside; sends the text held back for stop strings. */
  abort(): void {
    this.finishReason = 'abort';
    this.#options.onDelta({
      tokenIds: [],
      text: this.#stops.take(true),
      finishReason: 'abort',
      stopReason: null,
    });
  }

  /** Called when the engine has stopped: ends the response with an error. */
  fail(): void {
    this.#options.onFail();
  }
}
