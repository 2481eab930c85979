// Many clients of an embedded engine at once, each with a request that is allowed: none ends it, none keeps it from its other clients.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { startEngineTarget } from './engine-target.ts';

/** Time on the processor that other requests may wait for one turn. */
const pauseMsMax = 200;
/** The crowd comes again if it has caused a longer pause: a collection of garbage must not fail it. */
const attemptsMax = 4;

test('60 clients that have 250 kB tokenized', { timeout: 120_000 }, async (t) => {
  const target = await startEngineTarget(t);
  const body = JSON.stringify({ model: 'm', prompt: '!'.repeat(250_000) });
  const text = { path: '/tokenize', body };
  let pauseMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < attemptsMax && pauseMs >= pauseMsMax; i++) {
    await target.measure();
    const answers = await Promise.all(Array.from({ length: 60 }, () => target.send(text)));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    pauseMs = (await target.measure()).longestPauseMs;
    t.diagnostic(`longest pause ${pauseMs.toFixed(0)} ms`);
  }
  assert.ok(pauseMs < pauseMsMax, `a pause of ${pauseMs.toFixed(0)} ms`);
  assert.ok(await target.isServing());
});

test('130 clients that ask for 16,384 responses each', { timeout: 120_000 }, async (t) => {
  const target = await startEngineTarget(t, ['--time-scale', '1']);
  const body = { model: 'm', prompt: 'hi', n: 16_384, max_tokens: 2048, ignore_eos: true };
  const many = { path: '/v1/completions', body: JSON.stringify(body) };
  const patienceMs = 20_000;
  const answers = await Promise.all(
    Array.from({ length: 130 }, () => target.send(many, patienceMs)),
  );
  assert.ok(target.isAlive(), target.log().slice(-500));
  const refused = answers.filter(({ status }) => status === 503);
  assert.equal(refused.length, 130 - 14);
  assert.match(refused[0]?.text ?? '', /"error":.*Try again later, or with a smaller n/);
  const { peakRssMiB } = await target.measure();
  t.diagnostic(`peak ${peakRssMiB.toFixed(0)} MiB`);
  assert.ok(peakRssMiB < 1536, `${peakRssMiB.toFixed(0)} MiB`);
  // Their clients have left.
  const one = { path: '/v1/completions', body: JSON.stringify({ ...body, n: 1, max_tokens: 1 }) };
  assert.equal((await target.send(one)).status, 200);
});

test('24 clients that send most of a body of 64 MiB and then stop', {
  timeout: 120_000,
}, async (t) => {
  const target = await startEngineTarget(t);
  const port = Number(/http:\/\/\S+?:(\d+)/.exec(target.log())?.[1]);
  const head = `POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${64 << 20}\r\n\r\n`;
  const part = Buffer.alloc(60 << 20, 'a');
  const ends: Promise<string>[] = [];
  for (let i = 0; i < 24; i++) {
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.write(head);
    let text = '';
    socket.setEncoding('latin1').on('data', (data) => {
      text += data;
    });
    ends.push(once(socket, 'close').then(() => text));
    await new Promise<void>((resolve) => socket.write(part, () => resolve()));
  }
  const { peakRssMiB } = await target.measure();
  t.diagnostic(`peak ${peakRssMiB.toFixed(0)} MiB`);
  assert.ok(peakRssMiB < 1536, `${peakRssMiB.toFixed(0)} MiB`);
  assert.ok(await target.isServing());
  const statuses = (await Promise.all(ends)).map((text) => text.slice(9, 12));
  assert.deepEqual([...new Set(statuses)].sort(), ['408', '503']);
});
