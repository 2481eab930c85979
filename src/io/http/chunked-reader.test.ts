import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChunkedReader } from './index.ts';

const chunkText = fc
  .tuple(
    fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 }),
    fc.constantFrom('', ';a', ';a=b', ';a=b;c'),
    fc.constantFrom('', '0', '000'),
  )
  .map(([data, extension, zeros]) => ({
    data,
    text: `${zeros}${data.length.toString(16)}${extension}\r\n${data}\r\n`,
  }));
const endText = fc.constantFrom('0\r\n\r\n', '00;x\r\n\r\n', '0\r\nX-A: b\r\nc:\r\n\r\n');

test('returns the data of a chunked body and the index of its end, however the bytes are split', () => {
  const cuts = fc.array(fc.nat(), { maxLength: 10 });
  fc.assert(
    fc.property(fc.array(chunkText, { maxLength: 5 }), endText, cuts, (chunks, end, cutsAt) => {
      const body = chunks.map(({ text }) => text).join('') + end;
      const bytes = Buffer.from(`${body}NEXT`, 'latin1');
      const positions = [...cutsAt.map((cut) => cut % bytes.length), bytes.length].sort(
        (a, b) => a - b,
      );
      const reader = new ChunkedReader();
      let data = '';
      let at = 0;
      for (const position of positions) {
        if (reader.done) break;
        at = reader.read(bytes, at, position, (from, start, stop) => {
          data += from.toString('latin1', start, stop);
        });
      }
      assert.equal(reader.done, true);
      assert.equal(at, body.length);
      assert.equal(data, chunks.map((chunk) => chunk.data).join(''));
    }),
  );
});

test('is between chunks where another chunk could begin', () => {
  const reader = new ChunkedReader();
  const states = ['', '3', '\r\n', 'ab', 'c', '\r', '\n', '0'].map((text) => {
    reader.read(Buffer.from(text), 0, text.length);
    return reader.betweenChunks;
  });
  assert.deepEqual(states, [true, false, false, false, false, false, true, false]);
});
