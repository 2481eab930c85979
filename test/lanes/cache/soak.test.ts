// The short form of the soak, whose long form is run by hand.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

test('half a minute with evictions and clients that come and go leaves memory, handles and delay flat', async () => {
  const args = ['bench/cache-soak.ts', '--minutes', '0.5', '--rate', '50MiB', '--memory', '64MiB'];
  const { stdout } = await promisify(execFile)(process.execPath, [...args, '--json'], {
    timeout: 200_000,
    maxBuffer: 1 << 20,
  });
  const { isFlat, load, last } = JSON.parse(stdout);
  assert.ok(isFlat, stdout);
  assert.ok(load.hits > 0 && last.evictions > 0 && last.corrupt === 0, stdout);
});
