import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type StopSignals, stopped, watchStopSignals } from './index.ts';

const index = join(import.meta.dirname, 'index.ts');

/** A process that waits for a stop, prints the signal's name, and runs until a later signal. */
const waiting = `
  import { endOnHurry, stopped, watchStopSignals } from ${JSON.stringify(index)};
  const signals = watchStopSignals();
  endOnHurry(signals);
  console.log('up');
  setInterval(() => {}, 1e6);
  console.log(await stopped(signals));
`;

for (const [second, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`reports the first signal, and exits with ${status} on a later ${second}`, async (context) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', waiting]);
    context.after(() => child.kill('SIGKILL'));
    const lines = child.stdout.setEncoding('utf8')[Symbol.asyncIterator]();
    assert.match((await lines.next()).value, /up/);
    child.kill('SIGTERM');
    assert.match((await lines.next()).value, /SIGTERM/);
    // At the same time as the first it would count as the same request.
    child.kill(second);
    await delay(600);
    assert.equal(child.exitCode, null);
    child.kill(second);
    const [code] = await once(child, 'exit');
    assert.equal(code, status);
  });
}

test('a wait that begins after the signal ends at once', async () => {
  // The test runner does not listen to this one.
  const name = 'SIGCONT';
  const before = process.listenerCount(name);
  const signals: StopSignals = watchStopSignals([name]);
  assert.equal(process.listenerCount(name), before + 1);
  process.emit(name, name);
  assert.equal(await stopped(signals), name);
  signals.release();
  process.emit(name, name);
  assert.equal(signals.hurry.aborted, false, 'npm and the terminal both send one');
  await delay(600);
  assert.equal(process.listenerCount(name), before);
});

test('a watch that saw no signal is gone when it is released', () => {
  const name = 'SIGCONT';
  const before = process.listenerCount(name);
  watchStopSignals([name]).release();
  assert.equal(process.listenerCount(name), before);
});
