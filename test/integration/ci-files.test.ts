// The files for CI that users copy: each command of Spillway in them is one that this version accepts.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { commands } from '../../src/cli/commands.ts';

const folder = join(import.meta.dirname, '..', '..', 'docs', 'ci');

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

test('the values file and the workload beside them are valid', async () => {
  for (const args of [
    ['config', 'validate', '-f', join(folder, 'values.yaml')],
    ['plan', '-f', join(folder, 'plan.yaml'), '--json'],
  ]) {
    await promisify(execFile)(process.execPath, ['bin/spillway.mjs', ...args], { timeout: 60_000 });
  }
});

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
  const end = words.findIndex((word) => /^(>>?|&|\|)/.test(word));
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
  const isGroup = command.commands.length > 0;
  command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  return isGroup ? command : command.action(() => {});
}
