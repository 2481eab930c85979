// Clients and command lines as people have them, each a small program of its own: clients/*.py.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const folder = join(import.meta.dirname, 'clients');
const root = join(import.meta.dirname, '..', '..', '..');
/** Status of a case that lacks a program, such as Helm. */
const couldNotRun = 2;

const cases = readdirSync(folder).filter((name) => name.endsWith('.py') && name !== 'lib.py');

test('there are cases', () => {
  assert.ok(cases.length > 20, `${cases.length}`);
});

test('each case is right', { concurrency: 2 }, async (t) => {
  await Promise.all(
    cases.map((name) =>
      t.test(name, async (t) => {
        const { status, text } = await runCase(name);
        if (status === couldNotRun) t.skip(text);
        else assert.equal(status, 0, text);
      }),
    ),
  );
});

function runCase(name: string): Promise<{ readonly status: number; readonly text: string }> {
  const env = { ...process.env, NODE: process.execPath, PYTHONDONTWRITEBYTECODE: '1' };
  return new Promise((resolve) => {
    execFile('python3', [join(folder, name), root], { env, timeout: 240_000 }, (error, out, err) =>
      resolve({
        status: error === null ? 0 : Number(error.code ?? 1),
        text: `${out}${err}`.trim().slice(-2_000),
      }),
    );
  });
}
