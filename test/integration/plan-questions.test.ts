// The questions of `spillway plan` in a real terminal, by util-linux' `script`.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'yaml';
import { ctrlC, ctrlD, inTerminal, noTerminal } from '../support/terminal.ts';

const launcher = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');
const directory = mkdtempSync(join(tmpdir(), 'spillway-questions-'));
after(() => rmSync(directory, { recursive: true }));

/** Types an answer to each question as it is asked; a question ends with its default in brackets. */
async function terminal(file: string, answer: (question: string) => string) {
  const asked: string[] = [];
  const run = await inTerminal(`stty -echo; ${process.execPath} ${launcher} plan --save ${file}`, {
    onOutput: (screen, type) => {
      const questions = screen.matchAll(/([A-Z][^\n\r]*?) \[[^\]]*\]: /g);
      for (const [question] of [...questions].slice(asked.length)) {
        asked.push(question);
        type(answer(question));
      }
    },
  });
  return { ...run, asked };
}

test('on a terminal a plan asks, takes defaults for empty answers, and saves the answers', {
  skip: noTerminal,
}, async () => {
  const file = join(directory, 'answers.yaml');
  let tries = 0;
  const { status, screen, asked } = await terminal(file, (question) => {
    if (question.includes('Mean prompt length')) return tries++ === 0 ? 'many\r' : '800\r';
    if (question.includes('Requests in flight')) return '8\r';
    if (question.includes('Number of engines')) return '2\r';
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
  assert.match(screen, /The plan stands\. Goodput/);
  assert.match(screen, /2 engines of 1 × H100-80GB: Qwen\/Qwen3-8B/);
  assert.match(
    screen,
    /Next +spillway plan .* -f \S+ --values plan\.yaml/,
    'the answers, not the questions again',
  );
  assert.match(screen, /Not an option \(short-prompts-low-concurrency\)/);
  assert.match(screen, /simulating \d+ %/);
});

for (const [name, key] of [
  ['Ctrl-C', ctrlC],
  ['Ctrl-D', ctrlD],
] as const) {
  test(`${name} at a question keeps the answers so far in a file that plan -f reads`, {
    skip: noTerminal,
  }, async () => {
    const file = join(directory, `${name}.yaml`);
    const kept = join(directory, `${name}.partial.yaml`);
    const { status, screen } = await terminal(file, (question) => {
      if (question.includes('Mean prompt length')) return '700\r';
      return question.includes('Requests in flight') ? key : '\r';
    });
    assert.equal(status, 130, screen);
    assert.doesNotMatch(screen, /\n +at |Error|Warning/);
    assert.equal(
      screen.trimEnd().split('\r\n').at(-1),
      `spillway: interrupted; 2 answers are in ${kept}: pass them with -f ${kept}, and the others as flags.`,
    );
    assert.equal(existsSync(file), false);
    assert.deepEqual(parse(readFileSync(kept, 'utf8')), {
      workload: { promptTokens: 700, outputTokens: 300 },
    });
    const again = spawnSync(process.execPath, [launcher, 'plan', '-f', kept, '--concurrency', '8']);
    assert.equal(again.status, 0, again.stderr.toString());
  });

  test(`${name} at the first question writes nothing`, { skip: noTerminal }, async () => {
    const file = join(directory, `${name}-first.yaml`);
    const { status, screen } = await terminal(file, () => key);
    assert.equal(status, 130, screen);
    assert.equal(
      screen.trimEnd().split('\r\n').at(-1),
      'spillway: interrupted; no answer was given.',
    );
    assert.equal(existsSync(join(directory, `${name}-first.partial.yaml`)), false);
  });
}
