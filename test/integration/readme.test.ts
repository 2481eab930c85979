// What the README prints is what the program prints.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadTrace } from '../../src/io/traces/index.ts';
import { inTerminal, noTerminal } from '../support/terminal.ts';
import { UpProcess } from '../support/up-process.ts';

const root = join(import.meta.dirname, '..', '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);

/** Lines of a terminal, without progress that was drawn over. */
function linesOf(screen: string): string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the code that erases a line
  const kept = screen.replace(/\r\x1b\[2K(?:simulating \d+ %)?/g, '');
  return kept.split('\r\n').map((line) => line.trimEnd());
}

const shown = blocks.filter((block) => block.startsWith('$ '));

test('the README shows commands with what they print', () => {
  assert.ok(shown.length > 0);
});

for (const block of shown) {
  const [first = '', ...expected] = block.trimEnd().split('\n');
  test(`the README shows what ${first.slice(2)} prints`, { skip: noTerminal }, async () => {
    const launcher = `${process.execPath} ${join(root, 'bin', 'spillway.mjs')}`;
    const command = first.slice(2).replace(/^spillway/, launcher);
    const { screen } = await inTerminal(`cd ${root}; ${command}`);
    // "…" stands for the rest.
    const isCut = expected.at(-1) === '…';
    const lines = isCut ? expected.slice(0, -1) : expected;
    assert.deepEqual(linesOf(screen).slice(0, isCut ? lines.length : undefined), lines);
  });
}

test('the README shows what up prints when it can serve', async (context) => {
  const block = blocks.find((text) => text.includes('ready: http')) ?? '';
  const lines = block.slice(block.indexOf('starting '));
  const up = await UpProcess.start([]);
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  await up.until(() => /^for await .*\n/m.test(up.stdout));
  const printed = up.stdout.replaceAll(`:${up.port}`, ':8000');
  assert.equal(printed.slice(0, lines.length), lines);
});

test('the README says how long its replay takes, and how many requests fail for which reason', async () => {
  const [, file = '', speed = ''] =
    /bench replay --trace (\S+) --speed ([\d.]+)/.exec(readme) ?? [];
  const { requests } = await loadTrace(join(root, file), {});
  const tokensMax = 40_960;
  const tooLong = requests.filter(
    ({ promptTokens, outputTokens }) => promptTokens + outputTokens > tokensMax,
  ).length;
  const minutes = Math.round((requests.at(-1)?.arrivalSeconds ?? 0) / Number(speed) / 60);
  const count = (value: number) => value.toLocaleString('en-US');
  const sentence =
    `takes ${minutes} minutes, and the server rejects ${tooLong} of the ${count(requests.length)} requests, ` +
    `whose prompts and responses exceed the model's ${count(tokensMax)} tokens`;
  assert.ok(readme.replace(/\s+/g, ' ').includes(sentence), sentence);
});
