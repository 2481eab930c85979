// The load of `cache-soak.ts`: clients that store and load values at a rate, compare every byte, and now and then connect again.
//
//   node bench/cache/soak-load.ts URL BYTES_PER_SECOND SECONDS CLIENTS WORKING_SET_BYTES
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCacheClient, parseCacheUrl } from '../../src/io/cache-client/index.ts';

const [url = '', rate = '0', seconds = '0', clients = '1', workingSet = '0'] =
  process.argv.slice(2);
const address = parseCacheUrl(url, 'URL');
const sizes = [256 << 10, 1 << 20, 2 << 20];
const meanBytes = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
const keys = Math.ceil(Number(workingSet) / meanBytes);
/** Each value is a part of it, at a place that follows from its key. */
const source = randomBytes(8 << 20);
/** Requests after which a client connects again. */
const requestsOfConnection = 500;

const valueFor = (key: number) => {
  const size = sizes[key % sizes.length] as number;
  const at = (key * 7919) % (source.length - size);
  return source.subarray(at, at + size);
};

const end = performance.now() + 1000 * Number(seconds);
const found = { requests: 0, hits: 0, wrong: 0 };

async function client(turn: number): Promise<void> {
  let connection = openCacheClient(address, { timeoutMs: 60_000 });
  const pauseMs = (1000 * meanBytes * Number(clients)) / Number(rate);
  let due = performance.now() + turn;
  for (let i = 1; performance.now() < end; i++) {
    const key = Math.floor(Math.random() * keys);
    const value = valueFor(key);
    const name = `soak@1@0@${key.toString(16).padStart(8, '0')}@uint8`;
    found.requests++;
    if (Math.random() < 0.5) await connection.put(name, value);
    else {
      let isRight = true;
      const size = await connection.get(name, (bytes, offset) => {
        const expected = value.subarray(offset, offset + bytes.length);
        isRight &&= Buffer.compare(bytes, expected) === 0;
      });
      if (size !== undefined) {
        found.hits++;
        if (!isRight || size !== value.length) found.wrong++;
      }
    }
    if (i % requestsOfConnection === 0) {
      connection.close();
      connection = openCacheClient(address, { timeoutMs: 60_000 });
    }
    due += pauseMs;
    // A server that fell behind is not asked for what it missed.
    due = Math.max(due, performance.now() - 1000);
    await sleep(Math.max(0, due - performance.now()));
  }
  connection.close();
}

await Promise.all(Array.from({ length: Number(clients) }, (_, turn) => client(turn)));
console.log(JSON.stringify(found));
