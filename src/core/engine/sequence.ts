// A request inside the engine: how far it is, and which blocks it holds.
import type { BlockKey } from '../kv/index.ts';
import type { EngineRequest } from './contract.ts';

/** The engine's own state of one request. Only the engine model changes it. */
export class Sequence {
  readonly request: EngineRequest;
  /** `loading`: waits for a tier, holding blocks; `loaded`: has them, waits for its turn. */
  state: 'waiting' | 'loading' | 'loaded' | 'running' | 'finished' = 'waiting';
  /** Tokens whose KV is in the blocks, counted when scheduled. */
  computedTokens = 0;
  outputTokens = 0;
  /** Blocks held, in sequence order; all full ones come first. */
  readonly blocks: number[] = [];
  /** Of `blocks`, how many from the front are findable by key. */
  cachedBlocks = 0;
  /** Of the prompt, what the first admission found; undefined before. */
  cachedTokens: number | undefined;
  /** Of `cachedTokens`, what came from a tier below the GPU. */
  externalTokens = 0;
  /** Of the tokens known at the last lookup, what it found. */
  foundTokens = 0;
  hasRun = false;
  preemptions = 0;
  /** Place in the waiting queue; owned by the queue. */
  previous: Sequence | undefined;
  next: Sequence | undefined;
  queueIndex = -1;
  readonly #keys: BlockKey[] = [];

  constructor(request: EngineRequest) {
    this.request = request;
  }

  /** Tokens that exist: the prompt and what was sampled. */
  get knownTokens(): number {
    return this.request.promptTokens + this.outputTokens;
  }

  /** The chained key of full block `index`, asked of the request once. */
  blockKey(index: number): BlockKey {
    let key = this.#keys[index];
    if (key === undefined) {
      key = this.request.blockKey(index);
      this.#keys[index] = key;
    }
    return key;
  }
}
