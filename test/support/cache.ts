// A cache server for a test, and clients that send it bytes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { TestContext } from 'node:test';
import { type CacheOptions, type CacheServer, startCache } from '../../src/apps/cache/index.ts';
import { secretCheck } from '../../src/io/secrets/index.ts';
import { until } from './until.ts';

/** Starts a server with 64 MiB on free ports; it ends with the test. */
export async function testCache(
  t: TestContext,
  options: Partial<CacheOptions> = {},
): Promise<CacheServer> {
  const server = await startCache({
    ...{ host: '127.0.0.1', lmPort: 0, respPort: 0, memoryBytes: 64 << 20 },
    clock: { nowSeconds: () => performance.now() / 1000 },
    wallClock: { nowSeconds: () => Date.now() / 1000 },
    ...options,
  });
  t.after(() => server.close());
  return server;
}

/** What servers of one test know each other by. */
export const peersKey = { current: 'of the test', isRight: secretCheck('of the test') };

interface Exchange {
  readonly send: string;
  readonly reply: string;
  readonly closes?: boolean;
}

/** Inline commands with the replies of Redis 7.0.15. */
export const redisDialogue: readonly Exchange[] = readFileSync(
  join(import.meta.dirname, '../integration/redis/dialogue.jsonl'),
  'utf8',
)
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Exchange);

/** Bytes of a header of `lm://`. */
const lmRequestBytes = 186;

/** A connection that collects what the server sends. */
export class CacheClient {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  isClosed = false;

  constructor(t: TestContext, server: Pick<CacheServer, 'urls'>, scheme: 'lm' | 'redis') {
    const url = server.urls.find((address) => address.startsWith(`${scheme}:`)) ?? '';
    this.socket = connect(Number(new URL(url).port), '127.0.0.1');
    this.socket.on('data', (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
    this.socket.on('close', () => {
      this.isClosed = true;
    });
    this.socket.on('error', () => {});
    t.after(() => this.socket.destroy());
  }

  /** Sends bytes and returns the next `length` bytes of the server. */
  async ask(bytes: string | Uint8Array, length: number): Promise<Buffer> {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    await until(() => this.received.length >= length || this.isClosed);
    const reply = this.received.subarray(0, length);
    this.received = this.received.subarray(length);
    return reply;
  }

  async says(bytes: string, reply: string): Promise<void> {
    assert.equal((await this.ask(bytes, reply.length)).toString('latin1'), reply);
  }

  /** A header of `lm://` with a shape of [2, 1, 4, 8]. */
  static lmHead(command: number, length: number, key: string): Buffer {
    const head = Buffer.alloc(lmRequestBytes, ' ');
    for (const [i, value] of [command, length, 1, 3, 0, 2, 1, 4, 8].entries()) {
      head.writeInt32LE(value, 4 * i);
    }
    head.write(key, 36, 'latin1');
    return head;
  }

  static lmPut(key: string, body: Uint8Array): Buffer {
    return Buffer.concat([CacheClient.lmHead(1, body.length, key), body]);
  }

  /** Asks over `lm://`. @returns The header of the reply. */
  askLm(command: number, key: string): Promise<Buffer> {
    return this.ask(CacheClient.lmHead(command, 0, key), 36);
  }

  /** Puts over `lm://`, and waits until the value is there. */
  async putLm(key: string, body: Uint8Array): Promise<void> {
    this.socket.write(CacheClient.lmPut(key, body));
    assert.equal((await this.askLm(3, key)).readInt32LE(0), 200);
  }
}
