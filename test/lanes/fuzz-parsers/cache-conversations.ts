// What the cache server replies to the bytes of one client.
import { Writable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { LmConnection } from '../../../src/apps/cache/lm-connection.ts';
import { ValueSizes } from '../../../src/apps/cache/miss-padding.ts';
import { ReplyWriter } from '../../../src/apps/cache/reply-writer.ts';
import { RespConnection } from '../../../src/apps/cache/resp-connection.ts';
import { ManualClock } from '../../../src/core/base/index.ts';
import { MemoryStore, TieredStore } from '../../../src/core/cache/index.ts';
import { RespSyntaxError } from '../../../src/core/resp/index.ts';

/** Small, so that values are evicted and refused, too. */
const memoryBytes = 192 << 10;

const requested = () => {};
const load = async () => {};

/** The replies to a Redis client, whose bytes come in pieces; with a mark where the connection is closed. */
export function respReplies(bytes: Buffer, pieceBytes: number, password?: string): string {
  const { store, clock, replies, written } = client();
  const service = { store, load, wallClock: clock, password, sizes: new ValueSizes(), requested };
  const connection = new RespConnection(service, replies, 1);
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      received(connection, bytes.subarray(at, at + pieceBytes), (rest) => connection.push(rest));
    }
  } catch (error) {
    if (!(error instanceof RespSyntaxError)) throw error;
    written.push(Buffer.from('<closed>'));
  }
  connection.close();
  return ended(store, written);
}

/** The replies to a client of `lm://`. */
export function lmReplies(bytes: Buffer, pieceBytes: number): string {
  const { store, replies, written } = client();
  const connection = new LmConnection({ store, load, requested }, replies);
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      received(connection, bytes.subarray(at, at + pieceBytes), (rest) => connection.take(rest));
    }
  } catch (error) {
    // A negative length.
    if (!(error instanceof RangeError)) throw error;
    written.push(Buffer.from('<closed>'));
  }
  connection.close();
  return ended(store, written);
}

/** Bytes arrive as from a socket: in their place where there is one, else in memory that is used again at once. */
function received(
  connection: Pick<RespConnection, 'space' | 'filled'>,
  bytes: Uint8Array,
  push: (bytes: Uint8Array) => void,
): void {
  let rest = bytes;
  for (let space = connection.space(); space !== undefined && rest.length > 0; ) {
    const part = rest.subarray(0, space.length);
    space.set(part);
    connection.filled(part.length);
    rest = rest.subarray(part.length);
    space = connection.space();
  }
  if (rest.length === 0) return;
  const shared = new Uint8Array(rest);
  push(shared);
  shared.fill(0);
}

function client() {
  const clock = new ManualClock();
  const memory = new MemoryStore({ bytesMax: memoryBytes, clock, checksum: crc32 });
  const store = new TieredStore(memory, clock);
  const written: Buffer[] = [];
  const socket = new Writable({
    write(bytes: Buffer, _encoding, done) {
      written.push(Buffer.from(bytes));
      done();
    },
  });
  // A client that goes on after QUIT has its socket closed.
  socket.on('error', () => {});
  return { clock, store, replies: new ReplyWriter(socket), written };
}

function ended(store: TieredStore, written: readonly Buffer[]): string {
  const { entries, bytes, bytesMax } = store.stats;
  if (bytes > bytesMax) throw new Error(`${bytes} bytes in a memory of ${bytesMax}`);
  return `${entries} ${Buffer.concat(written).toString('latin1')}`;
}
