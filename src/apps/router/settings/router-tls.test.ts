// The certificates of a router, from files that are followed.
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../../../test/support/until.ts';
import type { ServerTls } from '../../../io/http/index.ts';
import { createLogger } from '../../../io/log/index.ts';
import type { RouterOptions } from '../options.ts';
import { openRouterTls } from './router-tls.ts';

const fixtures = join(import.meta.dirname, '..', '..', '..', '..', 'test', 'support', 'tls');
const fixture = (name: string) => join(fixtures, `${name}.pem`);
const textOf = (name: string) => readFile(fixture(name), 'utf8');
const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });
const server = { cert: fixture('server-cert'), key: fixture('server-key') };
const client = { cert: fixture('client-cert'), key: fixture('client-key') };

const open = (options: Partial<RouterOptions>) =>
  openRouterTls({ port: 0, engines: [], log, tlsPollMs: 5, ...options });

/** Copies of a certificate and its key, with `renew`, which replaces both. */
async function copies(context: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-test-'));
  context.after(() => rm(folder, { recursive: true }));
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const from = async (name: string) => {
    await cp(fixture(`${name}-cert`), files.cert);
    await cp(fixture(`${name}-key`), files.key);
  };
  await from('server');
  return { files, renew: () => from('server-next') };
}

test('without certificates a router serves plain HTTP, and connections to engines are Node’s', async () => {
  const tls = await open({});
  assert.deepEqual([tls.listener, tls.upstream], [undefined, undefined]);
  tls.follow(() => assert.fail());
  tls.stop();
});

test('a listener needs a certificate and its key, with the authority of clients if it checks them', async () => {
  const { listener } = await open({ tls: { ...server, ca: fixture('ca-cert') } });
  assert.equal(listener?.material.cert, await textOf('server-cert'));
  const both = /--tls-cert and --tls-key belong together: give both\./;
  for (const files of [
    { cert: server.cert },
    { key: server.key },
    { ca: fixture('ca-cert') },
    {},
  ]) {
    await assert.rejects(open({ tls: files }), both);
  }
});

test('towards engines, a router may prove itself or only check them', async () => {
  const { upstream } = await open({
    engineTls: { ...client, ca: fixture('ca-cert'), serverName: 'engine.test' },
  });
  assert.equal(upstream?.().serverName, 'engine.test');
  assert.ok(upstream?.().context !== undefined);
  const checked = await open({ engineTls: { ca: fixture('ca-cert') } });
  assert.ok(checked.upstream?.().context !== undefined);
  const both = /--engine-tls-cert and --engine-tls-key belong together: give both\./;
  for (const files of [{ cert: client.cert }, { key: client.key }]) {
    await assert.rejects(open({ engineTls: files }), both);
  }
});

test('new certificates are used once their files have changed', async (t) => {
  const [listener, engines] = [await copies(t), await copies(t)];
  const tls = await open({
    tls: { ...listener.files, ca: fixture('ca-cert') },
    engineTls: engines.files,
  });
  t.after(() => tls.stop());
  const before = tls.upstream?.().context;
  const renewed: ServerTls[] = [];
  tls.follow((next) => renewed.push(next));
  await listener.renew();
  await engines.renew();
  await until(() => renewed.length > 0);
  assert.deepEqual(renewed[0], {
    ...{ cert: await textOf('server-next-cert'), key: await textOf('server-next-key') },
    clientCa: await textOf('ca-cert'),
  });
  await until(() => tls.upstream?.().context !== before);
});

test('once stopped, the files are not followed', async (t) => {
  const [listener, engines, witness] = [await copies(t), await copies(t), await copies(t)];
  const tls = await open({ tls: listener.files, engineTls: engines.files });
  const other = await open({ tls: witness.files });
  t.after(() => other.stop());
  const before = tls.upstream?.().context;
  tls.follow(() => assert.fail('it was stopped'));
  tls.stop();
  for (const files of [listener, engines]) await files.renew();
  let renewals = 0;
  other.follow(() => renewals++);
  await witness.renew();
  await until(() => renewals > 0);
  assert.equal(tls.upstream?.().context, before);
});
