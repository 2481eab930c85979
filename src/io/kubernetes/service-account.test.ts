// Access from within a pod: the mounted token and authority, and their renewal.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { serviceAccountAccess } from './service-account.ts';

test('the API server is where the environment says, also over IPv6', async (t) => {
  const { open } = await begin(t);
  assert.equal((await open())?.server, 'https://10.96.0.1:443');
  assert.equal((await open({ host: 'fd00::1' }))?.server, 'https://[fd00::1]:443');
});

test('outside a pod, or without a mounted token, there is no such access', async (t) => {
  const { open, folder } = await begin(t);
  assert.equal(await open({ host: '' }), undefined);
  await rm(join(folder, 'token'));
  assert.equal(await open(), undefined);
});

test('a token is read again after a minute, and at once when it was refused', async (t) => {
  const { open, folder, clock } = await begin(t);
  const access = await open();
  const token = async () => (await access?.requestOptions())?.headers;
  assert.deepEqual(await token(), { authorization: 'Bearer one' });
  await writeFile(join(folder, 'token'), 'two\n');
  clock.ms += 59_000;
  assert.deepEqual(await token(), { authorization: 'Bearer one' });
  clock.ms += 1_000;
  assert.deepEqual(await token(), { authorization: 'Bearer two' });
  await writeFile(join(folder, 'token'), 'three');
  access?.refused();
  assert.deepEqual(await token(), { authorization: 'Bearer three' });
});

test('connections stay while the authority does, and trust a new one', async (t) => {
  const { open, folder, clock } = await begin(t);
  const access = await open();
  const agent = async () => (await access?.requestOptions())?.agent as Agent;
  const first = await agent();
  assert.equal(first.options.ca, 'CA one');
  clock.ms += 60_000;
  assert.equal(await agent(), first);
  await writeFile(join(folder, 'ca.crt'), 'CA two');
  clock.ms += 60_000;
  assert.equal((await agent()).options.ca, 'CA two');
});

async function begin(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-account-'));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'token'), 'one');
  await writeFile(join(folder, 'ca.crt'), 'CA one');
  const clock = { ms: 0 };
  const open = ({ host = '10.96.0.1' } = {}) =>
    serviceAccountAccess({
      ...{ folder, nowMs: () => clock.ms },
      environment: { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: '443' },
    });
  return { open, folder, clock };
}
