// vLLM's `ExampleConnector`: one folder per prompt, found again by its name.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../../core/base/index.ts';
import type {
  EngineRequest,
  KvConnector,
  TieredSequence,
  TierHit,
  TierStats,
  TierStep,
} from '../../../core/engine/index.ts';

export interface ExampleConnectorOptions {
  readonly storagePath: string;
  readonly blockSize: number;
  /** Returns the tokens of a request from which its name is made. */
  readonly promptOf: (request: EngineRequest) => readonly number[];
  readonly log?: ((line: string) => void) | undefined;
}

/**
 * The first step of a prompt without a folder creates one. A prompt with a folder computes only its
 * last block; the step itself loads the rest. Nothing is ever removed, as in vLLM, where this
 * connector is for debugging. The folders have vLLM's names but contain no KV: do not use them with
 * a real vLLM. Loads and stores take no model time.
 *
 * @see vllm/distributed/kv_transfer/kv_connector/v1/example_connector.py
 */
export class ExampleConnector implements KvConnector {
  readonly nextSeconds = Number.POSITIVE_INFINITY;
  readonly #options: ExampleConnectorOptions;
  /** Requests that have been in a step, or are loading. */
  readonly #seen = new Set<EngineRequest>();
  #loads = 0;
  #stores = 0;

  /** @throws {InputError} If the folder cannot be created. */
  constructor(options: ExampleConnectorOptions) {
    this.#options = options;
    try {
      mkdirSync(options.storagePath, { recursive: true });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new InputError(
        `--kv-transfer-config: shared_storage_path ${options.storagePath} is not a writable folder: ${reason}.`,
        { cause },
      );
    }
  }

  get stats(): TierStats {
    const none = { bytes: 0, seconds: 0 };
    return {
      loads: { ...none, transfers: this.#loads },
      stores: { ...none, transfers: this.#stores },
      ...{ allocationFailures: 0, storesSkipped: 0, tiers: [] },
    };
  }

  lookup({ request }: TieredSequence, localTokens: number): TierHit {
    const prompt = this.#options.promptOf(request);
    const tokens = existsSync(this.#folder(prompt)) ? this.#stored(prompt) - localTokens : 0;
    return { tokens: Math.max(0, tokens), isAsync: false, source: 'external_unspecified' };
  }

  load({ request }: TieredSequence): void {
    this.#seen.add(request);
    this.#loads++;
  }

  planned({ sequences }: TierStep): number {
    for (const { request } of sequences) {
      if (this.#seen.has(request)) continue;
      this.#seen.add(request);
      this.#store(this.#options.promptOf(request));
    }
    return 0;
  }

  advance(): readonly TieredSequence[] {
    return [];
  }

  finished({ request }: TieredSequence): void {
    this.#seen.delete(request);
  }

  /** vLLM reports success, but the folders stay. */
  reset(): boolean {
    return true;
  }

  /** One token less than the prompt, in whole blocks, without the last one if it is full. */
  #stored(prompt: readonly number[]): number {
    const { blockSize } = this.#options;
    return Math.max(0, Math.floor((prompt.length - 2) / blockSize) * blockSize);
  }

  #folder(prompt: readonly number[]): string {
    const ids = BigInt64Array.from(prompt.slice(0, this.#stored(prompt)), BigInt);
    const name = createHash('md5').update(new Uint8Array(ids.buffer)).digest('hex');
    return join(this.#options.storagePath, name);
  }

  #store(prompt: readonly number[]): void {
    const folder = this.#folder(prompt);
    if (existsSync(folder)) return;
    try {
      mkdirSync(folder, { recursive: true });
      const note = { emulated: true, tokens: this.#stored(prompt) };
      writeFileSync(join(folder, 'spillway.json'), `${JSON.stringify(note)}\n`);
      this.#stores++;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log?.(`Could not store a prompt in ${folder}: ${reason}`);
    }
  }
}
