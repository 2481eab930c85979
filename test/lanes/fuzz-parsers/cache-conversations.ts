// What the cache server replies to the bytes of one client.
import { Writable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { noAccount } from '../../../src/apps/cache/client-memory.ts';
import { CommandTurns, endlessTurns } from '../../../src/apps/cache/command-turns.ts';
import { LmConnection } from '../../../src/apps/cache/lm-connection.ts';
import { ValueSizes } from '../../../src/apps/cache/miss-padding.ts';
import { noPeers } from '../../../src/apps/cache/peer-access.ts';
import { ReplyWriter } from '../../../src/apps/cache/reply-writer.ts';
import type { RespClient } from '../../../src/apps/cache/resp-clients.ts';
import { RespConnection } from '../../../src/apps/cache/resp-connection.ts';
import { TransactionMemory } from '../../../src/apps/cache/transaction.ts';
import { Users } from '../../../src/apps/cache/users.ts';
import { ManualClock } from '../../../src/core/base/index.ts';
import { MemoryStore, TenantStore, TieredStore } from '../../../src/core/cache/index.ts';
import { lmLayouts } from '../../../src/core/lm/index.ts';
import { RespSyntaxError } from '../../../src/core/resp/index.ts';
import { cpuMs } from './target.ts';

/** Small, so that values are evicted and refused, too. */
const memoryBytes = 192 << 10;

const requested = () => {};
const load = async () => {};

export interface RespReplies {
  /** With a mark where the connection is closed. */
  readonly text: string;
  /** The longest time on the processor without a pause for other clients. */
  readonly longestMs: number;
}

/** The replies to a Redis client, whose bytes come in pieces. */
export async function respReplies(
  bytes: Buffer,
  pieceBytes: number,
  password?: string,
): Promise<RespReplies> {
  const { store, clock, replies, written } = client();
  const users = new Users([], password);
  const shared = { store: new TenantStore(store, ''), load, sizes: new ValueSizes() };
  const space = () => shared;
  const turns = new CommandTurns(setImmediate);
  const whole = { store, load };
  const service = {
    users,
    space,
    whole,
    wallClock: clock,
    turns,
    watchesChains: true,
    requested,
    redirects: 'auto' as const,
    cluster: () => undefined,
    peerAccess: noPeers,
    valueTurns: turns,
    transactions: new TransactionMemory(),
    clients: new Set<RespClient>(),
  };
  const connection = new RespConnection(service, replies, {
    id: 1,
    origin: { address: '127.0.0.1:1', certificate: () => undefined, account: noAccount },
  });
  let longestMs = 0;
  const timed = (step: () => void) => {
    const startMs = cpuMs();
    step();
    longestMs = Math.max(longestMs, cpuMs() - startMs);
  };
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes);
      timed(() => received(connection, piece, (rest) => connection.push(rest)));
      while (connection.isPaused) {
        await new Promise<void>((resolve) => {
          connection.whenReady = resolve;
        });
        timed(() => connection.resume());
      }
    }
  } catch (error) {
    if (!(error instanceof RespSyntaxError)) throw error;
    written.push(Buffer.from('<closed>'));
  }
  connection.close();
  return { text: ended(store, written), longestMs };
}

/** The replies to a client of `lm://`. */
export function lmReplies(bytes: Buffer, pieceBytes: number): string {
  const { store, replies, written } = client();
  const layout = lmLayouts['186'];
  const service = { store, load, layout, watchesChains: true, requested, valueTurns: endlessTurns };
  const connection = new LmConnection(service, replies);
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
  return { clock, store, replies: new ReplyWriter(new EagerClient(written)), written };
}

/**
 * A socket whose client reads at once, so that values are released in the same turn: what fits into the memory must not depend on
 * the turns that a case takes.
 */
class EagerClient extends Writable {
  readonly #written: Buffer[];

  constructor(written: Buffer[]) {
    super({
      write: (bytes: Buffer, _encoding, done) => {
        written.push(Buffer.from(bytes));
        done();
      },
    });
    this.#written = written;
  }

  /** A client that goes on after QUIT has its socket closed. */
  override write(bytes: Uint8Array, ...rest: readonly unknown[]): boolean {
    if (this.writableEnded) return false;
    this.#written.push(Buffer.from(bytes));
    for (const callback of rest) if (typeof callback === 'function') callback();
    return true;
  }
}

function ended(store: TieredStore, written: readonly Buffer[]): string {
  const { entries, bytes, bytesMax } = store.stats;
  if (bytes > bytesMax) throw new Error(`${bytes} bytes in a memory of ${bytesMax}`);
  return `${entries} ${Buffer.concat(written).toString('latin1')}`;
}
