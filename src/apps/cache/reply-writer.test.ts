import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import type { ValueLease } from '../../core/cache/index.ts';
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
      isChecked: true,
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

const MiB = 1 << 20;

/** A client that reads when it is told, and a value of so many MiB whose pieces from `wrong` on are wrong. */
function slowly(size: number, wrong = Number.POSITIVE_INFINITY) {
  let taken = 0;
  const held: (() => void)[] = [];
  const output = new Writable({
    highWaterMark: 1,
    write(part: Uint8Array, _encoding, done) {
      taken += part.length;
      held.push(done);
    },
    writev(parts: { readonly chunk: Uint8Array }[], done) {
      for (const { chunk } of parts) taken += chunk.length;
      held.push(done);
    },
  });
  output.on('error', () => {});
  const checked: number[] = [];
  let releases = 0;
  const value = {
    size: size * MiB,
    spans: [new Uint8Array(1.5 * MiB), new Uint8Array((size - 1.5) * MiB)],
    isChecked: false,
    isRight: (from: number, to: number) => {
      checked.push(from / MiB, to / MiB);
      return to / MiB <= wrong;
    },
    release: () => releases++,
  } as unknown as ValueLease;
  return {
    ...{ replies: new ReplyWriter(output), output, value, checked },
    taken: () => taken,
    releases: () => releases,
    read: async () => {
      for (const done of held.splice(0)) done();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('a large value is checked and written piece by piece, as its client reads; what follows waits behind it', async () => {
  const { replies, value, checked, taken, read, releases } = slowly(3);
  let isWritten = false;
  replies.whenWritten = () => {
    isWritten = true;
  };
  replies.writeValue(bytes('head'), value, bytes('end'));
  replies.write(bytes('next'));
  assert.deepEqual([checked, taken(), replies.isBusy], [[0, 1, 1, 2], 2 * MiB + 4, true]);
  for (let i = 0; i < 8; i++) {
    await read();
    assert.ok((checked.at(-1) ?? 0) <= Math.floor(taken() / MiB) + 2, 'two pieces ahead');
  }
  assert.deepEqual(checked, [0, 1, 1, 2, 2, 3]);
  assert.deepEqual(
    [taken(), releases(), replies.isBusy, isWritten],
    [3 * MiB + 11, 1, false, true],
  );
});

test('a part of a value is checked in the pieces that it is in', async () => {
  const { replies, value, checked, taken, read } = slowly(4);
  const part = { from: 1.25 * MiB, to: 2.5 * MiB };
  replies.writeValue(bytes(''), value, bytes('end'), part);
  for (let i = 0; i < 6; i++) await read();
  assert.deepEqual([checked, taken()], [[1.25, 2, 2, 2.5], 1.25 * MiB + 3]);
});

test('the connection ends before the first wrong piece', async () => {
  const { replies, value, taken, read, output, releases } = slowly(3, 2);
  replies.writeValue(bytes('head'), value, bytes('end'));
  for (let i = 0; i < 6; i++) await read();
  assert.deepEqual([taken(), output.destroyed, releases()], [2 * MiB + 4, true, 1]);
});
