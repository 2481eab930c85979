import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReplyReader } from './reply-reader.ts';
import { RespSyntaxError } from './request-reader.ts';

function seenIn(text: string, pieces: number): string[] {
  const seen: string[] = [];
  let value = '';
  const reader = new ReplyReader({
    line: (type, line) => seen.push(`${type}${line}`),
    none: () => seen.push('none'),
    value: (size) => {
      value = `${size}=`;
    },
    bytes: (part) => {
      value += Buffer.from(part).toString('latin1');
    },
    end: () => seen.push(value),
  });
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += pieces) {
    reader.push(bytes.subarray(at, at + pieces), () => false);
  }
  return seen;
}

test('reads replies in pieces of any size', () => {
  const replies = '+OK\r\n:1\r\n$-1\r\n_\r\n$5\r\na\r\nbc\r\n$0\r\n\r\n-ERR no\r\n';
  const expected = ['+OK', ':1', 'none', 'none', '5=a\r\nbc', '0=', '-ERR no'];
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), (pieces) => {
      assert.deepEqual(seenIn(replies, pieces), expected);
    }),
  );
});

test('a miss that is padded for a client in C++ is one miss', () => {
  assert.deepEqual(seenIn('$-1\r\n\r\n\r\n:1\r\n', 100), ['none', ':1']);
});

test('bytes that are no reply are an error', () => {
  for (const text of ['hello\r\n', '$x\r\n', '*1\r\n', `+${'a'.repeat(70_000)}`]) {
    assert.throws(() => seenIn(text, 1000), RespSyntaxError, text.slice(0, 20));
  }
});
