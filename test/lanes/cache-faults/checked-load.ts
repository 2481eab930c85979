// Clients that store values whose bytes follow from their keys, over both protocols, and hold the server to what it promises under any
// fault: each byte is right or the value is missing, and each reply comes in time.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CacheServer } from '../../../src/apps/cache/index.ts';
import { type Random, randomInteger } from '../../../src/core/base/index.ts';
import { syntheticKv } from '../../../src/core/kv/index.ts';
import {
  type CacheClient,
  openCacheClient,
  parseCacheUrl,
} from '../../../src/io/cache-client/index.ts';

/** A whole number, both ends included. */
export function between(random: Random, min: number, max: number): number {
  return min + randomInteger(random, max - min + 1);
}

/** The server has 250 ms for values below memory; the rest is for a machine that does other things, too. */
const replyMsMax = 5_000;
const keysMax = 12;

export interface CheckedLoad {
  /** Random requests, one after the other on each connection. */
  play(requests: number): Promise<void>;
  /** Stores all keys. */
  fill(): Promise<void>;
  /** @returns Keys whose values came back, all bytes right. */
  readAll(): Promise<number>;
  /** Both protocols store a value and get it back. */
  works(): Promise<void>;
}

export function checkedLoad(
  t: TestContext,
  { urls }: Pick<CacheServer, 'urls'>,
  random: Random,
): CheckedLoad {
  const clients = urls
    .filter((url) => /^(?:lm|redis):/.test(url))
    .map((url) => {
      const options = { timeoutMs: replyMsMax, retryMs: 0 };
      const client = openCacheClient(parseCacheUrl(url, 'URL'), options);
      t.after(() => client.close());
      return { client, name: url.split(':', 1)[0] as string };
    });
  const key = (name: string, i: number) => `${name}@${i}@${20_000 + i * 23_131}`;
  const get = async (client: CacheClient, wanted: string) => {
    const size = Number(wanted.slice(wanted.lastIndexOf('@') + 1));
    const expected = syntheticKv(wanted);
    const found = await client.get(wanted, (bytes, offset) => {
      assert.ok(expected.matches(bytes, offset), `wrong bytes in ${wanted} at ${offset}`);
    });
    assert.ok(found === undefined || found === size, `${wanted} has ${found} bytes`);
    return found !== undefined;
  };
  const put = async (client: CacheClient, wanted: string) => {
    const value = new Uint8Array(Number(wanted.slice(wanted.lastIndexOf('@') + 1)));
    syntheticKv(wanted).fill(value, 0);
    await client.put(wanted, value);
  };
  return {
    async play(requests) {
      await Promise.all(
        clients.map(async ({ client, name }) => {
          for (let i = 0; i < requests; i++) {
            const wanted = key(name, between(random, 0, keysMax - 1));
            const what = random.next();
            if (what < 0.5) await put(client, wanted);
            else if (what < 0.9) await get(client, wanted);
            else await client.exists(wanted);
          }
        }),
      );
    },
    async fill() {
      for (const { client, name } of clients) {
        for (let i = 0; i < keysMax; i++) await put(client, key(name, i));
        // Over lm://, a value is there once something behind it has a reply.
        await client.exists('nothing');
      }
    },
    async readAll() {
      let found = 0;
      for (const { client, name } of clients) {
        for (let i = 0; i < keysMax; i++) if (await get(client, key(name, i))) found++;
      }
      return found;
    },
    async works() {
      for (const { client, name } of clients) {
        const fresh = `${name}@fresh@${between(random, 1, 50_000)}`;
        for (let tries = 0; ; tries++) {
          await put(client, fresh);
          if ((await client.exists(fresh)) && (await get(client, fresh))) break;
          assert.ok(tries < 50, `${fresh} is not kept`);
          await sleep(100);
        }
      }
    },
  };
}
