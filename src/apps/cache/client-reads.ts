// Reads what clients send straight into the memory where it is kept. Node reads 64 KiB at a time into new memory, which is then copied
// and thrown away; its sockets that read into given memory (`onread`) cannot be accepted by a server, so the connection of an
// accepted socket is handed to one of them.
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { pacedOutput } from './paced-output.ts';

/** Receives the bytes of a client. */
export interface ClientReader {
  /** Memory for the next bytes; undefined if they have to be pushed. */
  space(): Uint8Array | undefined;
  /** Bytes have been received in `space`. */
  filled(count: number): void;
  /** Takes bytes that are overwritten afterwards. */
  push(bytes: Uint8Array): void;
}

/** A client's socket, paused until `start`. */
export interface ClientSocket {
  readonly socket: Socket;
  /** Where replies are written. */
  readonly output: Writable;
  /** Closes the connection when all replies are written. */
  endSoon(): void;
  /** Bytes of replies that the kernel has not taken. */
  queuedBytes(): number;
  start(reader: ClientReader): void;
}

/** Bytes that are neither a streamed value nor known to be the head of one. All connections share them: they are taken at once. */
const shared = new Uint8Array(64 << 10);

/**
 * The beginning of what follows a value: the head of the next one, most likely. Few bytes, because those of that value that come with
 * it are copied.
 */
const afterValue = shared.subarray(0, 4 << 10);

/** A connection as Node has it below its sockets; one process can send it to another. */
export interface ClientHandle {
  close(): void;
  useUserBuffer?: unknown;
  readonly writeQueueSize?: number;
}

/** What Node has beside its documented interface; a version that has it not is served by 'data' events. */
interface InnerSocket {
  _handle?: ClientHandle | null;
  _server?: unknown;
}

/** @param accepted As it comes from a server with `pauseOnConnect`. */
export function clientSocket(accepted: Socket): ClientSocket {
  const inner = accepted as unknown as InnerSocket;
  if (typeof inner._handle?.useUserBuffer !== 'function') return eventSocket(accepted);
  const client = handleSocket(inner._handle);
  // The server counts its connections by this property.
  (client.socket as unknown as InnerSocket)._server = inner._server;
  inner._server = null;
  inner._handle = null;
  return client;
}

/** Takes the connection out of a socket that is not read from; the socket is closed without it. */
export function detached(socket: Socket): ClientHandle {
  const inner = socket as unknown as InnerSocket;
  const handle = inner._handle;
  if (!handle) throw new Error('The socket has no connection.');
  inner._handle = null;
  socket.destroy();
  return handle;
}

/** A client whose connection was taken out of a socket. */
export function handleSocket(handle: ClientHandle): ClientSocket {
  let reader: ClientReader | undefined;
  let isInPlace = false;
  let rest = shared;
  /** Whether more came than `rest` holds. */
  let isFull = false;
  const socket = new Socket({
    ...({ handle } as object),
    onread: {
      buffer: () => {
        const space = reader?.space();
        isInPlace = space !== undefined;
        if (isInPlace) rest = afterValue;
        else if (isFull) rest = shared;
        return space ?? rest;
      },
      callback: (count, buffer) => {
        isFull = !isInPlace && count === rest.length;
        if (isInPlace) reader?.filled(count);
        else reader?.push(buffer.subarray(0, count));
        return true;
      },
    },
  });
  return {
    ...plainOutput(socket),
    start(given) {
      reader = given;
      socket.resume();
    },
  };
}

/** @param socket After its handshake. Its bytes are decrypted elsewhere, so that they cannot be received in place. */
export function secureSocket(socket: TLSSocket): ClientSocket {
  const output = pacedOutput(socket);
  return { ...eventSocket(socket), output, endSoon: () => output.end() };
}

/** A socket of a Node without such reads. */
function eventSocket(socket: Socket): ClientSocket {
  return {
    ...plainOutput(socket),
    start(reader) {
      socket.on('data', (bytes: Buffer) => reader.push(bytes));
      socket.resume();
    },
  };
}

function plainOutput(socket: Socket) {
  return {
    socket,
    output: socket,
    endSoon: () => socket.destroySoon(),
    queuedBytes: () => (socket as unknown as InnerSocket)._handle?.writeQueueSize ?? 0,
  };
}
