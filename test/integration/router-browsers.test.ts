// What browsers may do: pages of other origins, rebound names, and a port of its own for operators.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { RunningRouter } from '../../src/apps/router/index.ts';
import { exchangeBytes, post, stack } from '../support/router-stack.ts';
import type { ReceivedRequest } from '../support/scripted-engine.ts';

const hello = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] };

function send(router: RunningRouter, head: readonly string[], body = ''): Promise<string> {
  const lines = [...head, 'Connection: close', ...(body ? [`Content-Length: ${body.length}`] : [])];
  return exchangeBytes(router, `${lines.join('\r\n')}\r\n\r\n${body}`);
}

/** Responds as vLLM does by default. */
function permitAll({ socket }: ReceivedRequest): void {
  socket.write(
    'HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\n' +
      'Content-Length: 2\r\n\r\n{}',
  );
}

const preflight = (origin: string) => [
  ...['OPTIONS /v1/chat/completions HTTP/1.1', 'Host: 127.0.0.1', `Origin: ${origin}`],
  ...['Access-Control-Request-Method: POST', 'Access-Control-Request-Headers: authorization'],
];

test('a preflight request of an allowed origin needs no key, and its page may read responses', async (t) => {
  const cors = { allowedOrigins: ['https://chat.example'], allowCredentials: true };
  const { router } = await stack(t, [{ onRequest: permitAll }], { apiKey: 'secret', cors });
  const asked = await send(router, preflight('https://chat.example'));
  assert.match(asked, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(asked, /\r\naccess-control-allow-origin: https:\/\/chat\.example\r\n/);
  assert.match(asked, /\r\naccess-control-allow-headers: authorization\r\n/);
  const headers = { authorization: 'Bearer secret', origin: 'https://chat.example' };
  const answer = await post(router, hello, { headers });
  assert.equal(answer.status, 200);
  // The engine's own permission for everybody does not pass.
  assert.equal(answer.headers.get('access-control-allow-origin'), 'https://chat.example');
  assert.equal(answer.headers.get('access-control-allow-credentials'), 'true');
  assert.equal(answer.headers.get('vary'), 'Origin');
  const refused = await post(router, hello, { headers: { origin: 'https://chat.example' } });
  assert.equal(refused.status, 401);
});

test('by default no other origin may read responses, whatever engines permit', async (t) => {
  const { router, engines } = await stack(t, [{ onRequest: permitAll }]);
  const asked = await send(router, preflight('https://evil.example'));
  assert.match(asked, /^HTTP\/1\.1 400 Bad Request\r\n.*Disallowed CORS origin$/s);
  assert.doesNotMatch(asked, /allow-origin/);
  const own = await post(router, hello);
  assert.equal(own.headers.get('access-control-allow-origin'), null);
  const body = JSON.stringify(hello);
  for (const origin of ['https://evil.example', 'null']) {
    const head = ['POST /v1/chat/completions HTTP/1.1', 'Host: 127.0.0.1', `Origin: ${origin}`];
    assert.match(await send(router, head, body), /^HTTP\/1\.1 403 .*--allowed-origins/s);
  }
  for (const origin of ['http://localhost:3000', 'http://127.0.0.1']) {
    const head = ['POST /v1/chat/completions HTTP/1.1', 'Host: 127.0.0.1', `Origin: ${origin}`];
    assert.match(await send(router, head, body), /^HTTP\/1\.1 200 /);
  }
  assert.equal(engines[0]?.received.length, 3);
});

test('with ["*"], any page may use the router', async (t) => {
  const { router } = await stack(t, [{}], { cors: { allowedOrigins: ['*'] } });
  const answer = await post(router, hello, { headers: { origin: 'https://any.example' } });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
});

test('on a loopback address, a name that somebody else owns opens no view', async (t) => {
  const { router } = await stack(t, [{}], { allowedHosts: ['router.internal'] });
  const get = (path: string, host: string) =>
    send(router, [`GET ${path} HTTP/1.1`, `Host: ${host}`]);
  for (const path of ['/debug/requests', '/engines', '/']) {
    assert.match(
      await get(path, 'rebound.example:8001'),
      /^HTTP\/1\.1 403 .*--allowed-hosts/s,
      path,
    );
  }
  for (const host of ['127.0.0.1:8001', 'localhost', '[::1]:1', 'ROUTER.internal:80', '10.0.0.7']) {
    assert.match(await get('/debug/requests', host), /^HTTP\/1\.1 200 /, host);
  }
  // Load balancers use any name.
  assert.match(await get('/health', 'rebound.example'), /^HTTP\/1\.1 200 /);
  const head = [
    ...['POST /v1/chat/completions HTTP/1.1', 'Host: rebound.example'],
    'Origin: http://rebound.example',
  ];
  assert.match(await send(router, head, JSON.stringify(hello)), /^HTTP\/1\.1 403 /);
  assert.equal((await post(router, hello)).status, 200);
});

test('with an admin port, views and metrics are there only, and health on both', async (t) => {
  const { router } = await stack(t, [{}], { admin: { port: 0 }, apiKey: 'secret' });
  const { url, adminUrl = '' } = router;
  const status = async (from: string, path: string, headers = {}) =>
    (await fetch(from + path, { headers })).status;
  const key = { authorization: 'Bearer secret' };
  for (const path of ['/health', '/livez', '/version']) {
    assert.equal(await status(url, path), 200, path);
    assert.equal(await status(adminUrl, path), 200, path);
  }
  for (const path of [
    '/metrics',
    '/engines',
    '/debug/router',
    '/debug/picks',
    '/dashboard/history',
  ]) {
    assert.equal(await status(url, path, key), 404, path);
    assert.equal(await status(adminUrl, path, key), 200, path);
  }
  assert.equal(await status(adminUrl, '/metrics'), 200);
  assert.equal(await status(adminUrl, '/debug/router'), 401);
  assert.equal(await status(adminUrl, '/v1/models', key), 404);
  assert.equal(await status(url, '/v1/models', key), 200);
});

test('the admin port responds while silent connections hold the main one', async (t) => {
  const { router } = await stack(t, [{}], {
    admin: { port: 0 },
    server: { connectionsMax: 4 },
  });
  for (let i = 0; i < 100; i++) {
    const socket = connect(router.port, '127.0.0.1').on('error', () => {});
    t.after(() => socket.destroy());
  }
  assert.equal((await fetch(`${router.adminUrl}/health`)).status, 200);
  assert.equal((await fetch(`${router.adminUrl}/metrics`)).status, 200);
});
