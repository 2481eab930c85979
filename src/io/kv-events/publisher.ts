// Publishes an engine's KV events over ZeroMQ and replays missed ones, as vLLM does.
import { RingBuffer } from '../../core/base/index.ts';
import { encodeKvEventBatch, type KvEvent } from '../../core/protocol/index.ts';
import type { KvEventsConfig } from '../../core/vllm-config/index.ts';
import {
  type ListeningSocket,
  offsetZmqEndpoint,
  openRouterSocket,
  PublisherSocket,
  type RouterPeer,
} from '../zmq/index.ts';
import { readSequence, sequenceBytes } from './sequence.ts';

/** How a batch is sent; values other than `once` are faults, for tests of subscribers. */
export type KvEventDelivery = 'once' | 'lost' | 'twice';

/** Frame after the last replayed batch, in place of its number. */
const endOfReplay = new Uint8Array(8).fill(0xff);
const empty = new Uint8Array();

/**
 * Endpoints to listen on: those that vLLM listens on, and loopback, to which vLLM connects. Events
 * contain the tokens of prompts, so a stack on one machine must be able to keep them there.
 */
const listenedOn = /\*|::|^ipc:|^tcp:\/\/(127\.|localhost:)/;

/** A replay client that reads nothing for this long is disconnected. */
const replayStallMs = 10_000;

export class KvEventPublisher {
  /** The configuration with the actual ports: this engine's entry in /kv_event_sources. */
  readonly config: KvEventsConfig;
  readonly #topic: Uint8Array;
  readonly #rank: number;
  readonly #publisher: PublisherSocket;
  readonly #router: ListeningSocket | undefined;
  readonly #buffer: RingBuffer<readonly [sequence: number, payload: Uint8Array]>;
  #sequence = 0;

  private constructor(
    config: KvEventsConfig,
    rank: number,
    buffer: RingBuffer<readonly [number, Uint8Array]>,
    publisher: PublisherSocket,
    router: ListeningSocket | undefined,
  ) {
    this.config = {
      ...config,
      endpoint: publisher.endpoint,
      replay_endpoint: router?.endpoint ?? null,
    };
    this.#rank = rank;
    this.#topic = new TextEncoder().encode(config.topic);
    this.#buffer = buffer;
    this.#publisher = publisher;
    this.#router = router;
  }

  /**
   * Opens the endpoints.
   *
   * @param config With `publisher: 'zmq'`; `null` opens nothing.
   * @param options.dataParallelRank Written into each batch, and added to fixed ports. @default 0
   * @throws {InputError} If an endpoint is malformed or cannot be listened on.
   * @example
   * const publisher = await KvEventPublisher.open(parseKvEventsConfig(flag));
   * publisher.publish(eventLog.take(), Date.now() / 1000); // after each engine step
   */
  static async open(
    config: KvEventsConfig,
    options: { readonly dataParallelRank?: number } = {},
  ): Promise<KvEventPublisher> {
    const rank = options.dataParallelRank ?? 0;
    const endpoint = offsetZmqEndpoint(config.endpoint, rank);
    const buffer = new RingBuffer<readonly [number, Uint8Array]>({ itemsMax: config.buffer_steps });
    const publisher = await PublisherSocket.open({
      endpoint,
      connect: !listenedOn.test(endpoint),
      highWaterMark: config.hwm,
    });
    try {
      const router =
        config.replay_endpoint === null
          ? undefined
          : await openRouterSocket({
              endpoint: offsetZmqEndpoint(config.replay_endpoint, rank),
              onMessage: (peer, frames) => replay(peer, frames, config.topic, buffer),
            });
      return new KvEventPublisher(config, rank, buffer, publisher, router);
    } catch (error) {
      await publisher.close();
      throw error;
    }
  }

  /** Number of the next batch; the first batch after a start is 0. */
  get nextSequence(): number {
    return this.#sequence;
  }

  /** Number of connected subscribers. */
  get subscribers(): number {
    return this.#publisher.subscribers;
  }

  /**
   * Number of messages that slow subscribers lost; they can request them at the replay endpoint.
   */
  get droppedMessages(): number {
    return this.#publisher.droppedMessages;
  }

  /**
   * Publishes the changes of one step as one batch; without events it does nothing.
   *
   * @param delivery `lost`: numbered and kept for replay, but not sent. `twice`: sent twice.
   */
  publish(
    events: readonly KvEvent[],
    unixSeconds: number,
    delivery: KvEventDelivery = 'once',
  ): void {
    if (events.length === 0) return;
    const payload = encodeKvEventBatch({
      timestampSeconds: unixSeconds,
      events,
      dataParallelRank: this.#rank,
    });
    const sequence = this.#sequence++;
    this.#buffer.push([sequence, payload]);
    if (delivery === 'lost') return;
    const frames = [this.#topic, sequenceBytes(sequence), payload];
    this.#publisher.send(frames);
    if (delivery === 'twice') this.#publisher.send(frames);
  }

  /** Sends what is queued and closes both endpoints. */
  async close(): Promise<void> {
    await Promise.all([this.#publisher.close(), this.#router?.close()]);
  }
}

/**
 * Responds to one replay request: sends each kept batch from the requested one on, then the end.
 */
async function replay(
  peer: RouterPeer,
  frames: readonly Uint8Array[],
  topicText: string,
  buffer: RingBuffer<readonly [number, Uint8Array]>,
): Promise<void> {
  const [delimiter, start] = frames;
  // vLLM does not respond to any other shape.
  if (frames.length !== 2 || delimiter?.length !== 0 || start === undefined) return;
  const first = readSequence(start);
  const topic = new TextEncoder().encode(topicText);
  const wanted = [...buffer].filter(([sequence]) => sequence >= first);
  for (const [sequence, payload] of wanted) {
    peer.send([empty, topic, sequenceBytes(sequence), payload]);
    await takenBy(peer);
    if (!peer.connected) return;
  }
  peer.send([empty, empty, endOfReplay, empty]);
}

async function takenBy(peer: RouterPeer): Promise<void> {
  const stall = setTimeout(() => {
    peer.fail(new Error(`a replay client read nothing for ${replayStallMs} ms`));
  }, replayStallMs);
  await peer.drained();
  clearTimeout(stall);
}
