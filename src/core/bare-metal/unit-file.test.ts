import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostileTexts } from '../../../test/support/hostile-texts.ts';
import { environmentText } from './environment-file.ts';
import { unitText } from './unit-file.ts';

const unit = {
  description: 'qwen-1',
  command: ['/usr/bin/vllm', 'serve'] as [string, ...string[]],
  environmentFile: '/etc/spillway/vllm/a.env',
  stopSeconds: 30,
  cacheDirectory: 'spillway-vllm_a',
};

test('arguments reach the program as they are: spaces, quotes, percent signs, dollars and JSON', () => {
  const command: [string, ...string[]] = [
    ...unit.command,
    'a b',
    '{"x": "$y"}',
    '100%',
    "it's",
    'back\\slash',
  ];
  const line = unitText({ ...unit, command })
    .split('\n')
    .find((one) => one.startsWith('ExecStart='));
  assert.equal(
    line,
    'ExecStart=/usr/bin/vllm serve "a b" "{\\"x\\": \\"$$y\\"}" 100%% "it\'s" "back\\\\slash"',
  );
});

test('no text gives a unit another line: hostile words and descriptions', () => {
  const settingsOf = (text: string) => text.split('\n').map((line) => line.split('=')[0]);
  for (const text of hostileTexts) {
    const command: [string, ...string[]] = ['/usr/bin/vllm', text, '--name', text];
    const hostile = unitText({
      ...unit,
      description: text,
      command,
      before: command,
      stop: command,
    });
    const plain = unitText({ ...unit, before: unit.command, stop: unit.command });
    assert.deepEqual(settingsOf(hostile), settingsOf(plain), text);
    assert.doesNotMatch(hostile, /\\\n/, text);
  }
});

test('a service has a user of its own and may write to its cache only', () => {
  const text = unitText(unit);
  for (const line of [
    'DynamicUser=yes',
    'ProtectSystem=strict',
    'NoNewPrivileges=yes',
    'CacheDirectory=spillway-vllm_a',
  ]) {
    assert.ok(text.includes(`${line}\n`), line);
  }
});

test('a container engine runs as root, and removes the container of the run before', () => {
  const text = unitText({
    ...unit,
    cacheDirectory: undefined,
    before: ['/usr/bin/podman', 'rm', '--force', 'a'],
    stop: ['/usr/bin/podman', 'stop', 'a'],
  });
  assert.match(text, /^ExecStartPre=-\/usr\/bin\/podman rm --force a$/m);
  assert.match(text, /^ExecStop=\/usr\/bin\/podman stop a$/m);
  assert.ok(!text.includes('DynamicUser'));
});

test('variables are quoted for systemd, and not for containers', () => {
  const variables = { HF_TOKEN: 'a"b$c', EMPTY: '' };
  assert.equal(environmentText(variables, false), 'HF_TOKEN="a\\"b\\$c"\nEMPTY=""\n');
  assert.equal(environmentText(variables, true), 'HF_TOKEN=a"b$c\nEMPTY=\n');
});

test('a value with a line break, which would add variables, is refused', () => {
  assert.throws(() => environmentText({ A: 'x\nLD_PRELOAD=/tmp/x.so' }, true), {
    code: 'ERR_INPUT',
  });
  assert.throws(() => environmentText({ 'A=B': 'x' }, false), { code: 'ERR_INPUT' });
});
