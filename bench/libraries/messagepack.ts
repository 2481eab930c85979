// Measures parsing and writing KV events: `core/protocol` compared with msgpackr, on payloads
// written by vLLM and on one of a long prompt.
// msgpackr creates plain objects from any bytes, whereas the router needs checked events. So
// msgpackr is measured twice: alone, and with the checks that follow.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../../src/core/base/index.ts';
import {
  decodeKvEventBatch,
  encodeKvEventBatch,
  type KvEventBatch,
} from '../../src/core/protocol/index.ts';
import { checkedBatch } from './checked-batch.ts';
import type { Pair } from './pairs.ts';

/** The part of msgpackr that is used. */
interface Msgpackr {
  readonly Unpackr: new (options: object) => { unpack(bytes: Uint8Array): unknown };
  readonly Packr: new (options: object) => { pack(value: unknown): Uint8Array };
}

const golden = join(import.meta.dirname, '../../src/core/protocol/fixtures/golden-kv-events.jsonl');
const options = { useRecords: false, mapsAsObjects: true, variableMapSize: true };

export function messagePackPairs({ Unpackr, Packr }: Msgpackr): readonly Pair[] {
  const [unpackr, packr] = [new Unpackr(options), new Packr(options)];
  const recorded = readFileSync(golden, 'utf8')
    .trim()
    .split('\n')
    .map((line) => Buffer.from((JSON.parse(line) as { hex: string }).hex, 'hex'));
  const loads: readonly [string, readonly Uint8Array[]][] = [
    [`${recorded.length} batches that vLLM wrote`, recorded],
    ['a decode step, 8 blocks of 16 tokens', [encodeKvEventBatch(decodeStep())]],
    ['a prompt of 8,192 tokens', [encodeKvEventBatch(prompt(8192))]],
  ];
  return loads.flatMap(([what, payloads]) => {
    const batches = payloads.map(decodeKvEventBatch);
    const plain = payloads.map((payload) => unpackr.unpack(payload));
    return [
      {
        what: `read ${what}`,
        ours: () => payloads.map(decodeKvEventBatch),
        theirs: () => payloads.map((payload) => checkedBatch(unpackr.unpack(payload))),
      },
      {
        what: `read ${what}, msgpackr unchecked`,
        ours: () => payloads.map(decodeKvEventBatch),
        theirs: () => payloads.map((payload) => unpackr.unpack(payload)),
      },
      {
        what: `write ${what}`,
        ours: () => batches.map(encodeKvEventBatch),
        theirs: () => plain.map((value) => packr.pack(value)),
      },
    ];
  });
}

/**
 * Returns which of vLLM's payloads msgpackr reproduces byte for byte, and how it reacts to a false
 * length.
 */
export function messagePackFacts({ Unpackr, Packr }: Msgpackr): readonly string[] {
  const [unpackr, packr] = [new Unpackr(options), new Packr(options)];
  const lines = readFileSync(golden, 'utf8').trim().split('\n');
  const payloads = lines.map((line) =>
    Buffer.from((JSON.parse(line) as { hex: string }).hex, 'hex'),
  );
  const equal = payloads.filter((payload) =>
    Buffer.from(packr.pack(unpackr.unpack(payload))).equals(payload),
  );
  return [
    `Of ${payloads.length} payloads of vLLM, msgpackr reproduces ${equal.length} byte for byte; Spillway's codec all.`,
    `Five bytes that announce an array of 100 million items: msgpackr ${outcomeOf(() => unpackr.unpack(lyingArray))}; Spillway's codec ${outcomeOf(() => decodeKvEventBatch(lyingArray))}.`,
  ];
}

/** An array whose announced items do not follow. */
const lyingArray = Uint8Array.of(0xdd, 0x05, 0xf5, 0xe1, 0x00);

function outcomeOf(run: () => unknown): string {
  const before = process.memoryUsage().rss;
  let outcome = 'reads it';
  try {
    run();
  } catch (error) {
    outcome = `refuses it (${(error as Error).message.split('\n')[0]})`;
  }
  const megabytes = Math.max(0, (process.memoryUsage().rss - before) / 1e6);
  return `${outcome}, with ${megabytes.toFixed(0)} MB more in memory`;
}

function decodeStep(): KvEventBatch {
  const random = seededRandom(2);
  const events = Array.from({ length: 8 }, () => stored(random, 1));
  return { timestampSeconds: 1_790_000_000.25, events, dataParallelRank: 0 };
}

function prompt(tokens: number): KvEventBatch {
  const events = [stored(seededRandom(3), tokens / 16)];
  return { timestampSeconds: 1_790_000_000.25, events, dataParallelRank: 0 };
}

function stored(random: { next(): number }, blocks: number): KvEventBatch['events'][number] {
  const hash = () => BigInt.asUintN(64, BigInt(Math.floor(random.next() * 2 ** 52)) * 4099n);
  return {
    type: 'BlockStored',
    blockHashes: Array.from({ length: blocks }, hash),
    parentBlockHash: hash(),
    tokenIds: Uint32Array.from({ length: 16 * blocks }, () => random.next() * 150_000),
    blockSize: 16,
    loraId: undefined,
    medium: 'GPU',
    loraName: undefined,
    groupIndex: 0,
  };
}
