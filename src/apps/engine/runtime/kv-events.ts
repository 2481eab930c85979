// Publishes the engine model's block events, one batch after each step.
import type { Random } from '../../../core/base/index.ts';
import type { EngineListener, EngineRequest, TierListener } from '../../../core/engine/index.ts';
import {
  type BlockHashAlgorithm,
  createBlockHasher,
  KvEventLog,
  KvSequence,
  type KvSequenceScope,
  TierEventLog,
} from '../../../core/kv/index.ts';
import type { KvEventsConfig } from '../../../core/vllm-config/index.ts';
import { type KvEventDelivery, KvEventPublisher } from '../../../io/kv-events/index.ts';
import type { FaultOptions } from '../faults/fault-options.ts';
import type { GeneratedSequence } from '../sequences/generated-sequence.ts';

export class KvEvents {
  /** Connect it to the engine model. */
  readonly listener: EngineListener;
  /** Connect it to the tier below, if any. */
  readonly tierListener: TierListener;
  readonly #publisher: KvEventPublisher;
  readonly #log: KvEventLog;
  readonly #tierLog: TierEventLog;
  readonly #hasher: ReturnType<typeof createBlockHasher>;
  readonly #blockSize: number;
  readonly #random: Random;
  readonly #faults: () => FaultOptions;

  private constructor(publisher: KvEventPublisher, options: Parameters<typeof KvEvents.open>[1]) {
    this.#publisher = publisher;
    this.#hasher = createBlockHasher({
      algorithm: options.algorithm,
      ...(options.hashSeed !== undefined && { seed: options.hashSeed }),
    });
    this.#blockSize = options.blockSize;
    this.#random = options.random;
    this.#faults = options.faults;
    const { rawHashes = false, selfDescribing = false } = options;
    const log = new KvEventLog({ rawHashes });
    const tierLog = new TierEventLog({ rawHashes, selfDescribing });
    this.#log = log;
    this.#tierLog = tierLog;
    this.listener = {
      blocksStored: (request, first, count) => log.blocksStored(sequenceOf(request), first, count),
      blocksFound: (request, count) => log.blocksStored(sequenceOf(request), 0, count),
      blockRemoved: (key) => log.blockRemoved(key as string),
      allBlocksCleared: () => log.allBlocksCleared(),
    };
    this.tierListener = {
      storing: ({ request }, first, count, key) =>
        tierLog.storing(sequenceOf(request), first, count, key as string),
      stored: (keys, medium) => tierLog.stored(keys as string[], medium),
      removed: (keys, medium) => tierLog.removed(keys as string[], medium),
    };
  }

  /**
   * Opens the endpoints.
   *
   * @param options `faults`: returns the active faults when a batch is sent.
   * @throws {InputError} If an endpoint is malformed or cannot be listened on.
   */
  static async open(
    config: KvEventsConfig,
    options: {
      readonly algorithm: BlockHashAlgorithm;
      /** PYTHONHASHSEED of the engine. @default vLLM's */
      readonly hashSeed?: string | undefined;
      readonly blockSize: number;
      readonly random: Random;
      readonly faults: () => FaultOptions;
      /** Full hashes instead of 64-bit integers. @default false */
      readonly rawHashes?: boolean | undefined;
      /** Whether events of the tier below list the contents of its chunks. @default false */
      readonly selfDescribing?: boolean | undefined;
    },
  ): Promise<KvEvents> {
    return new KvEvents(await KvEventPublisher.open(config), options);
  }

  /** The configuration with the ports in use. */
  get config(): KvEventsConfig {
    return this.#publisher.config;
  }

  /** Names the blocks of one request. */
  sequence(prompt: readonly number[], scope: KvSequenceScope): KvSequence {
    return new KvSequence(this.#hasher, this.#blockSize, prompt, scope);
  }

  /** Sends the events since the last call, if any. */
  publish(): void {
    // vLLM sends the tier's events after those of the GPU.
    const events = [...this.#log.take(), ...this.#tierLog.take()];
    this.#publisher.publish(events, Date.now() / 1000, this.#delivery());
  }

  /** Without requests, vLLM keeps stepping and publishing until its transfers are done. */
  publishTransfers(): void {
    if (!this.#tierLog.isEmpty) this.publish();
  }

  /** Called when the tier below was emptied. */
  resetTier(): void {
    this.#tierLog.reset();
  }

  close(): Promise<void> {
    return this.#publisher.close();
  }

  #delivery(): KvEventDelivery {
    const { loseKvEvents, duplicateKvEvents } = this.#faults();
    if (loseKvEvents && this.#random.next() < loseKvEvents.probability) return 'lost';
    if (duplicateKvEvents && this.#random.next() < duplicateKvEvents.probability) return 'twice';
    return 'once';
  }
}

function sequenceOf(request: EngineRequest): KvSequence {
  const { kv } = request as GeneratedSequence;
  if (!kv) throw new Error('KV events need requests that name their blocks');
  return kv;
}
