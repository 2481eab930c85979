// A body that arrives too slowly; beside the other attacks, because it takes as long as all of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerOf, startTarget } from './target.ts';

test('a body of one byte per second', async (t) => {
  const target = await startTarget(t);
  const socket = target.attack();
  const startMs = performance.now();
  socket.write('POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n');
  const drip = setInterval(() => socket.write('x'), 1_000);
  t.after(() => clearInterval(drip));
  assert.match(await answerOf(socket), /^HTTP\/1\.1 408 /);
  const seconds = (performance.now() - startMs) / 1_000;
  assert.ok(seconds < 60, `closed after ${seconds} s`);
});
