// KV events of the tiers below the GPU, as vLLM's offloading connector publishes them.
import type { BlockStoredEvent, EventBlockHash, KvEvent } from '../protocol/index.ts';
import { blockHashInteger } from './block-hash.ts';
import { hashOfKey, type KvSequence } from './kv-sequence.ts';

type Medium = 'CPU' | 'STORAGE';

/** Content of a chunk, kept from its store to its removal. */
type Description = Pick<
  BlockStoredEvent,
  'blockHashes' | 'parentBlockHash' | 'tokenIds' | 'blockSize' | 'loraId' | 'loraName'
>;

/**
 * Collects the events of one step, which vLLM sends after those of the GPU. Without descriptions, its default,
 * an event contains only the name of the chunk's last block, and consumers that index tokens have to skip it.
 *
 * @see vllm/distributed/kv_transfer/kv_connector/v1/offloading/events.py
 */
export class TierEventLog {
  readonly #wireHash: (hash: Uint8Array) => EventBlockHash;
  readonly #isSelfDescribing: boolean;
  /** Bounded by the chunks of the tier. */
  readonly #descriptions = new Map<string, Description>();
  #events: KvEvent[] = [];

  /** @param options `selfDescribing`: vLLM's `self_describing_kv_events`. @default false */
  constructor(options: { readonly rawHashes?: boolean; readonly selfDescribing?: boolean } = {}) {
    this.#wireHash = options.rawHashes ? (hash) => hash : blockHashInteger;
    this.#isSelfDescribing = options.selfDescribing ?? false;
  }

  /** A chunk of a request, from `firstBlock`, is about to be stored under `key`. */
  storing(sequence: KvSequence, firstBlock: number, blockCount: number, key: string): void {
    if (!this.#isSelfDescribing) return;
    const { lora } = sequence.scope;
    const hashOf = (index: number) => this.#wireHash(sequence.blockHash(index));
    this.#descriptions.set(key, {
      blockHashes: Array.from({ length: blockCount }, (_, i) => hashOf(firstBlock + i)),
      parentBlockHash: firstBlock === 0 ? undefined : hashOf(firstBlock - 1),
      tokenIds: sequence.tokensOf(firstBlock, blockCount).slice(),
      blockSize: sequence.blockSize,
      ...{ loraId: lora?.id, loraName: lora?.name },
    });
  }

  /** @param keys Keys from `KvSequence.blockKey`. */
  stored(keys: readonly string[], medium: Medium): void {
    for (const key of keys) {
      const known = this.#descriptions.get(key);
      this.#events.push({
        type: 'BlockStored',
        ...(known ?? this.#placeholder(key)),
        medium,
        groupIndex: 0,
        ...(known && { cacheSpecKind: 'full_attention' }),
      });
    }
  }

  removed(keys: readonly string[], medium: Medium): void {
    const blockHashes = keys.flatMap((key) => {
      const known = this.#descriptions.get(key);
      this.#descriptions.delete(key);
      return known?.blockHashes ?? [this.#wireHash(hashOfKey(key))];
    });
    this.#events.push({ type: 'BlockRemoved', blockHashes, medium, groupIndex: 0 });
  }

  /** The tier was emptied, which vLLM does not announce. */
  reset(): void {
    this.#descriptions.clear();
  }

  get isEmpty(): boolean {
    return this.#events.length === 0;
  }

  /** The events since the last call, in order. */
  take(): readonly KvEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #placeholder(key: string): Description {
    return {
      blockHashes: [this.#wireHash(hashOfKey(key))],
      parentBlockHash: undefined,
      tokenIds: new Uint32Array(),
      blockSize: 0,
      ...{ loraId: undefined, loraName: undefined },
    };
  }
}
