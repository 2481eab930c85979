import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { InputError } from '../../core/base/index.ts';
import { KeyFile } from './index.ts';

function fileOf(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-keys-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'keys');
  writeFileSync(path, text);
  return path;
}

function optionsOf(path: string) {
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  return { path, name: '--api-key-file', log: { info: note, warning: note }, pollMs: 5, lines };
}

test('each line is a key, but for comments and empty ones', async (t) => {
  const keys = await KeyFile.open(optionsOf(fileOf(t, '# of team a\nsk-1\r\n\n  sk-2  \n')));
  const given = ['sk-1', 'sk-2', 'sk-3', '', '# of team a', 'sk-1\n'];
  assert.deepEqual(
    given.map((key) => keys.isRight(key)),
    [true, true, false, false, false, false],
  );
});

test('new keys take effect while it runs; a file that is wrong leaves the last ones', async (t) => {
  const path = fileOf(t, 'old\n');
  const options = optionsOf(path);
  const keys = await KeyFile.open(options);
  keys.follow();
  t.after(() => keys.stop());
  const until = async (holds: () => boolean) => {
    for (let i = 0; i < 2_000 && !holds(); i++) await sleep(5);
    assert.ok(holds(), options.lines.join('\n'));
  };
  writeFileSync(path, 'old\nnew\n');
  await until(() => keys.isRight('new') && keys.isRight('old'));
  writeFileSync(path, 'new\n');
  await until(() => !keys.isRight('old'));
  writeFileSync(path, '\n');
  await until(() =>
    options.lines.some((line) => /has no key.*The last keys stay in use/.test(line)),
  );
  assert.equal(keys.isRight('new'), true);
  rmSync(path);
  await until(() => options.lines.some((line) => /no such file.*The last keys stay/.test(line)));
  assert.equal(keys.isRight('new'), true);
  assert.equal(
    options.lines.some((line) => /\b(old|new)$/.test(line)),
    false,
    'no key is logged',
  );
});

test('a file without usable keys is refused in a sentence that shows none', async (t) => {
  const cases = [
    ['', /^--api-key-file: .* has no key; write one a line\.$/],
    ['good\nwith space\n', /^--api-key-file: line 2 of .* is no key: /],
    ['k\n'.repeat(101), /has 101 keys; at most 100 are taken\.$/],
    ['x'.repeat(65_537), /cannot be read: it is larger than 65536 bytes\.$/],
  ] as const;
  for (const [text, message] of cases) {
    const isRefusal = (error: unknown) =>
      error instanceof InputError &&
      message.test(error.message) &&
      !/with space/.test(error.message);
    await assert.rejects(KeyFile.open(optionsOf(fileOf(t, text))), isRefusal);
  }
  await assert.rejects(KeyFile.open(optionsOf('/no/such/file')), /no such file/);
});
