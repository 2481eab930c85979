import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { MessagePackFormatError } from './errors.ts';
import type { BlockStoredEvent, EventBlockHash, KvEventBatch } from './kv-events.ts';
import { decodeKvEventBatch } from './kv-events-decode.ts';
import { encodeKvEventBatch } from './kv-events-encode.ts';

/** Payloads written by vLLM 0.32.0 itself; see fixtures/README.md. */
interface Golden {
  readonly what: string;
  readonly hex: string;
  readonly decoded: readonly [number, readonly Record<string, unknown>[], number | null];
}

const golden: Golden[] = readFileSync(
  join(import.meta.dirname, 'fixtures/golden-kv-events.jsonl'),
  'utf8',
)
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

test("reads vLLM's bytes field by field, and writes the same bytes", () => {
  assert.equal(golden.length, 20);
  for (const { what, hex, decoded } of golden) {
    const batch = decodeKvEventBatch(fromHex(hex));
    assert.deepEqual(wireForm(batch), decoded, what);
    assert.equal(Buffer.from(encodeKvEventBatch(batch)).toString('hex'), hex, what);
  }
});

test('a batch with more hashes and events than any step has is refused before they are read', () => {
  const hashes = Array.from({ length: 131_072 }, (_, i) => BigInt(i));
  assert.throws(
    () => decodeKvEventBatch(encodeKvEventBatch(batchOf(stored(hashes)))),
    /too many items/,
  );
  const fewer = encodeKvEventBatch(batchOf(stored(hashes.slice(64))));
  assert.equal(decodeKvEventBatch(fewer).events.length, 1);
});

test('a batch with more token ids than any step has is refused before they are read', () => {
  const of = (count: number) =>
    encodeKvEventBatch(batchOf({ ...stored([1n]), tokenIds: new Uint32Array(count) }));
  assert.throws(() => decodeKvEventBatch(of(2 ** 22 + 1)), /too many token ids/);
  const half = { ...stored([1n]), tokenIds: new Uint32Array(2 ** 21 + 1) };
  assert.throws(
    () => decodeKvEventBatch(encodeKvEventBatch({ ...batchOf(half), events: [half, half] })),
    /too many/,
  );
  assert.equal(decodeKvEventBatch(of(2 ** 22)).events.length, 1);
});

test('64-bit block hashes survive exactly', () => {
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n), (hash) => {
      const [event] = decodeKvEventBatch(encodeKvEventBatch(batchOf(stored([hash])))).events;
      assert.deepEqual(event?.type === 'BlockStored' && event.blockHashes, [hash]);
    }),
  );
});

test('writes token ids and texts at the limits of each width in their shortest form', () => {
  const widths = [
    [0, '00'],
    [0x7f, '7f'],
    [0x80, 'cc80'],
    [0xff, 'ccff'],
    [0x100, 'cd0100'],
    [0xffff, 'cdffff'],
    [0x1_0000, 'ce00010000'],
    [0xffff_ffff, 'ceffffffff'],
  ] as const;
  for (const [token, bytes] of widths) {
    const event = { ...stored([1n]), tokenIds: Uint32Array.of(token) };
    const payload = Buffer.from(encodeKvEventBatch(batchOf(event))).toString('hex');
    assert.match(payload, new RegExp(`746f6b656e5f69647391${bytes}aa626c6f636b`));
  }
  for (const loraName of ['a'.repeat(31), 'a'.repeat(32), 'ü'.repeat(15), 'ü'.repeat(16), 'ü']) {
    const event = { ...stored([1n]), loraName };
    const text = Buffer.from(loraName);
    const head = text.length > 31 ? [0xd9, text.length] : [0xa0 | text.length];
    const written = Buffer.from(encodeKvEventBatch(batchOf(event)));
    assert.ok(written.includes(Buffer.concat([Buffer.from(head), text])), loraName);
  }
});

test('reads every batch back as it was written', () => {
  fc.assert(
    fc.property(arbitraryBatch(), (batch) => {
      assert.deepEqual(decodeKvEventBatch(encodeKvEventBatch(batch)), batch);
    }),
  );
});

test('reads the positional form of engines before 0.24, with any number of fields', () => {
  // [1.5, [["BlockStored", [7], nil, [1, 2], 2, nil]]] as vLLM 0.9 writes it: no rank, no medium.
  const old = '92cb3ff80000000000009196ab426c6f636b53746f7265649107c092010202c0';
  assert.deepEqual(decodeKvEventBatch(fromHex(old)), {
    timestampSeconds: 1.5,
    dataParallelRank: undefined,
    events: [{ ...stored([7n]), tokenIds: Uint32Array.of(1, 2), blockSize: 2, medium: undefined }],
  });
  // [1.5, [["BlockRemoved", [7], "GPU"], ["AllBlocksCleared"]], 0]
  const later = `93cb3ff80000000000009293ac426c6f636b52656d6f7665649107a347505591b0${Buffer.from('AllBlocksCleared').toString('hex')}00`;
  assert.deepEqual(decodeKvEventBatch(fromHex(later)).events, [
    { type: 'BlockRemoved', blockHashes: [7n], medium: 'GPU' },
    { type: 'AllBlocksCleared' },
  ]);
});

test('skips events and fields of newer engines', () => {
  // [1.5, [{"type": "New", "x": {"y": [1.5, "z"]}}, {"type": "AllBlocksCleared", "why": nil}], 0]
  const hex = `93cb3ff80000000000009282a474797065a34e6577a17881a17992cb3ff8000000000000a17a82a474797065b0${Buffer.from('AllBlocksCleared').toString('hex')}a3776879c000`;
  assert.deepEqual(decodeKvEventBatch(fromHex(hex)).events, [
    { type: 'unknown', name: 'New' },
    { type: 'AllBlocksCleared' },
  ]);
});

