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
    '10 s: 2/10 done (0.2/s), 1 failed, 1 in flight, 24s left\n',
    '20 s: 4/10 done (0.2/s), 1 failed, 1 in flight, 21s left\n',
  ]);
});

test('redraws a bar in place on a terminal, and removes it at the end', () => {
  const written = displayed(true, [0.01, 0.2, 0.25, 0.4]);
  assert.equal(written.length, 3);
  assert.ok(
    written[0]?.startsWith('\r\x1b[2K[######........................] 0 s: 1/10 done'),
    written[0],
  );
  assert.equal(written[2], '\r\x1b[2K');
});

test('takes the time that is left from the schedule, where there is one', () => {
  const written: string[] = [];
  const display = createProgressDisplay({ write: (text: string) => written.push(text) });
  const counts = { total: undefined, sent: 50, completed: 40, failed: 0, lastSeconds: 60 };
  display.update({ ...counts, seconds: 20 });
  display.update({ ...counts, seconds: 61 });
  assert.deepEqual(written, [
    '20 s: 40 done (2.0/s), 10 in flight, 40s left\n',
    '61 s: 40 done (0.7/s), 10 in flight, 0s left\n',
  ]);
});

test('leaves out the bar on a narrow terminal', () => {
  const written: string[] = [];
  const output = { isTTY: true, columns: 30, write: (text: string) => written.push(text) };
  const display = createProgressDisplay(output);
  display.update({ total: 10, sent: 2, completed: 1, failed: 0, seconds: 0.4 });
  assert.deepEqual(written, ['\r\x1b[2K0 s: 1/10 done, 1 in flight, 4s left']);
});
