// TLS to engines and peer routers, and from clients.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, request as requestTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { type RouterOptions, startRouter } from '../../src/apps/router/index.ts';
import { createLogger } from '../../src/io/log/index.ts';

import { eventually } from '../support/fleet.ts';

const folder = join(import.meta.dirname, '..', 'support', 'tls');
const cert = readFileSync(join(folder, 'localhost-cert.pem'), 'utf8');
const key = readFileSync(join(folder, 'localhost-key.pem'), 'utf8');

const fixture = (name: string) => join(folder, `${name}.pem`);
const pem = (name: string) => readFileSync(fixture(name), 'utf8');
const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });

async function routerTo(
  t: TestContext,
  host: string,
  options: Partial<RouterOptions> = {},
  serverOptions: object = { cert, key },
) {
  const server = createServer(serverOptions, (request, response) => {
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
    log,
    ...options,
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

const engineTls = { ca: fixture('ca-cert') };
const enginePair = { cert: pem('server-cert'), key: pem('server-key') };

test('engines are checked against the named authority, for requests, health, models and metrics', async (t) => {
  const { answer, engine } = await routerTo(t, 'localhost', { engineTls }, enginePair);
  assert.equal(engine?.state, 'live', engine?.reason);
  assert.deepEqual(await answer.json(), { secure: true });
});

test('an authority that is named replaces those that Node trusts', async (t) => {
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, cert]);
  t.after(() => setDefaultCACertificates(before));
  const { engine } = await routerTo(t, 'localhost', { engineTls });
  assert.equal(engine?.state, 'dead');
});

test('an engine whose certificate has another name is dead, unless that name is expected', async (t) => {
  const pair = { cert: pem('other-name-cert'), key: pem('other-name-key') };
  const { engine } = await routerTo(t, 'localhost', { engineTls }, pair);
  assert.equal(engine?.state, 'dead');
  assert.match(engine.reason, /does not match certificate's altnames/);
  const named = { ...engineTls, serverName: 'engines.example' };
  const second = await routerTo(t, '127.0.0.1', { engineTls: named }, pair);
  assert.equal(second.engine?.state, 'live', second.engine?.reason);
});

test('engines that require a certificate get the router’s', async (t) => {
  const strict = { ...enginePair, ca: pem('ca-cert'), requestCert: true, rejectUnauthorized: true };
  const { engine: refused } = await routerTo(t, 'localhost', { engineTls }, strict);
  assert.equal(refused?.state, 'dead');
  const own = { ...engineTls, cert: fixture('client-cert'), key: fixture('client-key') };
  const { answer, engine } = await routerTo(t, 'localhost', { engineTls: own }, strict);
  assert.equal(engine?.state, 'live', engine?.reason);
  assert.equal(answer.status, 200);
});

/** Asks the router over TLS. */
function ask(url: string, options: object = {}): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = requestTls(
      url,
      { ca: pem('ca-cert'), agent: false, ...options },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text) => {
          body += text;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    request.on('error', reject).end();
  });
}

const listener = { cert: fixture('server-cert'), key: fixture('server-key') };

async function secureRouter(t: TestContext, options: Partial<RouterOptions>) {
  const router = await startRouter({ port: 0, engines: [], tls: listener, log, ...options });
  t.after(() => router.close(0));
  return router;
}

test('a router serves https, and health without TLS on its admin port', async (t) => {
  const router = await secureRouter(t, {
    tls: { ...listener, ca: fixture('ca-cert') },
    admin: { port: 0 },
  });
  assert.match(router.url, /^https:/);
  await assert.rejects(ask(`${router.url}/version`));
  const pair = { cert: pem('client-cert'), key: pem('client-key') };
  assert.equal((await ask(`${router.url}/version`, pair)).status, 200);
  assert.match(router.adminUrl ?? '', /^http:/);
  assert.equal((await fetch(`${router.adminUrl}/livez`)).status, 200);
});

test('routers with TLS share their attempts', async (t) => {
  const own = { cert: fixture('client-cert'), key: fixture('client-key') };
  const tls = { ...listener, ca: fixture('ca-cert') };
  const first = await secureRouter(t, { tls, peers: { urls: ['https://127.0.0.1:1'] } });
  const second = await secureRouter(t, {
    ...{ tls, engineTls: { ...engineTls, ...own }, admin: { port: 0 } },
    peers: { urls: [first.url] },
  });
  await eventually(async () => {
    const view = await (await fetch(`${second.adminUrl}/debug/router`)).text();
    return view.includes('"state":"connected"');
  }, 'the second router is connected to the first');
});

test('a pair that does not fit keeps the router from starting', async (t) => {
  await assert.rejects(
    secureRouter(t, { tls: { cert: listener.cert, key: fixture('client-key') } }),
    /does not belong to the certificate/,
  );
  await assert.rejects(
    secureRouter(t, { tls: { cert: listener.cert } }),
    /--tls-cert and --tls-key belong together: give both\./,
  );
});
