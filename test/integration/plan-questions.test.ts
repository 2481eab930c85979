// The questions of `spillway plan` in a real terminal, by util-linux' `script`.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'yaml';

const launcher = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');
const hasScript = /util-linux/.test(spawnSync('script', ['--version']).stdout?.toString() ?? '');
const directory = mkdtempSync(join(tmpdir(), 'spillway-questions-'));
after(() => rmSync(directory, { recursive: true }));

/** Types an answer to each question as it is asked; a question ends with its default in brackets. */
async function terminal(
  file: string,
  answer: (question: string) => string,
): Promise<{ readonly status: number; readonly screen: string; readonly asked: string[] }> {
  const command = `stty -echo; ${process.execPath} ${launcher} plan --save ${file}`;
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    env: { ...process.env, TERM: 'dumb', LC_ALL: 'C.UTF-8' },
  });
  let screen = '';
  const asked: string[] = [];
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text: string) => {
    screen += text;
    const questions = [...screen.matchAll(/([A-Z][^\n\r]*?) \[[^\]]*\]: /g)].map(([all]) => all);
    for (const question of questions.slice(asked.length)) {
      asked.push(question);
      child.stdin.write(answer(question));
    }
  });
  const [status] = (await once(child, 'close')) as [number];
  return { status, screen, asked };
}

const skip = hasScript ? false : 'util-linux script is not here';

test('on a terminal a plan asks, takes defaults for empty answers, and saves what it was told', {
  skip,
}, async () => {
  const file = join(directory, 'answers.yaml');
  let tries = 0;
  const { status, screen, asked } = await terminal(file, (question) => {
    if (question.includes('Tokens of a prompt')) return tries++ === 0 ? 'many\r' : '800\r';
    if (question.includes('Requests in flight')) return '8\r';
    if (question.includes('Engines, or choose')) return '2\r';
    return '\r';
  });
  assert.equal(status, 0, screen);
  assert.match(screen, /workload\.promptTokens must be a number .*not a text\./);
  const saved = parse(readFileSync(file, 'utf8'));
  assert.deepEqual(
    [saved.workload.promptTokens, saved.workload.concurrency, saved.fleet.engines],
    [800, 8, 2],
  );
  assert.deepEqual([saved.fleet.gpu, saved.operations.kubernetes], ['H100-80GB', true]);
  assert.ok(
    asked.every((question) => /\(.+\)/.test(question)),
    'each says why it is asked',
  );
  assert.match(screen, /# Plan: vLLM production stack, no offload, 2 × Qwen\/Qwen3-8B/);
  assert.match(screen, /Not on the table \(short-prompts-low-concurrency\)/);
  assert.match(screen, /simulating \d+ %/);
});

test('Ctrl-C at a question ends the program and writes nothing', { skip }, async () => {
  const file = join(directory, 'none.yaml');
  const { status } = await terminal(file, () => '\x03');
  assert.notEqual(status, 0);
  assert.equal(existsSync(file), false);
});
