// The connections of all clients: how many, their bytes, and their end.
import { createServer, type Server, type Socket } from 'node:net';
import type { MemoryStore } from '../../core/cache/index.ts';
import { errorReply } from '../../core/resp/index.ts';
import { type CacheMetrics, type CacheProtocol, cacheMetrics } from './cache-metrics.ts';
import type { CacheTls } from './cache-tls.ts';
import { type ClientSocket, clientSocket, secureSocket } from './client-reads.ts';
import {
  type Conversation,
  converse,
  type OpenConversation,
  type RequestDeadlines,
} from './conversation.ts';
import { ReplyWriter } from './reply-writer.ts';

/** LMCache keeps up to 150 connections for each engine. */
const defaultConnectionsMax = 10_000;

/** A request that has begun must go on within 30 s, and be complete within 2 minutes: 2 GiB at 18 MB/s. */
const defaultDeadlines: RequestDeadlines = { stalledMs: 30_000, requestMs: 120_000 };

/** Bounds of all clients. */
export interface ClientLimits {
  /** Connections at once; one more is rejected. @default 10,000 */
  readonly connectionsMax?: number | undefined;
  /** @default 30 s without a byte, 120 s in all */
  readonly deadlines?: RequestDeadlines | undefined;
}

/** Begins the conversation with one client. */
type Speak = (replies: ReplyWriter, metrics: ReturnType<CacheMetrics['of']>) => Conversation;

/** The connections of all clients. */
export class Clients {
  isStopping = false;
  readonly metrics: CacheMetrics;
  readonly #clients = {
    lm: new Map<Socket, OpenConversation>(),
    resp: new Map<Socket, OpenConversation>(),
  };
  /** To clients that are gone. */
  readonly #sentBytes = { lm: 0, resp: 0 };
  /** From clients that are gone. */
  readonly #receivedBytes = { lm: 0, resp: 0 };
  readonly #connectionsMax: number;
  readonly #deadlines: RequestDeadlines;

  constructor(options: ClientLimits, store: MemoryStore) {
    this.#connectionsMax = options.connectionsMax ?? defaultConnectionsMax;
    this.#deadlines = options.deadlines ?? defaultDeadlines;
    this.metrics = cacheMetrics(store, (protocol) => this.count(protocol));
    for (const protocol of ['lm', 'resp'] as const) {
      const { sentBytes, receivedBytes } = this.metrics.of(protocol);
      this.metrics.registry.onRender(() => {
        let sent = this.#sentBytes[protocol];
        let received = this.#receivedBytes[protocol];
        for (const { bytesWritten, bytesRead } of this.#clients[protocol].keys()) {
          sent += bytesWritten;
          received += bytesRead;
        }
        sentBytes.inc(sent - sentBytes.value);
        receivedBytes.inc(received - receivedBytes.value);
      });
    }
  }

  count(protocol: CacheProtocol): number {
    return this.#clients[protocol].size;
  }

  /**
   * Creates the server of one protocol.
   *
   * @param tls Undefined for plain connections.
   */
  serve(protocol: CacheProtocol, speak: Speak, tls?: CacheTls): Server {
    const open = (client: ClientSocket) => this.#open(protocol, speak, client);
    if (tls === undefined) {
      const options = { noDelay: true, pauseOnConnect: true };
      return createServer(options, (accepted) => open(clientSocket(accepted)));
    }
    const acceptor = tls.acceptor((socket) => open(secureSocket(socket)));
    return createServer({ noDelay: true }, (accepted) => acceptor.accept(accepted));
  }

  #open(protocol: CacheProtocol, speak: Speak, client: ClientSocket): void {
    const metrics = this.metrics.of(protocol);
    const { socket, output } = client;
    if (this.count('lm') + this.count('resp') >= this.#connectionsMax) {
      metrics.rejected.inc();
      if (protocol === 'resp') output.write(errorReply('ERR max number of clients reached'));
      socket.on('error', () => {});
      client.endSoon();
      return;
    }
    metrics.connections.inc();
    const clients = this.#clients[protocol];
    socket.once('close', () => {
      clients.delete(socket);
      this.#sentBytes[protocol] += socket.bytesWritten;
      this.#receivedBytes[protocol] += socket.bytesRead;
    });
    const conversation = speak(new ReplyWriter(output), metrics);
    clients.set(socket, converse(client, conversation, this.#deadlines, metrics.closed));
  }

  finish(): void {
    this.isStopping = true;
    for (const clients of Object.values(this.#clients)) {
      for (const conversation of clients.values()) conversation.finish();
    }
  }

  destroy(): void {
    this.isStopping = true;
    for (const clients of Object.values(this.#clients)) {
      for (const socket of clients.keys()) socket.destroy();
    }
  }
}
