// systemd hands each argument of a unit to its program as it is.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { unitText } from '../../../src/core/bare-metal/unit-file.ts';
import { hostileTexts } from '../../support/hostile-texts.ts';

const [host = '', port = ''] = (process.env['HOSTS'] ?? '').split(',')[0]?.split(':') ?? [];

test('a program gets hostile words as they are', () => {
  const program = 'printf "%s\\0" "$@" > /var/cache/spillway-words/out; exec sleep 600';
  const text = unitText({
    ...{ description: hostileTexts.join(' '), environmentFile: '-/dev/null', stopSeconds: 1 },
    command: ['/bin/sh', '-c', program, 'sh', ...hostileTexts],
    cacheDirectory: 'spillway-words',
  });
  const script = [
    `echo ${Buffer.from(text).toString('base64')} | base64 -d > /etc/systemd/system/spillway-words.service`,
    'systemctl daemon-reload && systemctl start spillway-words && sleep 2',
    'base64 -w0 < /var/cache/spillway-words/out',
    'systemctl stop spillway-words; rm -f /etc/systemd/system/spillway-words.service; systemctl daemon-reload',
  ].join('\n');
  const { stdout, stderr } = spawnSync('ssh', ['-o', 'BatchMode=yes', '-p', port, host, 'sh -s'], {
    ...{ input: script, encoding: 'utf8' },
  });
  const words = Buffer.from(stdout, 'base64').toString('utf8').split('\0').slice(0, -1);
  assert.deepEqual(words, hostileTexts, stderr);
});
