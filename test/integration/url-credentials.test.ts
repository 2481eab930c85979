// Credentials in URLs of the command line: they are used, and are in no output, no file and no error.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { scriptedOpenai } from '../support/scripted-openai.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-credentials-'));
after(() => rmSync(folder, { recursive: true }));

function run(...args: readonly string[]) {
  return new Promise<{ status: number; output: string }>((resolve) => {
    execFile(process.execPath, ['bin/spillway.mjs', ...args], (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
  });
}

test('a benchmark uses the credentials of its URL and writes them nowhere', async (t) => {
  const server = await scriptedOpenai({ gapMs: 1 });
  t.after(() => server.close());
  const url = server.url.replace('//', '//ann:s3cret@');
  const file = (name: string) => join(folder, name);
  const { status, output } = await run(
    ...['bench', 'serve', '--url', url, '--num-prompts', '2', '--random-input-len', '9'],
    ...['--random-output-len', '2', '--num-warmups', '0', '--json', file('result.json')],
    ...['--run-dir', file('runs'), '--html', file('page.html'), '--csv', file('requests.csv')],
  );
  assert.equal(status, 0, output);
  assert.equal(server.requests[0]?.authorization, `Basic ${btoa('ann:s3cret')}`);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  assert.ok(files.length > 4, `${files.length} files`);
  const texts = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'));
  for (const text of [output, ...texts]) assert.doesNotMatch(text, /s3cret|YW5uOnMzY3JldA/);
  const result = JSON.parse(readFileSync(file('result.json'), 'utf8'));
  assert.equal(result.environment.engines[0].url, server.url);
});

test('a URL that cannot be used is refused without its credentials', async () => {
  const wrong = 'htp://ann:s3cret@host';
  const commands = [
    ['bench', 'serve', '--base-url', wrong],
    ['up', '--engine', wrong],
    ['router', '--static-backends', wrong],
    ['gate', '--prometheus', wrong],
    ['cache', 'check', wrong],
  ];
  const outcomes = await Promise.all(commands.map((args) => run(...args)));
  for (const [i, { status, output }] of outcomes.entries()) {
    assert.equal(status, 2, `${commands[i]}: ${output}`);
    assert.match(output, /htp:\/\/host/);
    assert.doesNotMatch(output, /s3cret/);
  }
});
