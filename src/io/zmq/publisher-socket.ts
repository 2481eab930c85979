// PUB: each subscriber gets every message of its topics; a slow one loses some.
import type { Socket } from 'node:net';
import { ZmqConnector } from './connector.ts';
import { ZmtpError } from './errors.ts';
import { ZmqListener } from './listener.ts';
import { encodeMessage, type ZmtpCommand } from './zmtp.ts';
import { ZmtpConnection, type ZmtpHandlers, type ZmtpLimits } from './zmtp-connection.ts';

export interface PublisherSocketOptions {
  /** Where it listens, or connects if `connect` is set. */
  readonly endpoint: string;
  readonly connect?: boolean;
  /**
   * Maximum number of messages queued for one subscriber; it loses further ones. 0: no limit.
   * @default 1000
   */
  readonly highWaterMark?: number;
  /**
   * Maximum number of bytes queued for one subscriber; it loses further messages. @default 256 MiB
   */
  readonly queuedBytesMax?: number;
  readonly limits?: Partial<ZmtpLimits>;
}

/** Maximum number of subscriptions of one connection; one more closes it. */
const subscriptionsMax = 1024;

interface Subscriber {
  readonly connection: ZmtpConnection;
  readonly topics: Uint8Array[];
}

export class PublisherSocket {
  /** As requested, with the port that the system chose in place of 0. */
  readonly endpoint: string;
  readonly #subscribers = new Set<Subscriber>();
  readonly #highWaterMark: number;
  readonly #queuedBytesMax: number;
  readonly #limits: Partial<ZmtpLimits> | undefined;
  #listener: ZmqListener | undefined;
  #connector: ZmqConnector | undefined;
  #droppedMessages = 0;

  private constructor(options: PublisherSocketOptions, endpoint: string) {
    this.endpoint = endpoint;
    const { highWaterMark = 1000 } = options;
    this.#highWaterMark = highWaterMark === 0 ? Number.POSITIVE_INFINITY : highWaterMark;
    this.#queuedBytesMax = options.queuedBytesMax ?? 256 * 1024 * 1024;
    this.#limits = options.limits;
  }

  /** @throws {InputError} If the endpoint is malformed or cannot be listened on. */
  static async open(options: PublisherSocketOptions): Promise<PublisherSocket> {
    if (options.connect) {
      const publisher = new PublisherSocket(options, options.endpoint);
      publisher.#connect();
      return publisher;
    }
    const accepted: Socket[] = [];
    let publisher: PublisherSocket | undefined;
    const listener = await ZmqListener.listen(options.endpoint, (socket) => {
      if (publisher) publisher.#accept(socket);
      else accepted.push(socket);
    });
    publisher = new PublisherSocket(options, listener.endpoint);
    publisher.#listener = listener;
    for (const socket of accepted) publisher.#accept(socket);
    return publisher;
  }

  /** Number of connections with a subscription. */
  get subscribers(): number {
    let count = 0;
    for (const { topics } of this.#subscribers) if (topics.length > 0) count += 1;
    return count;
  }

  /** Number of messages lost because a subscriber was too slow, summed over subscribers. */
  get droppedMessages(): number {
    return this.#droppedMessages;
  }

  /** Sends to all subscribers with a topic that is a prefix of the first frame. Never waits. */
  send(frames: readonly Uint8Array[]): void {
    let message: Uint8Array | undefined;
    const [topic = new Uint8Array()] = frames;
    for (const { connection, topics } of this.#subscribers) {
      if (!topics.some((prefix) => startsWith(topic, prefix))) continue;
      if (
        connection.queuedMessages >= this.#highWaterMark ||
        connection.queuedBytes >= this.#queuedBytesMax
      ) {
        this.#droppedMessages += 1;
        continue;
      }
      message ??= encodeMessage(frames);
      connection.send(message);
    }
  }

  async close(): Promise<void> {
    const closing = [this.#connector?.close(), this.#listener?.close()];
    for (const { connection } of this.#subscribers) closing.push(connection.close());
    await Promise.all(closing);
  }

  #accept(socket: Socket): void {
    const topics: Uint8Array[] = [];
    let subscriber: Subscriber | undefined;
    const connection = new ZmtpConnection(socket, {
      socketType: 'PUB',
      limits: this.#limits,
      handlers: {
        ...subscriptionHandlers(topics, () => connection),
        closed: () => {
          if (subscriber) this.#subscribers.delete(subscriber);
        },
      },
    });
    subscriber = { connection, topics };
    this.#subscribers.add(subscriber);
  }

  #connect(): void {
    let subscriber: Subscriber | undefined;
    const topics: Uint8Array[] = [];
    const connector = new ZmqConnector({
      endpoint: this.endpoint,
      socketType: 'PUB',
      limits: this.#limits,
      handlers: {
        ...subscriptionHandlers(topics, () => connector.connection),
        ready: () => {
          const { connection } = connector;
          if (!connection) return;
          subscriber = { connection, topics };
          this.#subscribers.add(subscriber);
        },
        closed: () => {
          topics.length = 0;
          if (subscriber) this.#subscribers.delete(subscriber);
        },
      },
    });
    this.#connector = connector;
  }
}

/** Updates `topics` as the peer requests: by message in ZMTP 3.0, by command in 3.1. */
function subscriptionHandlers(
  topics: Uint8Array[],
  connection: () => ZmtpConnection | undefined,
): ZmtpHandlers {
  const change = (subscribe: boolean, topic: Uint8Array): void => {
    if (subscribe) {
      topics.push(topic.slice());
      if (topics.length > subscriptionsMax) {
        connection()?.fail(
          new ZmtpError(`A peer has more than ${subscriptionsMax} subscriptions.`),
        );
      }
      return;
    }
    const index = topics.findIndex(
      (known) => known.length === topic.length && startsWith(known, topic),
    );
    if (index >= 0) topics.splice(index, 1);
  };
  return {
    message: ([frame]) => {
      if (frame?.[0] === 1 || frame?.[0] === 0) change(frame[0] === 1, frame.subarray(1));
    },
    command: ({ name, data }: ZmtpCommand) => {
      if (name === 'SUBSCRIBE' || name === 'CANCEL') change(name === 'SUBSCRIBE', data);
    },
  };
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  if (prefix.length > bytes.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}
