import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashBytesChain } from '../../core/kv/index.ts';
import type { AttemptUpdate } from '../../core/routing/index.ts';
import { LineReader } from './line-reader.ts';
import { UpdateLag } from './update-lag.ts';
import {
  aliveLine,
  helloLine,
  parseUpdateLine,
  UpdateSyntaxError,
  updateLine,
} from './update-lines.ts';

const count = fc.nat(1_000_000);
const blocks = fc.uint8Array({ maxLength: 4096 }).map((bytes) => ({
  hashes: hashBytesChain([bytes], 64),
  blockBytes: 64,
  promptBytes: bytes.length,
}));
const updateOfAnyKind: fc.Arbitrary<AttemptUpdate> = fc.oneof(
  fc
    .record(
      {
        attempt: count,
        cachedTokens: count,
        more: count,
        stream: fc.boolean(),
        blocks: fc.option(blocks, { nil: undefined }),
      },
      { noNullPrototype: true },
    )
    .map(({ more, ...update }) => {
      const promptTokens = update.cachedTokens + more;
      return { kind: 'sent', url: 'http://10.0.0.7:8000', promptTokens, ...update } as const;
    }),
  count.map((attempt) => ({ kind: 'firstByte', attempt }) as const),
  fc.record(
    {
      kind: fc.constant('finished' as const),
      attempt: count,
      status: fc.constantFrom('completed' as const, 'cancelled' as const, 'failed' as const),
      promptTokens: fc.option(count, { nil: undefined }),
      cachedTokens: fc.option(count, { nil: undefined }),
      outputTokens: fc.option(count, { nil: undefined }),
    },
    { noNullPrototype: true },
  ),
);

test('writes an attempt as a line of JSON, with its prompt as block names only', () => {
  const update: AttemptUpdate = {
    kind: 'sent',
    ...{ attempt: 7, url: 'http://e:8000', promptTokens: 32, cachedTokens: 16 },
    ...{
      stream: true,
      blocks: { hashes: Float64Array.of(1, 2), blockBytes: 64, promptBytes: 130 },
    },
  };
  assert.equal(
    updateLine(update, 0.25),
    '{"kind":"sent","attempt":7,"url":"http://e:8000","promptTokens":32,"cachedTokens":16,' +
      '"stream":true,"blocks":{"blockBytes":64,"promptBytes":130,"names":"AAAAAAAA8D8AAAAAAAAAQA=="},' +
      '"agoSeconds":0.25}\n',
  );
});

test('reads lines as they were written, however the bytes are split', () => {
  fc.assert(
    fc.property(
      fc.array(updateOfAnyKind, { maxLength: 8 }),
      fc.integer({ min: 1, max: 700 }),
      (all, step) => {
        const bytes = Buffer.from(all.map((update) => updateLine(update)).join(''), 'latin1');
        const reader = new LineReader();
        const read: unknown[] = [];
        for (let at = 0; at < bytes.length; at += step) {
          reader.read(bytes.subarray(at, at + step), (line) => read.push(parseUpdateLine(line)));
        }
        assert.deepEqual(
          read,
          all.map((update) => ({ kind: 'update', update, agoSeconds: 0 })),
        );
      },
    ),
  );
});

test('refuses a line that no router would send, and gives a reason', () => {
  const sent = '"kind":"sent","attempt":1,"url":"http://e","stream":true,"promptTokens":5';
  const refused: [string, RegExp][] = [
    ['', /not JSON/],
    ['HTTP/1.1 200 OK', /not JSON/],
    ['[1]', /not a JSON object/],
    ['null', /not a JSON object/],
    ['{"kind":"other","attempt":1}', /kind/],
    ['{"kind":"firstByte"}', /"attempt"/],
    ['{"kind":"firstByte","attempt":-1}', /"attempt"/],
    ['{"kind":"firstByte","attempt":1.5}', /"attempt"/],
    ['{"kind":"firstByte","attempt":1e300}', /"attempt"/],
    ['{"kind":"finished","attempt":1,"status":"lost"}', /"status"/],
    ['{"kind":"finished","attempt":1,"status":"failed","outputTokens":"5"}', /"outputTokens"/],
    [`{${sent}}`, /"cachedTokens"/],
    [`{${sent},"cachedTokens":0,"blocks":{"names":7}}`, /names/],
    [
      `{${sent},"cachedTokens":0,"blocks":{"names":"AAAA","blockBytes":64,"promptBytes":1}}`,
      /names/,
    ],
    [
      `{${sent},"cachedTokens":0,"blocks":{"names":"AAAAAAAA+H8=","blockBytes":64,"promptBytes":1}}`,
      /names/,
    ],
    ['{"kind":"hello","version":1}', /"router"/],
    ['{"kind":"alive"}', /"atMs"/],
  ];
  for (const [line, reason] of refused) {
    assert.throws(
      () => parseUpdateLine(line),
      (error) => {
        assert.ok(error instanceof UpdateSyntaxError, line);
        assert.match(error.message, reason);
        return true;
      },
    );
  }
});

test('reads or refuses a line of arbitrary bytes', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
      try {
        parseUpdateLine(line);
      } catch (error) {
        assert.ok(error instanceof UpdateSyntaxError);
      }
    }),
  );
});

test('an endless line is not buffered beyond the maximum length', () => {
  const reader = new LineReader();
  const bytes = Buffer.alloc(65_536, 'x');
  assert.throws(() => {
    for (let i = 0; i < 5; i++) reader.read(bytes, () => {});
  }, UpdateSyntaxError);
});

test('a hello line contains the version and the router, a keep-alive line the time', () => {
  assert.deepEqual(parseUpdateLine(helloLine('r')), { kind: 'hello', version: 1, router: 'r' });
  assert.deepEqual(parseUpdateLine(aliveLine(12.34567)), { kind: 'alive', atMs: 12.346 });
});

test('lag is the excess over the fastest line, whatever the two clocks show', () => {
  const lag = new UpdateLag();
  assert.equal(lag.of(1_000_000, 50), 0);
  assert.equal(lag.of(1_001_000, 1_350), 0.3);
  assert.equal(lag.of(1_002_000, 2_040), 0);
  assert.equal(lag.of(1_003_000, 3_050), 0.01);
});

test('clock drift causes no lag in the long run', () => {
  const lag = new UpdateLag();
  let last = 0;
  // The receiver's clock gains 0.1 ms per second, for a day.
  for (let second = 0; second < 86_400; second++) last = lag.of(second * 1000, second * 1000.1);
  assert.ok(last < 0.01, `${last} s`);
});
