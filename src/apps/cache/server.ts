// The cache server: one store behind two protocols.
import { createServer, type Server, type Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import type { Clock } from '../../core/base/index.ts';
import { MemoryStore } from '../../core/cache/index.ts';
import { errorReply } from '../../core/resp/index.ts';
import { portError } from '../../io/listen/index.ts';
import { LmConnection } from './lm-connection.ts';
import { ReplyWriter } from './reply-writer.ts';
import { RespConnection } from './resp-connection.ts';

/** Connections of all clients; one more is refused. LMCache keeps up to 150 for each engine. */
const connectionsMax = 10_000;

/** A request that has begun must go on within this time, or its connection is closed. */
const stalledRequestMs = 30_000;
/** And be complete within this time: 2 GiB at 18 MB a second. */
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
  /** Whether a request has begun and is not complete. */
  readonly isWaiting: boolean;
  close(): void;
}

/**
 * Starts the server.
 *
 * @throws {InputError} If a port cannot be used.
 */
export async function startCache(options: CacheOptions): Promise<CacheServer> {
  const { host, memoryBytes: bytesMax, clock, password } = options;
  const store = new MemoryStore({ bytesMax, clock, checksum: crc32 });
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
      converse(socket, speak(new ReplyWriter(socket)));
    });
  const lm = serve((replies) => lmConversation(store, replies), undefined);
  const resp = serve(
    (replies) => respConversation(store, replies, ++ids, password),
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

function converse(socket: Socket, conversation: Conversation): void {
  const stalled = () => {
    if (conversation.isWaiting) socket.destroy();
  };
  socket.setTimeout(stalledRequestMs, stalled);
  let late: NodeJS.Timeout | undefined;
  const watch = () => {
    if (!conversation.isWaiting) {
      clearTimeout(late);
      late = undefined;
    } else if (late === undefined) {
      late = setTimeout(() => socket.destroy(), requestMs);
    }
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
    get isWaiting() {
      return connection.isWaiting;
    },
    close: () => connection.close(),
  };
}

function respConversation(
  store: MemoryStore,
  replies: ReplyWriter,
  id: number,
  password: string | undefined,
): Conversation {
  const connection = new RespConnection(store, replies, id, password);
  return {
    push(bytes) {
      connection.push(bytes);
      return !connection.isPaused;
    },
    resume() {
      connection.resume();
      return !connection.isPaused;
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
