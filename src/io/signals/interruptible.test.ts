import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { interruptible } from './index.ts';

const index = join(import.meta.dirname, 'index.ts');

/** A process that would compute for a minute. */
const computing = `
  import { interruptible, watchStopSignals } from ${JSON.stringify(index)};
  watchStopSignals();
  process.stdout.write('up');
  try {
    await interruptible(() => { for (const end = Date.now() + 60_000; Date.now() < end; ); });
  } catch (error) {
    process.stdout.write(error.code);
    process.exit(error.exitCode);
  }
`;

test('SIGINT ends work that blocks the event loop, though the program listens to it', async (t) => {
  const started = performance.now();
  const child = spawn(process.execPath, ['--input-type=module', '-e', computing]);
  t.after(() => child.kill('SIGKILL'));
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (text === 'up') setTimeout(() => child.kill('SIGINT'), 200);
  });
  assert.deepEqual(await once(child, 'close'), [130, null]);
  assert.equal(out, 'upERR_INTERRUPTED');
  assert.ok(performance.now() - started < 30_000);
});

/** A process that gets SIGINT, from itself, while it has no turn to hear it before the work begins. */
const busyBefore = `
  import { readFile } from 'node:fs';
  import { interruptible, watchStopSignals } from ${JSON.stringify(index)};
  const { stop } = watchStopSignals();
  readFile(${JSON.stringify(index)}, async () => {
    process.kill(process.pid, 'SIGINT');
    await interruptible(() => {}).then(() => {}, () => {});
    process.exit(stop.aborted ? 130 : 0);
  });
`;

test('SIGINT just before the work reaches the listeners of the program', async (t) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', busyBefore]);
  t.after(() => child.kill('SIGKILL'));
  assert.deepEqual(await once(child, 'close'), [130, null]);
});

test('results and errors of the work are its own', async () => {
  assert.deepEqual(await interruptible(() => [1]), [1]);
  const error = new RangeError('no');
  await assert.rejects(
    interruptible(() => {
      throw error;
    }),
    (thrown) => thrown === error,
  );
});

test('work does not begin after a stop', async () => {
  let hasBegun = false;
  await assert.rejects(
    interruptible(() => {
      hasBegun = true;
    }, AbortSignal.abort('SIGTERM')),
  );
  assert.equal(hasBegun, false);
});
