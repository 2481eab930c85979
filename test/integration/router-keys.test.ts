// Who may use a router: keys in a file, which are exchanged while it runs, and the warning of a router that is open.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { RouterOptions, RunningRouter } from '../../src/apps/router/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { stack } from '../support/router-stack.ts';
import { until } from '../support/until.ts';

const statusOf = async ({ url }: RunningRouter, key?: string) => {
  const headers: Record<string, string> = key ? { authorization: `Bearer ${key}` } : {};
  const response = await fetch(`${url}/v1/models`, { headers });
  await response.arrayBuffer();
  return response.status;
};

function keyFile(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-keys-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'keys');
  writeFileSync(path, text);
  return path;
}

test('keys of a file are valid side by side, and exchanged without a restart', async (t) => {
  const apiKeyFile = keyFile(t, 'team-a\nteam-b\n');
  const { router } = await stack(t, [{}], { apiKeyFile, keysPollMs: 10 });
  const statuses = await Promise.all(
    [undefined, 'team-c', 'team-a', 'team-b'].map((key) => statusOf(router, key)),
  );
  assert.deepEqual(statuses, [401, 401, 200, 200]);
  writeFileSync(apiKeyFile, 'team-b\nteam-c\n');
  await until(async () => (await statusOf(router, 'team-c')) === 200);
  assert.deepEqual(
    [await statusOf(router, 'team-a'), await statusOf(router, 'team-b')],
    [401, 200],
  );
});

test('a key file that cannot be used, or a second source of keys, keeps the router from starting', async (t) => {
  const apiKeyFile = keyFile(t, '# none\n');
  await assert.rejects(stack(t, [], { apiKeyFile }), /has no key; write one a line/);
  await assert.rejects(stack(t, [], { apiKeyFile, apiKey: 'k' }), /exclude each other/);
});

test('with a key, clients see the names of engines, and neither addresses nor each other’s requests', async (t) => {
  const { router, engines } = await stack(t, [{}, {}], { apiKey: 'k', pickHeader: false });
  const get = (path: string, key = 'k') =>
    fetch(router.url + path, { headers: { authorization: `Bearer ${key}` } });
  for (const path of [
    ...['/debug/router', '/debug/picks', '/debug/requests', '/debug/queue'],
    ...['/dashboard/history', '/dashboard/plan', '/dashboard/events'],
  ]) {
    const response = await get(path);
    assert.equal(response.status, 403, path);
    assert.match(await response.text(), /is for operators.*--admin-port.*--pick-header/, path);
    assert.notEqual((await get(path, 'wrong')).status, 200, path);
  }
  const listed = (await (await get('/engines')).json()) as { engine_id: string }[];
  assert.deepEqual(
    listed.map(({ engine_id, ...rest }) => [engine_id, Object.keys(rest).join()]),
    ['engine-1', 'engine-2'].map((id) => [id, 'serving_models,created,name,state']),
  );
  const ask = (id: string) =>
    fetch(`${router.url}/v1/chat/completions?id=${encodeURIComponent(id)}`, {
      method: 'POST',
      headers: { authorization: 'Bearer k' },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Hi' }] }),
    });
  for (const id of ['engine-2', 'engine-1']) {
    assert.equal((await ask(id)).headers.get('x-spillway-engine'), id);
  }
  assert.equal((await ask(engines[0]?.url ?? '')).status, 404);
});

test('the views of a router with a key are open to its clients if it is told so, and without a key', async (t) => {
  for (const options of [{ apiKey: 'k', pickHeader: true }, { pickHeader: false }]) {
    const { router } = await stack(t, [{}], options);
    const headers = { authorization: 'Bearer k' };
    assert.equal((await fetch(`${router.url}/debug/picks`, { headers })).status, 200);
  }
});

test('a router without a key says once that it is open, unless only this machine reaches it', async (t) => {
  const warnings = async (options: Partial<RouterOptions>) => {
    const lines: string[] = [];
    const stream = { write: (text: string) => lines.push(text) };
    const log = createLogger({ stream: stream as never, level: 'warning', format: 'text' });
    const { router } = await stack(t, [], { ...options, log });
    await router.close(0);
    return (
      lines.join('').match(/Everyone who reaches \S+ can use (this router|the admin port)/g) ?? []
    );
  };
  assert.equal((await warnings({ host: '0.0.0.0' })).length, 1);
  assert.equal((await warnings({ host: '127.0.0.1' })).length, 0);
  assert.equal((await warnings({ admin: { port: 0, host: '0.0.0.0' } })).length, 1);
  assert.equal((await warnings({ host: '0.0.0.0', apiKey: 'k' })).length, 0);
});
