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
