import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBudget } from '../memory/index.ts';
import { MigratableStream } from './migratable-stream.ts';
import { StreamMemory } from './stream-memory.ts';
import { UsualEvents } from './usual-event.ts';

/** Streams of a router whose memory is otherwise used up to this many bytes of 16 MiB. */
function streams(used: number, hasRoomForLarge = true) {
  const budget = new MemoryBudget(16 * 2 ** 20);
  budget.share(1).force(used);
  const memory = new StreamMemory({
    shares: {
      ...{ transcripts: budget.share(1 / 2), events: budget.share(5 / 8) },
      hasRoomForLarge: () => hasRoomForLarge,
    },
  });
  const stream = new MigratableStream({ kind: 'chat', hidesIds: true }, memory, new UsualEvents());
  return { memory, stream };
}

const chunk = (bytes: number) => {
  const data = 'x'.repeat(bytes);
  return Buffer.from(`${bytes.toString(16)}\r\n${data}\r\n`);
};
const body = Buffer.from('{"model":"m","messages":[]}');

test('an event is held until its end arrives, and its memory is free then', () => {
  const { memory, stream } = streams(0);
  const start = Buffer.from('6\r\ndata: \r\n');
  assert.equal(stream.take(start, true, false), undefined);
  assert.equal(memory.eventBytes, start.length);
  assert.ok(stream.take(Buffer.from('4\r\n{}\n\n\r\n'), true, false));
  assert.equal(memory.eventBytes, 0);
});

for (const [what, used, hasRoomForLarge] of [
  ['memory is full', 12 * 2 ** 20, true],
  ['large events and unread responses hold their part of it', 0, false],
] as const) {
  test(`a large event passes before its end when ${what}, and its stream no longer moves`, () => {
    const { memory, stream } = streams(used, hasRoomForLarge);
    const pieces = [chunk(40_000), chunk(40_000), chunk(40_000)];
    const passed = pieces.map((piece) => stream.take(piece, true, false));
    const out = Buffer.concat(passed.flatMap((bytes) => (bytes === undefined ? [] : [bytes])));
    assert.deepEqual(out, Buffer.concat(pieces));
    assert.equal(memory.eventBytes, 0);
    assert.equal(stream.continuation(body), 'transcript');
  });
}

test('a small event is held although large ones have no room', () => {
  const { memory, stream } = streams(0, false);
  assert.equal(stream.take(chunk(30_000), true, false), undefined);
  assert.ok(memory.eventBytes > 30_000);
  stream.close();
  assert.equal(memory.eventBytes, 0);
});

test('transcripts and requests for the rest of a stream take no more than their share', () => {
  const { memory } = streams(7 * 2 ** 20);
  assert.equal(memory.resize(0, 500_000), true);
  assert.equal(memory.resize(500_000, 1_100_000), false);
  assert.equal(memory.resizeRequest(0, 1_000_000), false);
  assert.equal(memory.resizeRequest(0, 500_000), true);
  memory.resizeRequest(500_000, 0);
  memory.resize(500_000, 0);
  assert.equal(memory.bytes, 0);
});
