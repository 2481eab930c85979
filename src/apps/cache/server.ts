// The cache server: one store behind two protocols.
import { createServer, type Server, type Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import type { Clock } from '../../core/base/index.ts';
import { MemoryStore } from '../../core/cache/index.ts';
import { errorReply } from '../../core/resp/index.ts';
import { portError } from '../../io/listen/index.ts';
import { LmConnection } from './lm-connection.ts';
import { ValueSizes } from './miss-padding.ts';
import { ReplyWriter } from './reply-writer.ts';
import { RespConnection } from './resp-connection.ts';

/** Connections of all clients; one more is refused. LMCache keeps up to 150 for each engine. */
const connectionsMax = 10_000;

/** A request that has begun must go on within this time, or its connection is closed. */
const stalledRequestMs = 30_000;
/** And be complete within this time: 2 GiB at 18 MB/s. */
const requestMs = 120_000;

export interface CacheOptions {
  readonly host: string;
  /** Port of `lm://`; 0 for any free one. */
  readonly lmPort: number;
  /** Port of RESP; 0 for any free one. */
  readonly respPort: number;
  /** Bytes of values. */
  readonly memoryBytes: number;
  /** What RESP clients must know; `lm://` has no passwords. */
  readonly password?: string | undefined;
  readonly clock: Clock;
  /** Seconds since 1970; for times of expiry that clients give as such. */
  readonly wallClock: Clock;
  /** @default 30 s without a byte, 120 s in all */
  readonly deadlines?: RequestDeadlines;
}

/** Times after which the connection of a request that is not complete is closed. */
export interface RequestDeadlines {
  /** Without another byte. */
  readonly stalledMs: number;
  /** In all, for each request. */
  readonly requestMs: number;
}

export interface CacheServer {
  readonly store: MemoryStore;
  /** Where clients connect, e.g. `lm://127.0.0.1:65432`. */
  readonly urls: readonly string[];
  /** Closes all connections. */
  close(): Promise<void>;
}

/** What a protocol does with the bytes of one client. */
interface Conversation {
  /** Takes bytes; false if the client has to read replies first. @throws If the connection has to be closed. */
  push(bytes: Uint8Array): boolean;
  /** Goes on after `push` was false. */
  resume(): boolean;
  /** Requests that have begun. */
  readonly requests: number;
  /** Whether the last of them is not complete. */
  readonly isWaiting: boolean;
  close(): void;
}

/**
 * Starts the server.
 *
 * @throws {InputError} If a port cannot be used.
 */
export async function startCache(options: CacheOptions): Promise<CacheServer> {
  const { host, memoryBytes: bytesMax, clock, wallClock, password } = options;
  const { deadlines = { stalledMs: stalledRequestMs, requestMs } } = options;
  const store = new MemoryStore({ bytesMax, clock, checksum: crc32 });
  const service = { store, wallClock, password, sizes: new ValueSizes() };
  const sockets = new Set<Socket>();
  let ids = 0;
  const serve = (speak: (replies: ReplyWriter) => Conversation, refusal: Uint8Array | undefined) =>
    createServer({ noDelay: true }, (socket) => {
      if (sockets.size >= connectionsMax) {
        if (refusal !== undefined) socket.write(refusal);
        socket.destroySoon();
        return;
      }
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      converse(socket, speak(new ReplyWriter(socket)), deadlines);
    });
  const lm = serve((replies) => lmConversation(store, replies), undefined);
  const resp = serve(
    (replies) => respConversation(new RespConnection(service, replies, ++ids)),
    errorReply('ERR max number of clients reached'),
  );
  try {
    const lmPort = await listen(lm, host, options.lmPort, '--port');
    const respPort = await listen(resp, host, options.respPort, '--resp-port');
    return {
      store,
      urls: [`lm://${host}:${lmPort}`, `redis://${host}:${respPort}`],
      async close() {
        for (const socket of sockets) socket.destroy();
        await Promise.all([lm, resp].map((server) => closed(server)));
      },
    };
  } catch (error) {
    await closed(lm);
    throw error;
  }
}

function converse(socket: Socket, conversation: Conversation, deadlines: RequestDeadlines): void {
  socket.setTimeout(deadlines.stalledMs, () => {
    if (conversation.isWaiting) socket.destroy();
  });
  let late: NodeJS.Timeout | undefined;
  /** The request that `late` is for: a client that sends one upload after the other has a deadline for each. */
  let watched = 0;
  const watch = () => {
    if (conversation.isWaiting && conversation.requests === watched) return;
    clearTimeout(late);
    watched = conversation.requests;
    late = conversation.isWaiting
      ? setTimeout(() => socket.destroy(), deadlines.requestMs)
      : undefined;
  };
  const guarded = (step: () => boolean) => {
    let goesOn: boolean;
    try {
      goesOn = step();
    } catch {
      // The protocol has replied what there is to say; the stream is out of step.
      socket.destroySoon();
      return;
    }
    if (goesOn) return;
    socket.pause();
    socket.once('drain', () => {
      socket.resume();
      guarded(() => conversation.resume());
      watch();
    });
  };
  socket.on('data', (bytes: Buffer) => {
    guarded(() => conversation.push(bytes));
    watch();
  });
  socket.on('error', () => socket.destroy());
  socket.once('close', () => {
    clearTimeout(late);
    conversation.close();
  });
}

function lmConversation(store: MemoryStore, replies: ReplyWriter): Conversation {
  const connection = new LmConnection(store, replies);
  let kept: Uint8Array = new Uint8Array(0);
  const take = (bytes: Uint8Array) => {
    kept = bytes.subarray(connection.take(bytes));
    return kept.length === 0;
  };
  return {
    push: (bytes) => take(bytes),
    resume: () => take(kept),
    get requests() {
      return connection.requests;
    },
    get isWaiting() {
      return connection.isWaiting;
    },
    close: () => connection.close(),
  };
}

function respConversation(connection: RespConnection): Conversation {
  return {
    push(bytes) {
      connection.push(bytes);
      return !connection.isPaused;
    },
    resume() {
      connection.resume();
      return !connection.isPaused;
    },
    get requests() {
      return connection.requests;
    },
    get isWaiting() {
      return connection.isWaiting;
    },
    close: () => connection.close(),
  };
}

function listen(server: Server, host: string, port: number, flag: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(portError(error, host, port, flag)));
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
