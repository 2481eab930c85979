// What other users of the machine see of the keys of a stack: its processes in a list.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { respond, startScriptedEngine } from '../support/scripted-engine.ts';
import { UpProcess } from '../support/up-process.ts';

test('no process of "up" has a key or a password on its command line, and all are used', async (t) => {
  const authorization = `Basic ${btoa('ann:s3cret')}`;
  const remote = await startScriptedEngine({
    ...{ models: ['remote'], authorization },
    onRequest: ({ socket }) => respond(socket, 200, '{"object":"chat.completion"}'),
  });
  t.after(() => remote.close());
  const folder = mkdtempSync(join(tmpdir(), 'up-secrets-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'values.yaml');
  const own = { name: 'own', modelURL: 'Qwen/Qwen3-8B', replicaCount: 1 };
  const urls = [`${remote.url.replace('//', '//ann:s3cret@')}/v1`];
  const values = {
    servingEngineSpec: {
      modelSpec: [
        { ...own, vllmConfig: { extraArgs: ['--api-key', 's3cret-of-engines'] } },
        { name: 'remote', modelURL: 'remote', urls },
      ],
    },
    routerSpec: { extraArgs: ['--api-key=s3cret-of-clients'] },
  };
  writeFileSync(file, JSON.stringify(values));
  const up = await UpProcess.start(['-f', file, '--json', '--log-dir', folder]);
  t.after(() => up.end('SIGKILL'));
  await up.ready();
  const list = execFileSync('ps', ['-axww', '-o', 'pid=,args='], { encoding: 'utf8' });
  const pids = new Set([up.process.pid, ...up.pids.values()].map(String));
  const shown = list.split('\n').filter((line) => pids.has(line.trim().split(' ', 1)[0] ?? ''));
  assert.equal(shown.length, 3, list);
  assert.doesNotMatch(shown.join('\n'), /s3cret/);

  const post = (model: string, key: string) =>
    fetch(`${up.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ model, messages: [{ role: 'user', content: 'x' }], max_tokens: 1 }),
    });
  assert.equal((await post('Qwen/Qwen3-8B', 'none')).status, 401);
  for (const model of ['Qwen/Qwen3-8B', 'remote']) {
    assert.equal((await post(model, 's3cret-of-clients')).status, 200, model);
  }
  assert.ok(remote.received.every(({ headers }) => headers.get('authorization') === authorization));
  await up.end('SIGTERM');
  const logs = readdirSync(folder)
    .filter((name) => name !== 'values.yaml')
    .map((name) => readFileSync(join(folder, name), 'utf8'));
  assert.doesNotMatch([up.stdout, up.stderr, ...logs].join('\n'), /s3cret/);
});

test('the variable with the URLs of engines is for engines of the list, and has credentials', () => {
  for (const [given, said] of [
    ['http://ann:s3cret@other:1', /SPILLWAY_ENGINE_URLS has http:\/\/other:1, which is no engine/],
    ['http://a:1', /SPILLWAY_ENGINE_URLS has http:\/\/a:1, without a user and a password/],
  ] as const) {
    assert.throws(
      () =>
        execFileSync(
          process.execPath,
          ['bin/spillway.mjs', 'router', '--static-backends', 'http://a:1'],
          {
            ...{ stdio: 'pipe', encoding: 'utf8' },
            env: { ...process.env, SPILLWAY_ENGINE_URLS: given },
          },
        ),
      (error: Error & { stderr?: string; status?: number }) =>
        error.status === 2 && said.test(error.stderr ?? '') && !/s3cret/.test(error.stderr ?? ''),
    );
  }
});
