// The embedded engine without its HTTP edge: requests in, tokens out, on the engine model's time.
import { createHash } from 'node:crypto';
import { seededRandom } from '../../core/base/index.ts';
import { EngineModel } from '../../core/engine/index.ts';
import { chainRoot, hashTokenBlock } from '../../core/kv/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import { Driver } from './driver.ts';
import type { EngineServerOptions } from './options.ts';
import { Sequence, type TokenDelta } from './sequence.ts';
import { syntheticText } from './text/synthetic-text.ts';
import { scriptedTokens } from './text/token-source.ts';
import { type WordList, wordList } from './text/word-list.ts';

/** One sequence to generate, all defaults filled in. */
export interface GenerationOptions {
  /** Unique within the engine. */
  readonly id: string;
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly ignoreEos: boolean;
  readonly stops: readonly string[];
  readonly stopTokens: readonly number[];
  readonly includeStop: boolean;
  readonly skipSpecialTokens: boolean;
  readonly priority: number;
  readonly cacheSalt: string | undefined;
  /** Which of several answers to one prompt: each has its own text. */
  readonly choice: number;
  readonly seed: number | undefined;
  /** Answer exactly this instead of synthetic text. */
  readonly script: readonly number[] | undefined;
  readonly onDelta: (delta: TokenDelta) => void;
}

/** An engine; as many in one process as there is memory for. */
export class Engine {
  readonly options: EngineServerOptions;
  readonly tokenizer: Tokenizer;
  readonly servedModelNames: readonly string[];
  /** As real vLLM's: version, and eight digits that stand for the configuration. */
  readonly systemFingerprint: string;
  readonly createdSeconds = Math.floor(Date.now() / 1000);
  readonly #model: EngineModel;
  readonly #driver: Driver<Sequence>;
  readonly #sequences = new Map<string, Sequence>();
  #words: WordList | undefined;

  constructor(options: EngineServerOptions) {
    this.options = options;
    this.tokenizer = options.tokenizer;
    this.servedModelNames = options.servedModelNames ?? [options.model];
    const digest = createHash('sha256').update(JSON.stringify(options.config)).digest('hex');
    this.systemFingerprint = `vllm-${emulatedVersion}-${digest.slice(0, 8)}`;
    this.#model = new EngineModel({
      config: options.config,
      cost: options.cost,
      listener: {
        admitted: (request, cachedTokens) => {
          (request as Sequence).cachedTokens = cachedTokens;
        },
      },
    });
    this.#driver = new Driver({
      model: this.#model,
      timeScale: options.timeScale ?? 1,
      wallSeconds: () => performance.now() / 1000,
      onToken: (sequence) => this.#onToken(sequence),
      onStep: () => {},
    });
  }

  /** The name in answers. */
  get modelName(): string {
    return this.servedModelNames[0] as string;
  }

  /** Queues a sequence; its tokens come through `onDelta`, the last with a finish reason. */
  generate(options: GenerationOptions): Sequence {
    const endToken = this.tokenizer.eosTokenId;
    const sequence = new Sequence(
      {
        ...options,
        rootKey: rootKey(options.cacheSalt),
        blockSize: this.options.config.blockSize,
        arrivalSeconds: this.#driver.nowSeconds(),
        source: options.script
          ? scriptedTokens(options.script, endToken ?? 0)
          : syntheticText({
              words: this.#wordList(),
              random: seededRandom(this.#textSeed(options)),
              endToken: options.ignoreEos ? undefined : endToken,
              tokensMin: options.minTokens,
            }),
        endToken,
      },
      this.tokenizer,
    );
    this.#sequences.set(sequence.id, sequence);
    this.#driver.add(sequence);
    return sequence;
  }

  /** The client has gone: frees the blocks at once, sends nothing. */
  cancel(sequence: Sequence): void {
    if (!this.#sequences.delete(sequence.id)) return;
    this.#driver.abort(sequence);
  }

  stats(): EngineModel['stats'] {
    return this.#model.stats;
  }

  close(): void {
    this.#driver.close();
    this.#sequences.clear();
  }

  #onToken(sequence: Sequence): boolean {
    const ends = sequence.sample();
    if (ends) this.#sequences.delete(sequence.id);
    return ends;
  }

  #wordList(): WordList {
    this.#words ??= wordList(this.tokenizer);
    return this.#words;
  }

  /** The same prompt gets the same answer, whatever came in between. */
  #textSeed({ prompt, seed = 0, choice }: GenerationOptions): number {
    const engineSeed = this.options.seed ?? 0;
    return hashTokenBlock(
      chainRoot,
      [engineSeed, seed, choice, ...prompt.slice(-64), prompt.length],
      0,
      Math.min(prompt.length, 64) + 4,
    );
  }
}

/** The release whose behaviour is emulated. */
export const emulatedVersion = '0.32.0';

function rootKey(salt: string | undefined): number {
  if (salt === undefined) return chainRoot;
  const bytes = Array.from(new TextEncoder().encode(salt));
  return hashTokenBlock(chainRoot, [0x73616c74, ...bytes], 0, bytes.length + 1);
}
