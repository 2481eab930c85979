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
    interruptible(() => { for (const end = Date.now() + 60_000; Date.now() < end; ); });
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

test('results and errors of the work are its own', () => {
  assert.deepEqual(
    interruptible(() => [1]),
    [1],
  );
  const error = new RangeError('no');
  assert.throws(
    () =>
      interruptible(() => {
        throw error;
      }),
    (thrown) => thrown === error,
  );
});
