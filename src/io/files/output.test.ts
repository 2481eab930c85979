import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { appendOutput, checkOutput, checkOutputs, writeOutput, writeOutputs } from './output.ts';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-output-'));
  t.after(() => {
    chmodSync(folder, 0o700);
    rmSync(folder, { recursive: true });
  });
  return folder;
}

const isRoot = process.getuid?.() === 0;

test('a file is written whole, and nothing else is left in its folder', async (t) => {
  const folder = folderOf(t);
  const file = join(folder, 'result.json');
  await writeOutput(file, 'result', '{}\n');
  await writeOutput(file, 'result', '{"a":1}\n');
  assert.equal(readFileSync(file, 'utf8'), '{"a":1}\n');
  assert.deepEqual(readdirSync(folder), ['result.json']);
});

test('a program that ends while it writes leaves the old file, and nothing else', async (t) => {
  const folder = folderOf(t);
  const file = join(folder, 'result.json');
  writeFileSync(file, 'precious');
  const program = `
    import { readdirSync } from 'node:fs';
    import { writeOutput } from ${JSON.stringify(join(import.meta.dirname, 'output.ts'))};
    void writeOutput(${JSON.stringify(file)}, 'result', 'x'.repeat(2 ** 28));
    const wait = () => {
      if (readdirSync(${JSON.stringify(folder)}).length > 1) process.exit(3);
      setImmediate(wait);
    };
    wait();
  `;
  const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', program]);
  assert.equal(status, 3);
  assert.deepEqual(
    [readdirSync(folder), readFileSync(file, 'utf8')],
    [['result.json'], 'precious'],
  );
});

test('long lines of several programs do not mix', async (t) => {
  const file = join(folderOf(t), 'results.jsonl');
  const program = (letter: string) => `
    import { appendOutput } from ${JSON.stringify(join(import.meta.dirname, 'output.ts'))};
    const line = '${letter}'.repeat(3_000_000) + '\\n';
    for (let i = 0; i < 10; i++) await appendOutput(${JSON.stringify(file)}, 'result', line);
  `;
  const children = ['a', 'b', 'c'].map((letter) =>
    spawn(process.execPath, ['--input-type=module', '-e', program(letter)]),
  );
  const statuses = await Promise.all(children.map((child) => once(child, 'exit')));
  assert.deepEqual(statuses, [
    [0, null],
    [0, null],
    [0, null],
  ]);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  assert.equal(lines.length, 30);
  for (const line of lines) {
    assert.ok(line.length === 3_000_000 && line === line[0]?.repeat(line.length));
  }
});

test('a check changes nothing: neither contents nor time, and no file appears', async (t) => {
  const folder = folderOf(t);
  const file = join(folder, 'old.json');
  writeFileSync(file, 'precious');
  utimesSync(file, 1e9, 1e9);
  await checkOutput(file, 'result');
  await checkOutput(join(folder, 'new.json'), 'result');
  assert.deepEqual(readdirSync(folder), ['old.json']);
  assert.deepEqual([readFileSync(file, 'utf8'), statSync(file).mtimeMs], ['precious', 1e12]);
});

test('a file that cannot be written is refused in one sentence, before and after the work', async (t) => {
  const folder = folderOf(t);
  writeFileSync(join(folder, 'file'), '');
  const cases = [
    [folder, /: it is a folder, not a file\.$/],
    [join(folder, 'none', 'x'), /: there is no folder .*none\.$/],
    [join(folder, 'file', 'x'), /: it is a file, not a folder\.$/],
  ] as const;
  for (const [file, problem] of cases) {
    const isRefusal = (error: unknown) =>
      error instanceof InputError &&
      error.message.startsWith(`Cannot write the page to ${file}: `) &&
      problem.test(error.message);
    await assert.rejects(checkOutput(file, 'page'), isRefusal);
    await assert.rejects(writeOutput(file, 'page', 'x'), isRefusal);
  }
  await checkOutputs([{ file: undefined, what: 'page' }]);
});

test('what is not permitted is refused by the check', {
  skip: isRoot && 'root may do all',
}, async (t) => {
  const folder = folderOf(t);
  const file = join(folder, 'old');
  writeFileSync(file, 'precious', { mode: 0o400 });
  chmodSync(folder, 0o500);
  await assert.rejects(checkOutput(file, 'page'), /no permission/);
  await assert.rejects(checkOutput(join(folder, 'new'), 'page'), /no permission/);
});

test('in a folder that admits no second file, a file is overwritten in its place', {
  skip: isRoot && 'root may do all',
}, async (t) => {
  const folder = folderOf(t);
  const file = join(folder, 'old');
  writeFileSync(file, 'a long text of before');
  chmodSync(folder, 0o500);
  await writeOutput(file, 'page', 'short');
  assert.equal(readFileSync(file, 'utf8'), 'short');
});

test('a link stays a link, a mode stays, and what is no file is written to', async (t) => {
  const folder = folderOf(t);
  mkdirSync(join(folder, 'there'));
  const [target, link] = [join(folder, 'there', 'target'), join(folder, 'link')];
  writeFileSync(target, 'before');
  chmodSync(target, 0o664);
  symlinkSync(target, link);
  await writeOutput(link, 'page', 'after');
  assert.equal(lstatSync(link).isSymbolicLink(), true);
  assert.equal(readFileSync(target, 'utf8'), 'after');
  assert.equal(statSync(target).mode & 0o777, 0o664);
  await writeOutput('/dev/null', 'page', 'x');
  assert.equal(statSync('/dev/null').isCharacterDevice(), true);
});

test('of several files, one that fails keeps none of the others from being written', async (t) => {
  const folder = folderOf(t);
  const [first, last] = [join(folder, 'first'), join(folder, 'last')];
  const outputs = [
    { file: first, what: 'page', text: () => 'a' },
    { file: join(folder, 'none', 'x'), what: 'chart', text: () => 'b' },
    { file: undefined, what: 'rules', text: () => 'c' },
    { file: last, what: 'values', text: () => 'd' },
  ];
  await assert.rejects(writeOutputs(outputs), /^InputError: Cannot write the chart to /);
  assert.equal(readFileSync(first, 'utf8') + readFileSync(last, 'utf8'), 'ad');
});

test('a line is appended behind a last line without an end', async (t) => {
  const file = join(folderOf(t), 'results.jsonl');
  await appendOutput(file, 'result', '{"a":1}\n');
  writeFileSync(file, '{"a":1}\n{"b":2}');
  await appendOutput(file, 'result', '{"c":3}\n');
  assert.equal(readFileSync(file, 'utf8'), '{"a":1}\n{"b":2}\n{"c":3}\n');
});