test('refuses a message truncated anywhere', () => {
  for (const { hex } of golden) {
    const bytes = fromHex(hex);
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeKvEventBatch(bytes.subarray(0, length)), MessagePackFormatError);
    }
  }
});

test('reads or refuses a corrupted message without crashing', () => {
  const payloads = golden.map(({ hex }) => fromHex(hex));
  fc.assert(
    fc.property(
      fc.nat(payloads.length - 1),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      (index, changes) => {
        const bytes = Uint8Array.from(payloads[index] as Uint8Array);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        readOrRefuse(bytes);
      },
    ),
    { numRuns: 3000 },
  );
});

test('reads or refuses random bytes without crashing', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), readOrRefuse), { numRuns: 3000 });
});

test('refuses lengths beyond the message before allocating memory', () => {
  for (const hex of [
    'ddffffffff',
    '93cb3ff8000000000000ddffffffff',
    '93cb3ff80000000000009194ab426c6f636b53746f726564ddffffffff',
    '93cb3ff80000000000009196ab426c6f636b53746f7265649107c0ddffffffff',
    '93cb3ff80000000000009191dbffffffff',
    '93cb3ff80000000000009192a3466f6fc6ffffffff',
    `93cb3ff80000000000009192a3466f6f${'91'.repeat(100_000)}`,
  ]) {
    assert.throws(() => decodeKvEventBatch(fromHex(hex)), MessagePackFormatError);
  }
});

function readOrRefuse(bytes: Uint8Array): void {
  try {
    decodeKvEventBatch(bytes);
  } catch (error) {
    assert.ok(error instanceof MessagePackFormatError, String(error));
  }
}

function stored(blockHashes: readonly EventBlockHash[]): BlockStoredEvent {
  return {
    type: 'BlockStored',
    blockHashes,
    parentBlockHash: undefined,
    tokenIds: Uint32Array.of(),
    blockSize: 16,
    loraId: undefined,
    medium: 'GPU',
    loraName: undefined,
  };
}

function batchOf(event: BlockStoredEvent): KvEventBatch {
  return { timestampSeconds: 1.5, events: [event], dataParallelRank: 0 };
}

function arbitraryBatch(): fc.Arbitrary<KvEventBatch> {
  const hash = fc.oneof(
    fc.bigInt(0n, 2n ** 64n - 1n),
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
  );
  const text = fc.string({ maxLength: 300, unit: 'grapheme' });
  const extraKey = fc.oneof(
    text,
    fc.uint8Array({ maxLength: 32 }),
    fc.tuple(text, fc.integer({ min: -(2 ** 40), max: 2 ** 40 })),
  );
  const optional = {
    extraKeys: fc.array(fc.option(fc.array(extraKey, { maxLength: 3 }), { nil: undefined }), {
      maxLength: 3,
    }),
    groupIndex: fc.nat(9),
    cacheSpecKind: text,
    slidingWindow: fc.nat(),
    locality: text,
    ownership: text,
    sessionId: text,
  };
  const event = fc.oneof(
    fc
      .tuple(
        fc.record(
          {
            type: fc.constant('BlockStored' as const),
            blockHashes: fc.array(hash, { maxLength: 5 }),
            parentBlockHash: fc.option(hash, { nil: undefined }),
            tokenIds: fc
              .array(fc.nat(0xffff_ffff), { maxLength: 40 })
              .map((tokens) => Uint32Array.from(tokens)),
            blockSize: fc.nat(4096),
            loraId: fc.option(fc.nat(), { nil: undefined }),
            medium: fc.option(text, { nil: undefined }),
            loraName: fc.option(text, { nil: undefined }),
          },
          { noNullPrototype: true },
        ),
        fc.record(optional, { requiredKeys: [], noNullPrototype: true }),
      )
      .map(([required, rest]) => ({ ...required, ...rest })),
    fc
      .tuple(
        fc.record(
          {
            type: fc.constant('BlockRemoved' as const),
            blockHashes: fc.array(hash, { maxLength: 5 }),
            medium: fc.option(text, { nil: undefined }),
          },
          { noNullPrototype: true },
        ),
        fc.record(
          { groupIndex: fc.nat(9), locality: text, ownership: text },
          { requiredKeys: [], noNullPrototype: true },
        ),
      )
      .map(([required, rest]) => ({ ...required, ...rest })),
    fc.constant({ type: 'AllBlocksCleared' as const }),
  );
  return fc.record(
    {
      timestampSeconds: fc.double({ noNaN: true }),
      events: fc.array(event, { maxLength: 4 }),
      dataParallelRank: fc.option(fc.nat(64), { nil: undefined }),
    },
    { noNullPrototype: true },
  );
}

/** Our reading under vLLM's field names, for comparison with what vLLM itself reads. */
function wireForm({ timestampSeconds, events, dataParallelRank }: KvEventBatch): unknown {
  const names: Readonly<Record<string, string>> = {
    groupIndex: 'group_idx',
    cacheSpecKind: 'kv_cache_spec_kind',
    slidingWindow: 'kv_cache_spec_sliding_window',
  };
  const snakeCase = (key: string): string =>
    names[key] ?? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const value = (item: unknown): unknown => {
    if (typeof item === 'bigint') return { $int: String(item) };
    if (item instanceof Uint32Array) return [...item];
    if (item instanceof Uint8Array) return { $bytes: Buffer.from(item).toString('hex') };
    return Array.isArray(item) ? item.map(value) : (item ?? null);
  };
  return [
    timestampSeconds,
    events.map((event) =>
      Object.fromEntries(Object.entries(event).map(([key, item]) => [snakeCase(key), value(item)])),
    ),
    dataParallelRank ?? null,
  ];
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
