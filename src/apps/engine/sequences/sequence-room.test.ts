import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SequenceRoom } from './sequence-room.ts';

test('refuses what has no room, and takes it once room was given back', () => {
  const room = new SequenceRoom(10);
  const give = room.take(6);
  room.take(4);
  assert.throws(() => room.take(1), {
    httpStatus: 503,
    message:
      'The request asks for 1 responses, and all requests to this engine together may have 10, of which 10 are taken. Try again later, or with a smaller n.',
  });
  give();
  give();
  assert.equal(room.held, 4);
  room.take(6);
  assert.throws(() => room.take(1), { httpStatus: 503 });
});
