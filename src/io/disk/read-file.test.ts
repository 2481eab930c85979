import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomInteger, seededRandom } from '../../core/base/index.ts';
import type { OpenFile } from './disk-files.ts';
import { readFile } from './read-file.ts';

const mebibyte = 1 << 20;

/** A file whose reads end early, and in another order than they began. */
function fileOf(bytes: Uint8Array, seed: number, fails = (_position: number) => false) {
  const random = seededRandom(seed);
  let running = 0;
  const file: Pick<OpenFile, 'readv'> = {
    async readv(buffers, position) {
      running++;
      for (let turns = randomInteger(random, 5); turns > 0; turns--) await Promise.resolve();
      const room = buffers.reduce((sum, { length }) => sum + length, 0);
      let left = Math.min(bytes.length - position, 1 + randomInteger(random, room));
      const bytesRead = Math.max(0, left);
      for (const [i, buffer] of buffers.entries()) {
        const done = buffers.slice(0, i).reduce((sum, { length }) => sum + length, 0);
        const part = bytes.subarray(
          position + done,
          position + done + Math.min(left, buffer.length),
        );
        if (left > 0) buffer.set(part);
        left -= buffer.length;
      }
      running--;
      if (fails(position)) throw new Error('EIO');
      return { bytesRead };
    },
  };
  return { file: file as OpenFile, running: () => running };
}

test('a part of a file comes to its places, whatever the sizes and however short the reads', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const bytes = new Uint8Array(100 + randomInteger(random, 11 * mebibyte));
    for (let i = 0; i < bytes.length; i += 97) bytes[i] = randomInteger(random, 256);
    const offset = randomInteger(random, 100);
    const body = new Uint8Array(bytes.length - offset);
    const spans: Uint8Array[] = [];
    for (let at = 0; at < body.length; ) {
      const span = body.subarray(at, at + 1 + randomInteger(random, 3 * mebibyte));
      spans.push(span);
      at += span.length;
    }
    assert.equal(await readFile(fileOf(bytes, seed).file, spans, offset), true);
    assert.ok(Buffer.from(bytes.subarray(offset)).equals(body), `seed ${seed}`);
  }
});

test('a file that is too short is not whole, and an empty part is', async () => {
  const bytes = new Uint8Array(9 * mebibyte);
  const { file } = fileOf(bytes, 1);
  assert.equal(await readFile(file, [new Uint8Array(bytes.length)], 1), false);
  assert.equal(await readFile(file, [], 0), true);
  assert.equal(await readFile(file, [new Uint8Array(0)], 0), true);
});

test('after an error no read goes on: the memory may be used for another value', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const failing = (position: number) => position >= 4 * mebibyte && position < 8 * mebibyte;
    const { file, running } = fileOf(new Uint8Array(32 * mebibyte), seed, failing);
    await assert.rejects(readFile(file, [new Uint8Array(32 * mebibyte)], 0), /EIO/);
    assert.equal(running(), 0);
  }
});
