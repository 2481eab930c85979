// The live view in a real terminal, by util-linux' `script`, which every Debian has.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePorts } from '../../src/io/processes/index.ts';
import { until } from '../support/until.ts';

const launcher = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');
const hasScript = /util-linux/.test(spawnSync('script', ['--version']).stdout?.toString() ?? '');

// biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes
const colours = /\x1b\[[\d;]*m/g;

/** `spillway up` in a terminal of 30 rows and 100 columns. */
async function inTerminal(environment: Readonly<Record<string, string>> = {}) {
  const [port] = await freePorts(1);
  const command = `stty rows 30 cols 100; exec ${process.execPath} ${launcher} up --engines 2 --port ${port}`;
  const terminal = spawn('script', ['-qefc', command, '/dev/null'], {
    env: {
      ...process.env,
      SHELL: '/bin/sh',
      TERM: 'xterm',
      LC_ALL: 'C.UTF-8',
      NO_COLOR: '',
      ...environment,
    },
  });
  let screen = '';
  let read = 0;
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
  });
  return {
    url: `http://127.0.0.1:${port}`,
    closed: once(terminal, 'close') as Promise<[number | null]>,
    screen: () => screen,
    /** Waits for output since the last call that matches, colours aside. */
    async shows(pattern: RegExp): Promise<void> {
      await until(() => pattern.test(screen.slice(read).replace(colours, '')));
      read = screen.length;
    },
    press(keys: string): void {
      terminal.stdin.write(keys);
    },
  };
}

test('in a terminal the live view is redrawn in place, and q stops the stack and restores the cursor', {
  skip: hasScript ? false : 'util-linux script is not here',
}, async () => {
  const terminal = await inTerminal();
  // Two frames, the second over the first.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: cursor codes are what is looked for
  await terminal.shows(/live[\s\S]*\x1b\[\d+A[\s\S]*live/);
  terminal.press('q');
  const [status] = await terminal.closed;
  const screen = terminal.screen();
  assert.equal(status, 0, screen);
  assert.match(screen, /ready: http:\/\/127\.0\.0\.1:\d+\/v1\r\n/);
  assert.match(screen, /qwen3-8b-2 .*live/);
  assert.match(screen, /predictive · emulated · /);
  assert.ok(screen.lastIndexOf('\x1b[?25h') > screen.lastIndexOf('\x1b[?25l'), 'cursor shown');
  assert.match(screen, /stopped\r\n/);
});

test('in the live view, keys sort, select an engine with its log, requests and picks, and open the page', {
  skip: hasScript ? false : 'util-linux script is not here',
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-terminal-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const [browser, opened] = [join(directory, 'browser'), join(directory, 'opened')];
  writeFileSync(browser, `#!/bin/sh\necho "$1" > "${opened}"\n`);
  chmodSync(browser, 0o755);
  const terminal = await inTerminal({ BROWSER: browser });
  await terminal.shows(/qwen3-8b-2 .*live/);
  const response = await fetch(`${terminal.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': 'from-the-test' },
    body: JSON.stringify({
      ...{ model: 'Qwen/Qwen3-8B', max_tokens: 4, stream: true },
      messages: [{ role: 'user', content: 'Hello' }],
    }),
  });
  await response.text();
  const name = response.headers.get('x-spillway-engine-name') ?? '';
  terminal.press('s');
  await terminal.shows(/s sort: name/);
  terminal.press('?');
  await terminal.shows(/select an engine[\s\S]*open the page in the browser/);
  terminal.press('x');
  terminal.press(name.endsWith('2') ? 'jj' : 'j');
  await terminal.shows(new RegExp(`▸ ${name} `));
  terminal.press('\r');
  await terminal.shows(new RegExp(`${name} · http://\\S+ · Qwen/Qwen3-8B · live · emulated`));
  await terminal.shows(/\[1 log\][\s\S]*Qwen3-8B/);
  terminal.press('2');
  await terminal.shows(/\[2 requests\][\s\S]*200 .* from-the-test/);
  terminal.press('3');
  await terminal.shows(/\[3 picks\][\s\S]*prompt +cached +why/);
  terminal.press('o');
  await terminal.shows(/opened http:\/\/127\.0\.0\.1:\d+\//);
  assert.equal(readFileSync(opened, 'utf8'), `${terminal.url}/\n`);
  terminal.press('\x03');
  const [status] = await terminal.closed;
  assert.equal(status, 0, terminal.screen());
});
