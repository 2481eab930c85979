import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collectedBytesMax, RequestReader, RespSyntaxError } from './request-reader.ts';

interface Seen {
  readonly args: readonly string[];
  readonly streamed?: Buffer;
}

function readerOf(seen: Seen[]): RequestReader {
  return new RequestReader({
    command: (args) => seen.push({ args }),
    streamed(args, size) {
      const parts: Uint8Array[] = [];
      return {
        write: (bytes) => parts.push(bytes.slice()),
        end(all) {
          const streamed = Buffer.concat(parts);
          assert.equal(streamed.length, size);
          assert.deepEqual(all.slice(0, args.length), args);
          seen.push({ args: all, streamed });
        },
      };
    },
  });
}

function encoded(args: readonly (string | Buffer)[]): Buffer {
  const parts = args.map((arg) => {
    const bytes = Buffer.from(arg as string, 'latin1');
    return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]);
  });
  return Buffer.concat([Buffer.from(`*${args.length}\r\n`), ...parts]);
}

const value = Buffer.alloc(collectedBytesMax + 1, 'v\r\n');
const stream = Buffer.concat([
  encoded(['SET', 'key', 'small\r\n\u0080\u009f\u00ff']),
  Buffer.from('PING  hello\r\n\r\n*0\r\n*-1\r\nQUIT\n'),
  encoded(['SET', 'big', value.toString('latin1')]),
  encoded(['SET', 'big', value.toString('latin1'), 'EX', '9']),
  encoded(['GET', '']),
]);

test('the same commands come out of any pieces', () => {
  const expected: Seen[] = [
    { args: ['SET', 'key', 'small\r\n\u0080\u009f\u00ff'] },
    { args: ['PING', 'hello'] },
    { args: ['QUIT'] },
    { args: ['SET', 'big', ''], streamed: value },
    { args: ['SET', 'big', '', 'EX', '9'], streamed: value },
    { args: ['GET', ''] },
  ];
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), { maxLength: 40 }), (cuts) => {
      const seen: Seen[] = [];
      const reader = readerOf(seen);
      const edges = [0, ...cuts.sort((a, b) => a - b), stream.length];
      edges.slice(1).forEach((end, i) => {
        reader.push(stream.subarray(edges[i], end));
      });
      assert.deepEqual(seen, expected);
    }),
    { numRuns: 50 },
  );
});

test('a pause keeps what was pushed, in order', () => {
  const seen: Seen[] = [];
  const reader = readerOf(seen);
  reader.isPaused = true;
  reader.push(Buffer.from('ONE\r\nTW'));
  reader.push(Buffer.from('O\r\n'));
  assert.deepEqual(seen, []);
  reader.isPaused = false;
  reader.push(new Uint8Array(0));
  assert.deepEqual(seen, [{ args: ['ONE'] }, { args: ['TWO'] }]);
});

test('bytes that have to wait may be overwritten, a Buffer too', () => {
  const seen: Seen[] = [];
  const reader = readerOf(seen);
  reader.isPaused = true;
  for (const bytes of [Buffer.from('ONE\r\n'), new Uint8Array(Buffer.from('TWO\r\n'))]) {
    reader.push(bytes);
    bytes.fill(0);
  }
  reader.isPaused = false;
  reader.push(new Uint8Array(0));
  assert.deepEqual(seen, [{ args: ['ONE'] }, { args: ['TWO'] }]);
});

test('what is no request is refused in Redis’ words, without waiting for more', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['*x\r\n', 'Protocol error: invalid multibulk length'],
    ['*99999999\r\n', 'Protocol error: invalid multibulk length'],
    ['*1\r\n$-1\r\n', 'Protocol error: invalid bulk length'],
    ['*1\r\n$999999999999\r\n', 'Protocol error: invalid bulk length'],
    ['*1\r\nGET\r\n', "Protocol error: expected '$', got 'G'"],
    ['*1\r\n\u0007\r\n', "Protocol error: expected '$', got '?'"],
    ['*1\r\n$3\r\nGETxx', 'Protocol error: expected CRLF after a bulk string'],
    ['x'.repeat(70_000), 'Protocol error: too big inline request'],
  ];
  for (const [text, message] of cases) {
    const reader = readerOf([]);
    assert.throws(() => reader.push(Buffer.from(text, 'latin1')), new RespSyntaxError(message));
  }
});

test('a client that has not given its password may send little', () => {
  for (const [text, message] of [
    ['*11\r\n', 'Protocol error: unauthenticated multibulk length'],
    ['*2\r\n$16385\r\n', 'Protocol error: unauthenticated bulk length'],
  ] as const) {
    const reader = readerOf([]);
    reader.isStranger = true;
    assert.throws(() => reader.push(Buffer.from(text)), new RespSyntaxError(message));
    reader.isStranger = false;
    readerOf([]).push(Buffer.from(text));
  }
});

test('large arguments besides the streamed one are bounded together', () => {
  const reader = readerOf([]);
  reader.push(Buffer.from('*40\r\n$4\r\nMGET\r\n$1\r\na\r\n'));
  const part = Buffer.concat([
    Buffer.from('$1048576\r\n'),
    Buffer.alloc(1 << 20),
    Buffer.from('\r\n'),
  ]);
  assert.throws(() => {
    for (let i = 0; i < 38; i++) reader.push(part);
  }, /more than 16777216 bytes of arguments/);
});
