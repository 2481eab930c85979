import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashBytesChain } from '../../core/kv/index.ts';
import type { AttemptNews } from '../../core/routing/index.ts';
import { LineReader } from './line-reader.ts';
import { NewsLag } from './news-lag.ts';
import { aliveLine, helloLine, NewsSyntaxError, newsLine, parseNewsLine } from './news-lines.ts';

const count = fc.nat(1_000_000);
const blocks = fc.uint8Array({ maxLength: 4096 }).map((bytes) => ({
  hashes: hashBytesChain([bytes], 64),
  blockBytes: 64,
  promptBytes: bytes.length,
}));
const newsOfAnyKind: fc.Arbitrary<AttemptNews> = fc.oneof(
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
    .map(({ more, ...news }) => {
      const promptTokens = news.cachedTokens + more;
      return { kind: 'sent', url: 'http://10.0.0.7:8000', promptTokens, ...news } as const;
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

test('an attempt is a line of JSON, its prompt nothing but names of blocks', () => {
  const news: AttemptNews = {
    kind: 'sent',
    ...{ attempt: 7, url: 'http://e:8000', promptTokens: 32, cachedTokens: 16 },
    ...{
      stream: true,
      blocks: { hashes: Float64Array.of(1, 2), blockBytes: 64, promptBytes: 130 },
    },
  };
  assert.equal(
    newsLine(news, 0.25),
    '{"kind":"sent","attempt":7,"url":"http://e:8000","promptTokens":32,"cachedTokens":16,' +
      '"stream":true,"blocks":{"blockBytes":64,"promptBytes":130,"names":"AAAAAAAA8D8AAAAAAAAAQA=="},' +
      '"agoSeconds":0.25}\n',
  );
});

test('what is written is read as it was, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(newsOfAnyKind, { maxLength: 8 }),
      fc.integer({ min: 1, max: 700 }),
      (all, step) => {
        const bytes = Buffer.from(all.map((news) => newsLine(news)).join(''), 'latin1');
        const reader = new LineReader();
        const read: unknown[] = [];
        for (let at = 0; at < bytes.length; at += step) {
          reader.read(bytes.subarray(at, at + step), (line) => read.push(parseNewsLine(line)));
        }
        assert.deepEqual(
          read,
          all.map((news) => ({ kind: 'news', news, agoSeconds: 0 })),
        );
      },
    ),
  );
});

test('what no router would send is refused with a reason', () => {
  const sent = '"kind":"sent","attempt":1,"url":"http://e","stream":true,"promptTokens":5';
  const refused: [string, RegExp][] = [
    ['', /not JSON/],
    ['HTTP/1.1 200 OK', /not JSON/],
    ['[1]', /no JSON object/],
    ['null', /no JSON object/],
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
      () => parseNewsLine(line),
      (error) => {
        assert.ok(error instanceof NewsSyntaxError, line);
        assert.match(error.message, reason);
        return true;
      },
    );
  }
});

test('no line of any bytes does worse than to be refused', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
      try {
        parseNewsLine(line);
      } catch (error) {
        assert.ok(error instanceof NewsSyntaxError);
      }
    }),
  );
});

test('a line without an end is not kept beyond the longest line', () => {
  const reader = new LineReader();
  const bytes = Buffer.alloc(65_536, 'x');
  assert.throws(() => {
    for (let i = 0; i < 5; i++) reader.read(bytes, () => {});
  }, NewsSyntaxError);
});

test('a greeting names the version and the router, a sign of life the time', () => {
  assert.deepEqual(parseNewsLine(helloLine('r')), { kind: 'hello', version: 1, router: 'r' });
  assert.deepEqual(parseNewsLine(aliveLine(12.34567)), { kind: 'alive', atMs: 12.346 });
});

test('lag is what a line took longer than the quickest, whatever the two clocks say', () => {
  const lag = new NewsLag();
  assert.equal(lag.of(1_000_000, 50), 0);
  assert.equal(lag.of(1_001_000, 1_350), 0.3);
  assert.equal(lag.of(1_002_000, 2_040), 0);
  assert.equal(lag.of(1_003_000, 3_050), 0.01);
});

test('clocks that drift apart make no lag in the long run', () => {
  const lag = new NewsLag();
  let last = 0;
  // The receiver's clock gains 0.1 ms per second, for a day.
  for (let second = 0; second < 86_400; second++) last = lag.of(second * 1000, second * 1000.1);
  assert.ok(last < 0.01, `${last} s`);
});
