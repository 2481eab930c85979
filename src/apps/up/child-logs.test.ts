import assert from 'node:assert/strict';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../../test/support/until.ts';
import { ChildLogs } from './child-logs.ts';

function directoryOf(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-logs-'));
  context.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

test('the last 200 lines of each child are kept, oldest first', () => {
  const logs = new ChildLogs(undefined);
  logs.open('a');
  assert.deepEqual(logs.recent('a'), []);
  for (let i = 0; i < 201; i++) logs.add('a', `line ${i}`);
  logs.add('b', 'other');
  assert.equal(logs.recent('a').length, 200);
  assert.equal(logs.recent('a')[0], 'line 1');
  assert.equal(logs.recent('a').at(-1), 'line 200');
  assert.deepEqual(logs.recent('b'), ['other']);
});

test('each child has a log file in a folder that is created, and appends to it', async (context) => {
  const directory = join(directoryOf(context), 'deep', 'er');
  for (const line of ['first', 'second']) {
    const logs = new ChildLogs(directory);
    logs.open('engine 1/2');
    logs.add('engine 1/2', line);
    logs.add('never opened', line);
    logs.close();
    const file = join(directory, 'engine-1-2.log');
    await until(() => readFileSync(file, 'utf8').endsWith(`${line}\n`));
  }
  assert.equal(readFileSync(join(directory, 'engine-1-2.log'), 'utf8'), 'first\nsecond\n');
});

test('files are complete and closed at the end, and later lines are not written', async (context) => {
  const directory = directoryOf(context);
  const logs = new ChildLogs(directory);
  logs.open('a');
  logs.add('a', 'last');
  logs.close();
  logs.add('a', 'late');
  const file = join(directory, 'a.log');
  await until(() => readFileSync(file, 'utf8') === 'last\n');
  if (process.platform === 'linux') await until(() => !openFiles().includes(file));
  assert.equal(readFileSync(file, 'utf8'), 'last\n');
  assert.deepEqual(logs.recent('a'), ['last', 'late']);
});

/** Paths that this process has open. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [readlinkSync(join('/proc/self/fd', descriptor))];
    } catch {
      // It was closed in between.
      return [];
    }
  });
}

test('a folder or file that cannot be written is refused with a remedy', (context) => {
  const directory = directoryOf(context);
  writeFileSync(join(directory, 'file'), '');
  assert.throws(
    () => new ChildLogs(join(directory, 'file', 'below')),
    /cannot write logs to .*below \(ENOTDIR\): choose a directory .* --log-dir/,
  );
  const logs = new ChildLogs(join(directory, 'file'));
  assert.throws(() => logs.open('a'), /cannot write logs to .*a\.log \(ENOTDIR\)/);
});
