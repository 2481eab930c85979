import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, readdirSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { temporaryFile, temporaryFolder } from './index.ts';

/** Names the folder for temporary files during a test. */
function withTemporary(t: TestContext, folder: string): void {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = folder;
  t.after(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  });
}

test('a temporary folder has a name of its own, and a temporary file has none', (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'spillway-temporary-'));
  t.after(() => rmSync(parent, { recursive: true }));
  withTemporary(t, parent);
  const [one, other] = [temporaryFolder('some-'), temporaryFolder('some-')];
  const file = temporaryFile('marks-');
  t.after(() => closeSync(file));
  assert.deepEqual(readdirSync(parent).sort(), [basename(one), basename(other)].sort());
  writeSync(file, 'x', 3);
  const byte = Buffer.alloc(1);
  assert.equal(readSync(file, byte, 0, 1, 3), 1);
  assert.equal(byte.toString(), 'x');
});

test('a folder for temporary files that takes none is named, and the variable to set', (t) => {
  withTemporary(t, '/dev/null/none');
  for (const make of [temporaryFolder, temporaryFile]) {
    assert.throws(
      () => make('some-'),
      (error) =>
        error instanceof InputError &&
        /^Cannot write to \/dev\/null\/none, the folder for temporary files: it is a file, not a folder\. Name another one in the environment variable TMPDIR\.$/.test(
          error.message,
        ),
    );
  }
});
