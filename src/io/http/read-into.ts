// Reads all accepted sockets into one shared buffer. Node offers that for sockets that connect
// (`onread`), but not for those that a server accepts; for these it allocates 64 KiB per read.
import type { Socket } from 'node:net';

/** Maximum number of bytes per read; libuv's own choice for streams. */
const readBytesMax = 65_536;
// libuv reads and calls back synchronously, so no two sockets ever need the buffer at the same
// time.
const shared = Buffer.allocUnsafeSlow(readBytesMax);

interface Handle {
  useUserBuffer?: (buffer: Buffer) => void;
}

/**
 * Passes each read of a socket to `onBytes`; the bytes are valid during the call only.
 * Sets the fields by which Node itself implements `onread`. They are not documented; where they
 * differ, it falls back to the `data` event, which is the same but slower.
 *
 * @returns Whether the shared buffer is used.
 */
export function readInto(socket: Socket, onBytes: (bytes: Buffer) => void): boolean {
  const handle = (socket as unknown as { readonly _handle?: Handle | null })._handle;
  const symbols = handle ? onReadSymbols(socket) : undefined;
  if (symbols === undefined || typeof handle?.useUserBuffer !== 'function') {
    socket.on('data', onBytes);
    return false;
  }
  const fields = socket as unknown as Record<symbol, unknown>;
  fields[symbols.buffer] = shared;
  fields[symbols.callback] = (length: number) => {
    onBytes(shared.subarray(0, length));
    return true;
  };
  handle.useUserBuffer(shared);
  return true;
}

interface OnReadSymbols {
  readonly buffer: symbol;
  readonly callback: symbol;
}

let found: OnReadSymbols | undefined;
let searched = false;

/** Returns the keys of Node's fields for `onread`; undefined if this Node has no such fields. */
function onReadSymbols(socket: Socket): OnReadSymbols | undefined {
  if (searched) return found;
  searched = true;
  const symbols = Object.getOwnPropertySymbols(socket);
  const named = (name: string) => symbols.find(({ description }) => description === name);
  const buffer = named('kBuffer');
  const callback = named('kBufferCb');
  const generator = named('kBufferGen');
  if (buffer !== undefined && callback !== undefined && generator !== undefined) {
    found = { buffer, callback };
  }
  return found;
}
