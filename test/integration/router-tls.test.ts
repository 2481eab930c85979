// Engines behind https.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { startRouter } from '../../src/apps/router/index.ts';
import { createLogger } from '../../src/io/log/index.ts';

const folder = join(import.meta.dirname, '..', 'support', 'tls');
const cert = readFileSync(join(folder, 'localhost-cert.pem'), 'utf8');
const key = readFileSync(join(folder, 'localhost-key.pem'), 'utf8');

async function routerTo(t: TestContext, host: string) {
  const server = createServer({ cert, key }, (request, response) => {
    request.resume();
    response.setHeader('content-type', 'application/json');
    if (request.url === '/v1/models') response.end('{"data":[{"id":"m"}]}');
    else response.end('{"secure":true}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const router = await startRouter({
    port: 0,
    engines: [{ url: `https://${host}:${port}`, models: ['m'] }],
    policy: 'roundrobin',
    log: createLogger({ stream: process.stderr, level: 'critical', format: 'text' }),
  });
  t.after(async () => {
    await router.close(0);
    server.closeAllConnections();
    server.close();
  });
  await router.probed;
  const answer = await fetch(`${router.url}/v1/completions`, {
    method: 'POST',
    body: '{"model":"m","prompt":"Hi"}',
  });
  const [engine] = (await (await fetch(`${router.url}/engines`)).json()) as {
    state: string;
    reason: string;
  }[];
  return { answer, engine };
}

test('an engine with an untrusted certificate is dead, and /engines says why', async (t) => {
  const { answer, engine } = await routerTo(t, 'localhost');
  assert.equal(answer.status, 503);
  assert.equal(engine?.state, 'dead');
  assert.match(engine.reason, /self-signed certificate/);
});

test('an https engine serves requests, by name and by address, once its certificate is trusted', async (t) => {
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, cert]);
  t.after(() => setDefaultCACertificates(before));
  for (const host of ['localhost', '127.0.0.1']) {
    const { answer, engine } = await routerTo(t, host);
    assert.equal(engine?.state, 'live', engine?.reason);
    assert.equal(answer.status, 200);
    assert.deepEqual(await answer.json(), { secure: true });
  }
});
