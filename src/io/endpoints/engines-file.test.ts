// Behaviour particular to a file: its schema, and the errors for an invalid one.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ManualWait } from '../../../test/support/manual-wait.ts';
import { enginesFile } from './engines-file.ts';

const log = { info() {}, warning() {} };

test('a file lists engines with, optionally, their models and names', async (t) => {
  const text =
    'engines:\n  - url: http://a:8000/\n  - {url: https://b/base, models: [m, k], name: b-1}\n';
  assert.deepEqual(await firstOf(t, text), [
    { kind: 'added', endpoint: { url: 'http://a:8000', models: [] } },
    { kind: 'added', endpoint: { url: 'https://b/base', models: ['m', 'k'], name: 'b-1' } },
  ]);
});

test('the error of an invalid file at the start names line and key', async (t) => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    [
      'engines:\n  - url: ftp://a\n',
      /engines\.yaml:2:\d+: engines\[0\]\.url "ftp:\/\/a" is not an engine URL; it must look like/,
    ],
    ['engines:\n  - url: http://a\n    modles: [m]\n', /engines\.yaml:3:\d+: .*modles/],
    [
      'engines:\n  - {url: http://a, name: x}\n  - url: http://b\n    name: x\n',
      /engines\.yaml:4:\d+: engines\[1\]\.name: two engines have the name "x"/,
    ],
    [
      'engines:\n  - url: http://b\n    name: a b\n',
      /engines\.yaml:3:\d+: engines\[0\]\.name: "a b" has a character that names cannot have/,
    ],
    ['engines: [\n', /engines\.yaml:\d+:\d+: not valid YAML/],
    [
      'engines:\n  - url: http://a\n  - url: http://a/\n',
      /engines\.yaml:3:\d+: engines\[1\]\.url: engine http:\/\/a is listed twice/,
    ],
  ];
  for (const [text, message] of wrong) {
    await assert.rejects(firstOf(t, text), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'ERR_INPUT');
      assert.match(error.message, message);
      return true;
    });
  }
});

test('a file that is still being written is not applied', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-engines-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'engines.yaml');
  const wait = new ManualWait();
  const lines: string[] = [];
  const keep = (line: string) => {
    lines.push(line);
  };
  await writeFile(path, 'engines:\n  - url: http://a\n  - url: http://b\n');
  const source = enginesFile({ path, log: { info: keep, warning: keep }, wait: wait.wait });
  const stop = new AbortController();
  t.after(() => stop.abort());
  const iterator = source.changes(stop.signal)[Symbol.asyncIterator]();
  await iterator.next();
  const change = iterator.next();
  for (const text of [
    '',
    'engines:\n  - url: http://a\n',
    'engines:\n  - url: http://a\n  - url: http://c\n',
  ]) {
    await wait.asked();
    await writeFile(path, text);
    await wait.pass();
  }
  await wait.pass();
  assert.deepEqual((await change).value, [
    { kind: 'removed', url: 'http://b' },
    { kind: 'added', endpoint: { url: 'http://c', models: [] } },
  ]);
  assert.deepEqual(lines, []);
});

test('a missing file is an error at the start', async () => {
  const source = enginesFile({ path: '/no/such/engines.yaml', log });
  const first = source.changes(new AbortController().signal)[Symbol.asyncIterator]().next();
  await assert.rejects(first, /^InputError: \/no\/such\/engines\.yaml: no such file/);
});

async function firstOf(t: TestContext, text: string) {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-engines-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'engines.yaml');
  await writeFile(path, text);
  const iterator = enginesFile({ path, log }).changes(new AbortController().signal);
  return (await iterator[Symbol.asyncIterator]().next()).value;
}
