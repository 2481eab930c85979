// The files for CI and the guides that users copy from: each command of Spillway in them is one that this version accepts.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { commands } from '../../src/cli/commands.ts';

const root = join(import.meta.dirname, '..', '..');
const folder = join(root, 'docs', 'ci');
const guides = join(root, 'docs', 'guide');

for (const file of ['github-actions.yml', 'gitlab-ci.yml']) {
  test(`${file} has only commands that the command line accepts`, async () => {
    const lines = scriptsOf(parse(readFileSync(join(folder, file), 'utf8'))).flatMap((script) =>
      script.split(/\n|&&/).map((line) => line.trim()),
    );
    const ours = lines.filter((line) => line.startsWith('spillway '));
    const used = ours.map((line) => wordsOf(line)[1]);
    for (const step of ['plan', 'doctor', 'deploy', 'compare', 'gate']) {
      assert.ok(used.includes(step), `${file} has no step ${step}`);
    }
    for (const line of ours) await assertAccepted(line);
  });
}

test('a command with an unknown flag, or without one that it needs, is noticed', async () => {
  for (const line of ['spillway smoke --targets kind', 'spillway deploy -n llm', 'spillway none']) {
    await assert.rejects(assertAccepted(line), line);
  }
});

for (const page of globSync(['README.md', 'docs/{guide,models}/*.md'], { cwd: root })) {
  const text = readFileSync(join(root, page), 'utf8');
  const ours = [...commandsOf(text), ...(isClusterGuide(page) ? inlineOf(text) : [])];
  if (ours.length === 0) continue;
  test(`${page} has only commands that the command line accepts`, async () => {
    for (const line of ours) await assertAccepted(line);
  });
}

test('the messages in troubleshooting.md are those of the program', () => {
  const source = globSync('src/**/*.ts', { cwd: root })
    .filter((file) => !file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');
  const rows = readFileSync(join(guides, 'troubleshooting.md'), 'utf8').matchAll(
    /^\| ([^|]+) \|/gm,
  );
  const quoted = [...rows].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, one = '']) => one),
  );
  const messages = quoted.filter((one) => one.includes(' '));
  assert.ok(messages.length > 30);
  const unknown = messages.filter(
    (one) =>
      !one.startsWith('spillway ') &&
      one.split('…').some((piece) => !source.includes(piece.trim())),
  );
  assert.deepEqual(unknown, []);
});

test('the values files and the workload that they name are valid', async () => {
  for (const args of [
    ['config', 'validate', '--for', 'kubernetes', '-f', join(folder, 'values.yaml')],
    ['plan', '-f', join(folder, 'plan.yaml'), '--json'],
    ['config', 'validate', '--for', 'kubernetes', '-f', join(guides, 'clusters', 'embedded.yaml')],
    ['config', 'validate', '--for', 'kubernetes', '-f', join(guides, 'clusters', 'gpu.yaml')],
    [
      ...['config', 'validate', '--for', 'kubernetes', '-f', join(guides, 'clusters', 'gpu.yaml')],
      ...['-f', join(guides, 'clusters', 'aks.yaml')],
    ],
  ]) {
    await promisify(execFile)(process.execPath, ['bin/spillway.mjs', ...args], { timeout: 60_000 });
  }
});

/** Lines of code blocks that begin with `spillway`, or `npm start` with flags; not those that leave something out. */
function commandsOf(text: string): readonly string[] {
  const blocks = [...text.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);
  return blocks
    .flatMap((block) => block.replaceAll(/ *\\\n */g, ' ').split(/\n|&&/))
    .map((line) =>
      line
        .trim()
        .replace(/^\$ /, '')
        .replace(/^npm start -- /, 'spillway up '),
    )
    .filter((line) => line.startsWith('spillway ') && !/…| --help\b/.test(line));
}

/** Pages whose text names commands with all flags that they need. */
function isClusterGuide(page: string): boolean {
  return /\b(clusters|quick-start|troubleshooting)\.md$/.test(page);
}

function inlineOf(text: string): readonly string[] {
  return [...text.matchAll(/`(spillway [^`\n]* -[^`\n]*)`/g)].map(([, one = '']) => one);
}

/** Texts below `run`, `script` and `after_script`, anywhere. */
function scriptsOf(value: unknown, isScript = false): readonly string[] {
  if (typeof value === 'string') return isScript ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((one) => scriptsOf(one, isScript));
  return Object.entries(value).flatMap(([key, inner]) =>
    scriptsOf(inner, /^(run|script|after_script)$/.test(key)),
  );
}

/** Words of a shell line up to a redirection or `&`, without quotes. */
function wordsOf(line: string): readonly string[] {
  const words = line.match(/(?:"[^"]*"|[^\s"])+/g) ?? [];
  const end = words.findIndex((word) => /^(>>?|&|\||#)/.test(word));
  const kept = end < 0 ? words : words.slice(0, end);
  return kept.map((word) => word.replaceAll('"', ''));
}

/** Parses a line as the command line does, without doing anything. */
async function assertAccepted(line: string): Promise<void> {
  const [, name = '', ...args] = wordsOf(line);
  const entry = commands[name];
  assert.ok(entry, `${line}: no such command`);
  const command = idle(await entry.load());
  // Addresses in variables are given as any address.
  const values = args.map((word) => (/^\$\w+$/.test(word) ? 'http://127.0.0.1:9090' : word));
  await command.parseAsync(values, { from: 'user' });
}

function idle(command: Command): Command {
  for (const subcommand of command.commands) idle(subcommand);
  // A group without an action of its own refuses words that name none of its commands.
  const isGroup = Reflect.get(command, '_actionHandler') === null;
  command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  return isGroup ? command : command.action(() => {});
}
