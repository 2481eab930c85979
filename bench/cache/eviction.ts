// Plays the blocks of the Mooncake conversation trace on the cache server, with each eviction order and several sizes of memory: in a
// model that knows which block follows which, and on a real server over lm:// that learns it from its client's requests.
//
//   node bench/cache/eviction.ts [--requests 4000] [--shares 5,10,20,40] [--live 10]
import { parseArgs } from 'node:util';
import { startCache } from '../../src/apps/cache/index.ts';
import { ManualClock } from '../../src/core/base/index.ts';
import {
  createEvictionOrder,
  type EvictionName,
  evictionNames,
} from '../../src/core/eviction/index.ts';
import { openCacheClient, parseCacheUrl } from '../../src/io/cache-client/index.ts';
import { loadTrace } from '../../src/io/traces/index.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '4000' },
    shares: { type: 'string', default: '5,10,20,40' },
    live: { type: 'string', default: '10' },
  },
});

/** One page of the server: what counts is which blocks are there, not how large they are. */
const blockBytes = 64 << 10;

const trace = await loadTrace('bench/data/mooncake-conversation.jsonl.gz');
const requests = trace.requests.slice(0, Number(values.requests)).map((request) => ({
  atSeconds: request.arrivalSeconds,
  blocks: request.blockIds.map(String),
}));
const asked = requests.reduce((sum, { blocks }) => sum + blocks.length, 0);
const distinct = new Set(requests.flatMap(({ blocks }) => blocks)).size;
console.log(`${requests.length} requests, ${asked} blocks, ${distinct} different ones`);
console.log('| memory, share of the blocks | order | model | live |');
console.log('|--:|---|--:|--:|');
const live = new Set(values.live.split(',').map(Number));
for (const share of values.shares.split(',').map(Number)) {
  const blocksMax = Math.floor((distinct * share) / 100);
  for (const eviction of evictionNames) {
    const ofModel = hitRate(playModel(eviction, blocksMax));
    const ofServer = live.has(share) ? hitRate(await playLive(eviction, blocksMax)) : '–';
    console.log(`| ${share} % (${blocksMax}) | ${eviction} | ${ofModel} | ${ofServer} |`);
  }
}

function hitRate(hits: number): string {
  return `${((100 * hits) / asked).toFixed(1)} %`;
}

/** @returns Blocks found: those of each prompt up to the first that is missing. */
function playModel(eviction: EvictionName, blocksMax: number): number {
  const order = createEvictionOrder(eviction);
  const present = new Set<string>();
  let hits = 0;
  for (const { blocks } of requests) {
    const missing = blocks.findIndex((block) => !present.has(block));
    const found = missing === -1 ? blocks.length : missing;
    hits += found;
    // A server sees a lookup and a load of each block.
    for (const block of blocks.slice(0, found)) {
      order.use(block);
      order.use(block);
    }
    for (const [i, block] of blocks.entries()) {
      if (i < found || present.has(block)) continue;
      if (present.size >= blocksMax) {
        for (const key of order.candidates()) {
          order.remove(key, true);
          present.delete(key);
          break;
        }
      }
      const before = blocks[i - 1];
      if (before !== undefined) order.follows(block, before, true);
      order.add(block, blockBytes);
      present.add(block);
    }
  }
  return hits;
}

/** The same over lm://, one request after the other, on a clock that is the trace's. */
async function playLive(eviction: EvictionName, blocksMax: number): Promise<number> {
  const clock = new ManualClock();
  const server = await startCache({
    ...{ host: '127.0.0.1', lmPort: 0, respPort: 0, memoryBytes: blocksMax * blockBytes },
    ...{ eviction, clock, wallClock: clock },
  });
  const client = openCacheClient(parseCacheUrl(server.urls[0] as string, 'URL'));
  const value = new Uint8Array(blockBytes);
  let hits = 0;
  try {
    for (const { atSeconds, blocks } of requests) {
      clock.advance(Math.max(0, atSeconds - clock.nowSeconds()));
      let found = 0;
      while (found < blocks.length && (await client.exists(blocks[found] as string))) found++;
      for (const block of blocks.slice(0, found)) {
        if ((await client.get(block, () => {})) !== undefined) hits++;
      }
      for (const block of blocks.slice(found)) await client.put(block, value);
    }
  } finally {
    client.close();
    await server.close();
  }
  return hits;
}
