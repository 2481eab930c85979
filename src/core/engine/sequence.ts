// A request inside the engine: its progress, and the blocks that it holds.
import type { BlockKey } from '../kv/index.ts';
import type { EngineRequest } from './request.ts';

/** The engine's own state of one request. Only the engine model changes it. */
export class Sequence {
  readonly request: EngineRequest;
  /** `loading`: waits for a tier, holding blocks; `loaded`: has the data, waits to be scheduled. */
  state: 'waiting' | 'loading' | 'loaded' | 'running' | 'finished' = 'waiting';
  /** Tokens whose KV is in the blocks, counted when scheduled. */
  computedTokens = 0;
  outputTokens = 0;
  /** Blocks held, in sequence order; all full ones come first. */
  readonly blocks: number[] = [];
  /** Number of leading `blocks` that are findable by key. */
  cachedBlocks = 0;
  /** Prompt tokens found at the first admission; undefined before. */
  cachedTokens: number | undefined;
  /** Tokens of `cachedTokens` that came from a tier below the GPU. */
  externalTokens = 0;
  /** Tokens found by the last lookup. */
  foundTokens = 0;
  hasRun = false;
  preemptions = 0;
  /** Tokens whose KV the last preemption gave up. */
  lostTokens = 0;
  /** Position in the waiting queue; owned by the queue. */
  previous: Sequence | undefined;
  next: Sequence | undefined;
  queueIndex = -1;
  readonly #keys: BlockKey[] = [];

  constructor(request: EngineRequest) {
    this.request = request;
  }

  /** Tokens that exist: the prompt and the sampled tokens. */
  get knownTokens(): number {
    return this.request.promptTokens + this.outputTokens;
  }

  /** The chained key of full block `index`. Numbers are not kept: a simulation has millions, each used once or twice. */
  blockKey(index: number): BlockKey {
    const known = this.#keys[index];
    if (known !== undefined) return known;
    const key = this.request.blockKey(index);
    if (typeof key !== 'number') this.#keys[index] = key;
    return key;
  }
}
