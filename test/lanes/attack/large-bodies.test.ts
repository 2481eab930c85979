// Bodies of the largest size, one after the other: what has ended costs nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliCompressSync } from 'node:zlib';
import { startTarget } from './target.ts';

const budgetMiB = 128;
const requests = 30;
/** V8 collects buffers that are no longer used once they are so many. */
const uncollectedMiB = 128;

test('bodies of 60 MiB, plain and compressed, leave no memory behind', async (t) => {
  const target = await startTarget(t, ['--memory-budget', `${budgetMiB}MiB`]);
  const { rssMiB: before } = await target.measure();
  const large = Buffer.alloc(60 << 20, 'a');
  const bombs = brotliCompressSync(large);
  assert.ok(bombs.length < 1000);
  const post = async (body: Buffer, encoding?: string) => {
    const response = await fetch(`${target.url}/v1/completions`, {
      method: 'POST',
      headers: encoding === undefined ? {} : { 'content-encoding': encoding },
      body: new Uint8Array(body),
    });
    await response.arrayBuffer();
    return response.status;
  };
  for (let i = 0; i < requests; i++) assert.equal(await post(large), 400);
  for (let i = 0; i < requests; i++) assert.equal(await post(bombs, 'br'), 413);
  const { peakRssMiB, longestPauseMs } = await target.measure();
  t.diagnostic(`${before} -> ${peakRssMiB} MiB, longest pause ${longestPauseMs} ms`);
  const most = before + 1.1 * budgetMiB + uncollectedMiB;
  assert.ok(peakRssMiB < most, `${before} -> ${peakRssMiB} MiB`);
  assert.ok(longestPauseMs < 100, `${longestPauseMs} ms`);
});
