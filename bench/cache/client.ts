// Clients of a cache server in one process: they store or load values of one size for a while. Prints JSON.
//
//   node bench/cache/client.ts URL put|get SIZE CLIENTS SECONDS
import { openCacheClient, parseCacheUrl } from '../../src/io/cache-client/index.ts';

/** Bytes of all values: they fit into each server's memory. */
const workingSetBytes = 512 << 20;

const [url = '', operation, size = '0', clients = '1', seconds = '1'] = process.argv.slice(2);
const valueBytes = Number(size);
const keys = Math.max(4, Math.floor(workingSetBytes / valueBytes));
const value = new Uint8Array(valueBytes).fill(7);
// LMCache's own server accepts its own form of keys only: the hash is hexadecimal. It begins with the size.
const keyOf = (index: number) =>
  `bench@1@0@${valueBytes.toString(16)}${(index % keys).toString(16).padStart(4, '0')}@uint8`;
const address = parseCacheUrl(url, 'URL');
const all = Array.from({ length: Number(clients) }, () =>
  openCacheClient(address, { timeoutMs: 60_000 }),
);

if (operation === 'get') {
  const [first] = all;
  for (let i = 0; i < keys; i++) await first?.put(keyOf(i), value);
  await first?.exists(keyOf(0));
}

const latenciesMs: number[] = [];
const end = performance.now() + 1000 * Number(seconds);
const start = performance.now();
let next = 0;
await Promise.all(
  all.map(async (client) => {
    while (performance.now() < end) {
      const key = keyOf(next++);
      const began = performance.now();
      if (operation === 'put') {
        await client.put(key, value);
        // lm:// has no reply to PUT; a lookup behind it shows that all of it has arrived.
        if (address.protocol === 'lm') await client.exists(key);
      } else if ((await client.get(key, () => {})) !== valueBytes) {
        throw new Error(`${key} is missing`);
      }
      latenciesMs.push(performance.now() - began);
    }
  }),
);
const took = (performance.now() - start) / 1000;
for (const client of all) client.close();
latenciesMs.sort((a, b) => a - b);
const at = (share: number) => latenciesMs[Math.floor(share * (latenciesMs.length - 1))] ?? 0;
const megabytesPerSecond = (latenciesMs.length * valueBytes) / took / 1e6;
// With those that were stored first.
const bytes = (latenciesMs.length + (operation === 'get' ? keys : 0)) * valueBytes;
console.log(JSON.stringify({ bytes, megabytesPerSecond, p50Ms: at(0.5), p99Ms: at(0.99) }));
