// Measures the KV index: hashing, parsing and applying events, matching, memory.
//
//   npm run bench:kv-index
//
// Figures are CPU time, each the median of its samples. Exits with 1 if a match exceeds its bound.
import { cpus } from 'node:os';
import { seededRandom } from '../src/core/base/index.ts';
import {
  createBlockHasher,
  hashBytesChain,
  hashTokenChain,
  KvEventLog,
  KvIndex,
  KvSequence,
} from '../src/core/kv/index.ts';
import {
  decodeKvEventBatch,
  encodeKvEventBatch,
  type KvEvent,
} from '../src/core/protocol/index.ts';

const blockSize = 16;
const promptTokens = 100_000;
const promptBlocks = promptTokens / blockSize;
const engines = Array.from({ length: 100 }, (_, i) => `http://engine-${i}:8000`);
/** Blocks of other prompts per engine, so that the table exceeds the CPU caches. */
const otherBlocks = 20_000;
const matchMicrosMax = 300;

const random = seededRandom(1);
const prompt = randomTokens(promptTokens);
const hasher = createBlockHasher();

console.log(`Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}`);
console.log(
  `${engines.length} engines, blocks of ${blockSize} tokens, prompt of ${promptTokens}\n`,
);

const hashSeconds = medianSeconds(31, () => hashTokenChain(prompt, blockSize));
row('hash a prompt, own chain', hashSeconds * 1e6, 'µs', `${nanos(hashSeconds)} ns/block`);
const text = new Uint8Array(4 * promptTokens).map(() => random.next() * 256);
const textSeconds = medianSeconds(31, () => hashBytesChain([text], 256));
row(
  'hash its 400 kB of text',
  textSeconds * 1e6,
  'µs',
  `${(text.length / textSeconds / 1e9).toFixed(2)} GB/s`,
);
const shaSeconds = medianSeconds(11, () =>
  new KvSequence(hasher, blockSize, prompt).blockHash(promptBlocks - 1),
);
row("hash a prompt as vLLM's sha256", shaSeconds * 1e6, 'µs', `${nanos(shaSeconds)} ns/block`);

const payload = encodeKvEventBatch({
  timestampSeconds: 1,
  events: stored(prompt),
  dataParallelRank: 0,
});
const decodeSeconds = medianSeconds(31, () => decodeKvEventBatch(payload));
row(
  'read one event of 6,250 blocks',
  decodeSeconds * 1e6,
  'µs',
  `${millions(promptBlocks / decodeSeconds)} M blocks/s`,
);
const { events } = decodeKvEventBatch(payload);
const empty = new KvIndex();
const storeSeconds = medianSeconds(31, () => {
  empty.apply('engine', events);
  empty.clear('engine');
});
row(
  'apply it, and clear the engine',
  storeSeconds * 1e6,
  'µs',
  `${millions(promptBlocks / storeSeconds)} M blocks/s`,
);

const index = new KvIndex();
const rssBefore = process.memoryUsage.rss();
let filled = 0;
const fillSeconds = seconds(() => {
  for (const [i, engine] of engines.entries()) {
    // Every engine holds the prompt up to a different length; the last one holds all of it.
    const held = Math.floor((promptBlocks * (i + 1)) / engines.length);
    index.apply(engine, stored(prompt.subarray(0, held * blockSize)));
    for (let blocks = 0; blocks < otherBlocks; blocks += 100) {
      index.apply(engine, stored(randomTokens(100 * blockSize)));
    }
    filled += held + otherBlocks;
  }
});
row('fill, events made on the way', fillSeconds, 's', `${millions(filled)} M blocks`);
const full = index.stats;
row(
  'memory of the tables',
  full.bytes / 2 ** 20,
  'MiB',
  `${(full.bytes / full.holdings).toFixed(1)} bytes per engine and block; ${millions(full.blocks)} M different blocks`,
);
row(
  'growth of the process',
  (process.memoryUsage.rss() - rssBefore) / 2 ** 20,
  'MiB',
  'garbage included',
);

const matchOf = (index: KvIndex): number =>
  medianSeconds(31, () => index.match(prompt, {}, engines));
const ladder = matchOf(index);
const shared = new KvIndex();
for (const engine of engines) shared.apply(engine, stored(prompt));
const whole = matchOf(shared);
const missSeconds = medianSeconds(31, () => new KvIndex().match(prompt, {}, engines));
const other = randomTokens(promptTokens);
const cold = medianSeconds(31, () => index.match(other, {}, engines));
row('match, each engine another length', ladder * 1e6, 'µs', `${beyond(ladder)} µs beyond hashing`);
row('match, all engines hold all', whole * 1e6, 'µs', `${beyond(whole)} µs beyond hashing`);
row('match, no engine holds a block', cold * 1e6, 'µs', `${beyond(cold)} µs beyond hashing`);
row('match in an empty index', missSeconds * 1e6, 'µs', '');

const removal: KvEvent[] = [];
for (const event of events) {
  if (event.type !== 'BlockStored') continue;
  for (const hash of [...event.blockHashes].reverse()) {
    removal.push({ type: 'BlockRemoved', blockHashes: [hash], medium: 'GPU', groupIndex: 0 });
  }
}
const removeSeconds = seconds(() => {
  for (const engine of engines) shared.apply(engine, removal);
});
row(
  'remove, one event per block',
  removeSeconds * 1e3,
  'ms',
  `${millions((engines.length * promptBlocks) / removeSeconds)} M blocks/s`,
);

const missed = (ladder - hashSeconds) * 1e6 > matchMicrosMax;
console.log(`\nmatch beyond hashing: bound ${matchMicrosMax} µs, ${missed ? 'MISSED' : 'reached'}`);
process.exitCode = missed ? 1 : 0;

function stored(tokens: Uint32Array): readonly KvEvent[] {
  const log = new KvEventLog();
  log.blocksStored(
    new KvSequence(hasher, blockSize, tokens),
    0,
    Math.floor(tokens.length / blockSize),
  );
  return log.take();
}

function randomTokens(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, () => random.next() * 151_643);
}

/** CPU time of this process, so that other load on the machine does not count. */
function seconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** Time of one call; each sample has 10 calls, because the clock of CPU time may be coarse. */
function medianSeconds(samples: number, work: () => void): number {
  const calls = 10;
  const times = Array.from({ length: samples }, () =>
    seconds(() => {
      for (let call = 0; call < calls; call++) work();
    }),
  ).sort((a, b) => a - b);
  return (times[samples >> 1] as number) / calls;
}

function nanos(perPrompt: number): string {
  return ((perPrompt / promptBlocks) * 1e9).toFixed(0);
}

function millions(count: number): string {
  return (count / 1e6).toFixed(2);
}

function beyond(matchSeconds: number): string {
  return ((matchSeconds - hashSeconds) * 1e6).toFixed(0);
}

function row(what: string, value: number, unit: string, note: string): void {
  const digits = value < 10 ? 2 : 0;
  console.log(`${what.padEnd(36)}${value.toFixed(digits).padStart(8)} ${unit.padEnd(4)} ${note}`);
}
