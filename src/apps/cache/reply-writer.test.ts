import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { ReplyWriter } from './reply-writer.ts';

function writer() {
  const writes: string[] = [];
  const output = new Writable({
    write(bytes: Uint8Array, _encoding, done) {
      writes.push(Buffer.from(bytes).toString());
      done();
    },
  });
  return { replies: new ReplyWriter(output), writes };
}

const bytes = (text: string) => new TextEncoder().encode(text);

test('replies to one pipeline are written in one call, in order with values', () => {
  const { replies, writes } = writer();
  replies.together(() => {
    for (const text of ['a', 'b', 'c']) replies.write(bytes(text));
  });
  assert.deepEqual(writes, ['abc']);
  replies.together(() => {
    replies.write(bytes('d'));
    replies.writeValue(bytes('e'), {
      size: 1,
      spans: [bytes('f')],
      label: undefined,
      release() {},
    } as never);
    replies.write(bytes('g'));
    replies.end(bytes('h'));
  });
  assert.equal(writes.join(''), 'abcdefgh');
});

test('replies that are not written yet count as unread, and are written if a step fails', () => {
  const { replies, writes } = writer();
  assert.throws(() =>
    replies.together(() => {
      replies.write(bytes('x'.repeat(1 << 20)));
      assert.equal(replies.isFull, false);
      replies.write(bytes('y'));
      assert.equal(replies.isFull, true);
      throw new Error('syntax');
    }),
  );
  assert.equal(writes.join('').length, (1 << 20) + 1);
  replies.write(bytes('z'));
  assert.equal(writes.at(-1), 'z');
});
