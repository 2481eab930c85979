// Publishes what the engine model does with blocks, one batch after each step.
import type { Random } from '../../core/base/index.ts';
import type { EngineListener, EngineRequest } from '../../core/engine/index.ts';
import {
  type BlockHashAlgorithm,
  createBlockHasher,
  KvEventLog,
  KvSequence,
  type KvSequenceScope,
} from '../../core/kv/index.ts';
import type { KvEventsConfig } from '../../core/protocol/index.ts';
import { type KvEventDelivery, KvEventPublisher } from '../../io/kv-events/index.ts';
import type { FaultOptions } from './faults/fault-options.ts';
import type { Sequence } from './sequence.ts';

export class KvEvents {
  /** Wire it to the engine model. */
  readonly listener: EngineListener;
  readonly #publisher: KvEventPublisher;
  readonly #log = new KvEventLog();
  readonly #hasher: ReturnType<typeof createBlockHasher>;
  readonly #blockSize: number;
  readonly #random: Random;
  readonly #faults: () => FaultOptions;

  private constructor(publisher: KvEventPublisher, options: Parameters<typeof KvEvents.open>[1]) {
    this.#publisher = publisher;
    this.#hasher = createBlockHasher({ algorithm: options.algorithm });
    this.#blockSize = options.blockSize;
    this.#random = options.random;
    this.#faults = options.faults;
    const log = this.#log;
    this.listener = {
      blocksStored: (request, first, count) => log.blocksStored(sequenceOf(request), first, count),
      blockRemoved: (key) => log.blockRemoved(key as string),
      allBlocksCleared: () => log.allBlocksCleared(),
    };
  }

  /**
   * Opens the endpoints.
   *
   * @param options `faults`: those in force when a batch goes out.
   * @throws {InputError} If an endpoint is malformed or cannot be listened on.
   */
  static async open(
    config: KvEventsConfig,
    options: {
      readonly algorithm: BlockHashAlgorithm;
      readonly blockSize: number;
      readonly random: Random;
      readonly faults: () => FaultOptions;
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

  /** Sends what has happened since the last call, if anything. */
  publish(): void {
    this.#publisher.publish(this.#log.take(), Date.now() / 1000, this.#delivery());
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
  const { kv } = request as Sequence;
  if (!kv) throw new Error('KV events need requests that name their blocks');
  return kv;
}
