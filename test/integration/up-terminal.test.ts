// The live view in a real terminal, by util-linux' `script`, which every Debian has.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePorts } from '../../src/io/processes/index.ts';

const launcher = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');
const hasScript = /util-linux/.test(spawnSync('script', ['--version']).stdout?.toString() ?? '');

test('in a terminal the picture is drawn over itself, and q stops and gives the cursor back', {
  skip: hasScript ? false : 'util-linux script is not here',
}, async () => {
  const [port] = await freePorts(1);
  const command = `stty rows 30 cols 100; ${process.execPath} ${launcher} up --engines 2 --port ${port}`;
  const terminal = spawn('script', ['-qefc', command, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm', LC_ALL: 'C.UTF-8', NO_COLOR: '' },
  });
  let screen = '';
  terminal.stdout.setEncoding('utf8');
  terminal.stdout.on('data', (text: string) => {
    screen += text;
    // Two pictures, the second over the first: then it lives.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: cursor codes are what is looked for
    if (/live[\s\S]*\x1b\[\d+A[\s\S]*live/.test(screen) && !terminal.stdin.writableEnded) {
      terminal.stdin.end('q');
    }
  });
  const [status] = await once(terminal, 'close');
  assert.equal(status, 0, screen);
  assert.match(screen, /ready: http:\/\/127\.0\.0\.1:\d+\/v1\r\n/);
  assert.match(screen, /qwen3-8b-2 .*live/);
  assert.ok(screen.lastIndexOf('\x1b[?25h') > screen.lastIndexOf('\x1b[?25l'), 'cursor shown');
  assert.match(screen, /stopped\r\n/);
});
