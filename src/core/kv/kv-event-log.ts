// Converts the block operations of an engine model to the KV events that vLLM would publish.
import type { EventBlockHash, EventExtraKey, KvEvent } from '../protocol/index.ts';
import { blockHashInteger, type ExtraKey } from './block-hash.ts';
import { hashOfKey, type KvSequence } from './kv-sequence.ts';

/**
 * Collects the events of one engine step. Its methods match the engine's callbacks; after each step, `take`
 * returns the batch to publish.
 *
 * @example
 * const log = new KvEventLog();
 * const listener: EngineListener = {
 *   blocksStored: (request, first, count) => log.blocksStored(sequenceOf(request), first, count),
 *   blockRemoved: (key) => log.blockRemoved(key as string),
 *   allBlocksCleared: () => log.allBlocksCleared(),
 * };
 * // after each step:
 * publisher.publish(log.take(), Date.now() / 1000);
 */
export class KvEventLog {
  readonly #wireHash: (hash: Uint8Array) => EventBlockHash;
  #events: KvEvent[] = [];

  /**
   * @param options.rawHashes Whole hashes on the wire instead of 64-bit integers, as with
   *   VLLM_KV_EVENTS_USE_INT_BLOCK_HASHES=0. @default false
   */
  constructor(options: { readonly rawHashes?: boolean } = {}) {
    this.#wireHash = options.rawHashes ? (hash) => hash : blockHashInteger;
  }

  /**
   * Blocks of a request became findable. With `vllm_xargs.kv_cache_report_mode: "full"`, cached blocks that a
   * request found are announced in the same way, with `firstBlockIndex` 0.
   */
  blocksStored(sequence: KvSequence, firstBlockIndex: number, blockCount: number): void {
    const { lora, sessionId } = sequence.scope;
    const blockHashes: EventBlockHash[] = [];
    const extraKeys: (readonly EventExtraKey[] | undefined)[] = [];
    for (let index = firstBlockIndex; index < firstBlockIndex + blockCount; index++) {
      blockHashes.push(this.#wireHash(sequence.blockHash(index)));
      const keys = sequence.extraKeys(index);
      extraKeys.push(keys.length > 0 ? keys.map(untagged) : undefined);
    }
    this.#events.push({
      type: 'BlockStored',
      blockHashes,
      parentBlockHash:
        firstBlockIndex === 0 ? undefined : this.#wireHash(sequence.blockHash(firstBlockIndex - 1)),
      tokenIds: sequence.tokensOf(firstBlockIndex, blockCount).slice(),
      blockSize: sequence.blockSize,
      loraId: lora?.id,
      medium: 'GPU',
      loraName: lora?.name,
      extraKeys,
      groupIndex: 0,
      cacheSpecKind: 'full_attention',
      sessionId,
    });
  }

  /** @param key A key from `KvSequence.blockKey`. */
  blockRemoved(key: string): void {
    this.#events.push({
      type: 'BlockRemoved',
      blockHashes: [this.#wireHash(hashOfKey(key))],
      medium: 'GPU',
      groupIndex: 0,
    });
  }

  /** The prefix cache was reset. vLLM publishes this with its next step, not at the reset. */
  allBlocksCleared(): void {
    this.#events.push({ type: 'AllBlocksCleared' });
  }

  /** The events since the last call, in order. */
  take(): readonly KvEvent[] {
    if (this.#events.length === 0) return none;
    const events = this.#events;
    this.#events = [];
    return events;
  }
}

const none: readonly KvEvent[] = [];

/** Events carry extra keys without the tags that enter the hash, and an adapter without its path. */
function untagged(key: ExtraKey): EventExtraKey {
  switch (key[0]) {
    case 'lora':
    case 'cache_salt':
    case 'prompt_embeds':
      return key[1];
    case 'mm':
      return [key[1], key[2]];
  }
}
