// The connections of all clients: how many, their bytes, and their end.
import { createServer, type Server, type Socket } from 'node:net';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import type { MemoryStore } from '../../core/cache/index.ts';
import { errorReply } from '../../core/resp/index.ts';
import { type CacheMetrics, type CacheProtocol, cacheMetrics } from './cache-metrics.ts';
import type { CacheTls } from './cache-tls.ts';
import { ClientMemory, type MemoryAccount } from './client-memory.ts';
import {
  type ClientHandle,
  type ClientSocket,
  clientSocket,
  detached,
  handleSocket,
  secureSocket,
} from './client-reads.ts';
import { bytesPerTurnMax, CommandTurns } from './command-turns.ts';
import {
  type ClientState,
  type Conversation,
  converse,
  type OpenConversation,
  type RequestDeadlines,
} from './conversation.ts';
import { ReplyWriter } from './reply-writer.ts';

/** LMCache keeps up to 150 connections for each engine. */
const defaultConnectionsMax = 10_000;

/**
 * A request that has begun must go on within 30 s, and be complete within 2 minutes: 2 GiB at 18 MB/s. Replies may wait longer, for an
 * engine that is held up, but not for ever, since their values cannot be evicted.
 */
const defaultDeadlines: RequestDeadlines = {
  stalledMs: 30_000,
  requestMs: 120_000,
  unreadMs: 300_000,
};

/** What requests that are not complete and replies that are not read take of all clients together, beside the values. */
const clientBytesMaxDefault = 64 << 20;

/** Finds clients whose machine is gone without a word, which otherwise count as connected for ever. */
export const keepAlive = { keepAlive: true, keepAliveInitialDelay: 60_000 };

/** Bounds of all clients. */
export interface ClientLimits {
  /** Connections at once; one more is rejected. @default 10,000 */
  readonly connectionsMax?: number | undefined;
  /** @default 30 s without a byte, 120 s in all, 5 minutes for unread replies */
  readonly deadlines?: RequestDeadlines | undefined;
  /** Bytes of requests and replies of all clients; the one that takes most is disconnected first. @default 64 MiB */
  readonly clientBytesMax?: number | undefined;
}

/** Where a client is. */
export interface ClientOrigin {
  /** Where its requests that are not complete are counted. */
  readonly account: MemoryAccount;
  /** Of its other end, with the port; empty over a Unix socket. */
  readonly address: string;
  /** Its certificate, if the server asks for one and has checked it. */
  certificate(): PeerCertificate | undefined;
}

/**
 * Begins the conversation with one client.
 *
 * @param session What another process left of it.
 */
export type Speak = (
  replies: ReplyWriter,
  metrics: ReturnType<CacheMetrics['of']>,
  origin: ClientOrigin,
  session?: unknown,
) => Conversation;

/** A client from another process. */
export interface HandedOver {
  /** Of `Conversation.session`. */
  readonly session: unknown;
  /** Called with each new state; the first one is idle. @default not called */
  readonly mark: ((state: ClientState) => void) | undefined;
  /** Called when the client has left or was disconnected. */
  readonly closed: () => void;
}

export interface AdoptedClient {
  /** Calls `then` once no request is in progress; never if the client leaves before. */
  release(then: (handle: ClientHandle, session: unknown) => void): void;
  /** Disconnects it. */
  close(): void;
}

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
  #whenGone = () => {};
  readonly #connectionsMax: number;
  readonly #deadlines: RequestDeadlines;
  readonly #memory: ClientMemory;
  /** What may be checked and written for all of them in one turn of the event loop. */
  readonly valueTurns = new CommandTurns(setImmediate, bytesPerTurnMax);

  constructor(options: ClientLimits, store: MemoryStore) {
    this.#connectionsMax = options.connectionsMax ?? defaultConnectionsMax;
    this.#deadlines = options.deadlines ?? defaultDeadlines;
    this.#memory = new ClientMemory(options.clientBytesMax ?? clientBytesMaxDefault);
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

  /** Bytes of requests and replies that are counted. */
  get memoryBytes(): number {
    return this.#memory.bytes;
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
      const options = { ...keepAlive, noDelay: true, pauseOnConnect: true };
      return createServer(options, (accepted) => open(clientSocket(accepted)));
    }
    const acceptor = tls.acceptor((socket) => open(secureSocket(socket)));
    return createServer({ ...keepAlive, noDelay: true }, (accepted) => acceptor.accept(accepted));
  }

  /** Serves a client that another process has accepted. */
  adopt(
    protocol: CacheProtocol,
    speak: Speak,
    handle: ClientHandle,
    { session, mark, closed }: HandedOver,
  ): AdoptedClient {
    const client = handleSocket(handle);
    let isReleased = false;
    client.socket.once('close', () => {
      if (!isReleased) closed();
    });
    const opened = this.#open(
      protocol,
      (replies, of, origin) => speak(replies, of, origin, session),
      client,
      mark,
    );
    return {
      release: (then) =>
        opened?.open.release(() => {
          isReleased = true;
          then(detached(client.socket), opened.conversation.session);
        }),
      close: () => client.socket.destroy(),
    };
  }

  /** @returns Undefined if the client was rejected. */
  #open(
    protocol: CacheProtocol,
    speak: Speak,
    client: ClientSocket,
    mark?: (state: ClientState) => void,
  ): { open: OpenConversation; conversation: Conversation } | undefined {
    const metrics = this.metrics.of(protocol);
    const { socket, output } = client;
    if (this.count('lm') + this.count('resp') >= this.#connectionsMax) {
      metrics.rejected.inc();
      if (protocol === 'resp') output.write(errorReply('ERR max number of clients reached'));
      socket.on('error', () => {});
      client.endSoon();
      return undefined;
    }
    metrics.connections.inc();
    const clients = this.#clients[protocol];
    socket.once('close', () => {
      clients.delete(socket);
      if (this.count('lm') + this.count('resp') === 0) this.#whenGone();
      this.#sentBytes[protocol] += socket.bytesWritten;
      this.#receivedBytes[protocol] += socket.bytesRead;
    });
    const account = this.#memory.open(() => {
      metrics.closed('memory');
      socket.destroy();
    });
    socket.once('close', () => account.end());
    const replies = new ReplyWriter(output, this.valueTurns, account);
    const conversation = speak(replies, metrics, originOf(socket, account));
    const open = converse(client, conversation, this.#deadlines, metrics.closed, mark);
    clients.set(socket, open);
    return { open, conversation };
  }

  finish(): void {
    this.isStopping = true;
    for (const clients of Object.values(this.#clients)) {
      for (const conversation of clients.values()) conversation.finish();
    }
  }

  /** Resolves when there is no client. */
  async gone(): Promise<void> {
    if (this.count('lm') + this.count('resp') === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenGone = resolve;
    });
  }

  destroy(): void {
    this.isStopping = true;
    for (const clients of Object.values(this.#clients)) {
      for (const socket of clients.keys()) socket.destroy();
    }
  }
}

function originOf(socket: Socket, account: MemoryAccount): ClientOrigin {
  return {
    account,
    address: addressOf(socket),
    certificate: () =>
      socket instanceof TLSSocket && socket.authorized ? socket.getPeerCertificate() : undefined,
  };
}

function addressOf({ remoteAddress, remotePort }: Socket): string {
  if (remoteAddress === undefined) return '';
  return remoteAddress.includes(':')
    ? `[${remoteAddress}]:${remotePort}`
    : `${remoteAddress}:${remotePort}`;
}
