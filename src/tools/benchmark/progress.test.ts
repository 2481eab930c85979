import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProgressDisplay } from './progress.ts';

function displayed(isTTY: boolean, seconds: readonly number[]): string[] {
  const written: string[] = [];
  const output = { isTTY, columns: 80, write: (text: string) => written.push(text) };
  const display = createProgressDisplay(output);
  seconds.forEach((at, i) => {
    display.update({ total: 10, sent: i + 2, completed: i, failed: 1, seconds: at });
  });
  display.done();
  return written;
}

test('prints a plain line every ten seconds without a terminal', () => {
  assert.deepEqual(displayed(false, [0.5, 9.9, 10.1, 11, 20.2]), [
    '10 s: 2/10 done, 1 failed, 1 in flight\n',
    '20 s: 4/10 done, 1 failed, 1 in flight\n',
  ]);
});

test('redraws a bar in place on a terminal, and removes it at the end', () => {
  const written = displayed(true, [0.01, 0.2, 0.25, 0.4]);
  assert.equal(written.length, 3);
  assert.ok(written[0]?.startsWith('\r\x1b[2K[####................] 0 s: 1/10 done'), written[0]);
  assert.equal(written[2], '\r\x1b[2K');
});
