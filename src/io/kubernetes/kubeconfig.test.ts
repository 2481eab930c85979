// Which kubeconfigs are refused before the first request.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { kubeconfigAccess } from './kubeconfig.ts';

test('a server without TLS is bad input, unless the kubeconfig allows it', async (t) => {
  const server = 'http://127.0.0.1:8001';
  await use(t, { server });
  await assert.rejects(kubeconfigAccess(), (error) => {
    assert.ok(error instanceof InputError);
    assert.match(error.message, /http:\/\/127\.0\.0\.1:8001 of context here has no TLS/);
    return true;
  });
  await use(t, { server, 'insecure-skip-tls-verify': true });
  const allowed = await kubeconfigAccess();
  assert.equal(allowed.server, server);
  await allowed.requestOptions();
  await use(t, { server: 'https://127.0.0.1:6443' });
  assert.equal((await kubeconfigAccess()).context, 'here');
});

test('without a kubeconfig no context is offered, also not to one who names it', async (t) => {
  const { KUBECONFIG: before, HOME: home } = process.env;
  delete process.env['KUBECONFIG'];
  process.env['HOME'] = '/nonexistent';
  t.after(() => {
    if (before !== undefined) process.env['KUBECONFIG'] = before;
    if (home !== undefined) process.env['HOME'] = home;
  });
  const choose = (contexts: readonly string[]) => assert.fail(contexts.join());
  await assert.rejects(kubeconfigAccess(choose), /^InputError: There is no cluster: /);
});

test('a kubeconfig that is not YAML is reported in one sentence', async (t) => {
  await use(t, {});
  await writeFile(process.env['KUBECONFIG'] ?? '', 'a: [\n');
  await assert.rejects(kubeconfigAccess(), /^InputError: The kubeconfig cannot be read: [^\n]+\.$/);
});

/** Makes a kubeconfig with this cluster the one of this process until the test ends. */
async function use(t: TestContext, cluster: object): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kubeconfig-'));
  const file = join(folder, 'config');
  const config = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'here' },
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
  };
  await writeFile(file, JSON.stringify(config));
  const before = process.env['KUBECONFIG'];
  process.env['KUBECONFIG'] = file;
  t.after(async () => {
    if (before === undefined) delete process.env['KUBECONFIG'];
    else process.env['KUBECONFIG'] = before;
    await rm(folder, { recursive: true });
  });
}
