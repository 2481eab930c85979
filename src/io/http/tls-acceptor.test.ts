import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { until } from '../../../test/support/until.ts';
import { HttpServer, type HttpServerOptions, Ticker } from './index.ts';

const fixtures = join(import.meta.dirname, '..', '..', '..', 'test', 'support', 'tls');
const pem = (name: string) => readFileSync(join(fixtures, `${name}.pem`), 'utf8');
const pair = (name: string) => ({ cert: pem(`${name}-cert`), key: pem(`${name}-key`) });
const ca = pem('ca-cert');

async function serve(t: TestContext, options: Partial<HttpServerOptions> = {}) {
  const ticker = new Ticker({ tickMs: 10 });
  const server = new HttpServer({
    ticker,
    tls: pair('server'),
    onRequest: (exchange) => {
      const { body, head } = exchange;
      exchange.begin(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`, body);
      exchange.end();
      assert.equal(head.headers.get('host'), 'a');
    },
    refusal: (status) => `HTTP/1.1 ${status} Refused\r\nConnection: close\r\n\r\n`,
    ...options,
  });
  const port = await server.listen('127.0.0.1', 0);
  t.after(() => {
    server.destroy();
    ticker.stop();
  });
  return { server, port };
}

function secure(t: TestContext, port: number, options: object = {}): TLSSocket {
  const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca, ...options });
  t.after(() => socket.destroy());
  return socket;
}

function plain(t: TestContext, port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  return socket;
}

async function received(socket: Socket, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length >= bytes) break;
  }
  return Buffer.concat(chunks);
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

const post = (body: Buffer | string) =>
  Buffer.concat([
    Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`),
    Buffer.from(body),
  ]);

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`bodies come back unchanged over ${maxVersion}, small and large`, async (t) => {
    const { port } = await serve(t);
    const socket = secure(t, port, { maxVersion, ALPNProtocols: ['h2', 'http/1.1'] });
    for (const bytes of [5, 5_000, 3_000_000]) {
      const body = Buffer.alloc(bytes, 'spillway ');
      // The first request leaves with the last message of the handshake.
      socket.write(post(body));
      const head = `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`;
      const answer = await received(socket, head.length + bytes);
      assert.ok(answer.equals(Buffer.concat([Buffer.from(head), body])), `${bytes} bytes`);
    }
    assert.equal(socket.alpnProtocol, 'http/1.1');
    assert.equal(socket.getProtocol(), maxVersion);
  });
}

test('TLS 1.1 and clients of HTTP/2 alone are refused', async (t) => {
  const { port } = await serve(t);
  const old = secure(t, port, {
    maxVersion: 'TLSv1.1',
    minVersion: 'TLSv1.1',
    ciphers: 'ALL@SECLEVEL=0',
  });
  await assert.rejects(once(old, 'secureConnect'));
  await assert.rejects(once(secure(t, port, { ALPNProtocols: ['h2'] }), 'secureConnect'));
});

test('with an authority for clients, only its certificates get in', async (t) => {
  const { port, server } = await serve(t, { tls: { ...pair('server'), clientCa: ca } });
  const known = secure(t, port, pair('client'));
  known.write(post('hi'));
  assert.match((await received(known, 40)).toString(), /^HTTP\/1\.1 200/);
  for (const options of [{}, pair('stranger')]) {
    const socket = secure(t, port, options);
    let count = 0;
    const answers = () => count;
    socket.on('error', () => {}).on('data', () => count++);
    socket.write(post('hi'));
    await closed(socket);
    assert.equal(answers(), 0);
  }
  assert.equal(server.connections, 1);
  await until(() => server.handshakes === 0);
});

test('a new certificate is shown to new connections; old ones go on', async (t) => {
  const { port, server } = await serve(t);
  const before = secure(t, port);
  await once(before, 'secureConnect');
  server.renewTls(pair('server-next'));
  const after = secure(t, port);
  await once(after, 'secureConnect');
  assert.notEqual(
    before.getPeerCertificate().serialNumber,
    after.getPeerCertificate().serialNumber,
  );
  before.write(post('hi'));
  assert.match((await received(before, 40)).toString(), /^HTTP\/1\.1 200/);
});

test('what is no ClientHello is disconnected at once', async (t) => {
  const { port, server } = await serve(t);
  for (const text of [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    '\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00',
    '\x16\x03\x01\x00\x05\x01\x00\xff\xff\x00',
  ]) {
    const socket = plain(t, port);
    socket.write(text, 'latin1');
    socket.resume();
    await closed(socket);
    assert.equal(socket.bytesRead, 0);
  }
  await until(() => server.handshakes === 0);
});

test('a handshake that does not end is disconnected after its deadline', async (t) => {
  const { port, server } = await serve(t, {
    tls: { ...pair('server'), limits: { handshakeTimeoutMs: 50 } },
  });
  const silent = plain(t, port);
  const half = plain(t, port);
  half.write('\x16\x03\x01\x02', 'latin1');
  await Promise.all([closed(silent.resume()), closed(half.resume())]);
  await until(() => server.handshakes === 0);
});

test('silent connections cost the address that has most of them its oldest, and others get in', async (t) => {
  const { port, server } = await serve(t, {
    tls: { ...pair('server'), limits: { handshakesMax: 20 } },
  });
  const silent = Array.from({ length: 50 }, () => plain(t, port).resume());
  let gone = 0;
  for (const socket of silent) socket.on('close', () => gone++);
  const client = secure(t, port, { localAddress: '127.0.0.2' });
  client.write(post('hi'));
  assert.match((await received(client, 40)).toString(), /^HTTP\/1\.1 200/);
  await until(() => gone >= 30 && server.handshakes <= 20);
});

test('handshakes that arrive at once take turns with everything else', async (t) => {
  const { port } = await serve(t);
  const clients = Array.from({ length: 100 }, () => secure(t, port));
  await Promise.all(clients.map((client) => once(client, 'secureConnect')));
});

test('a draining server closes connections whose handshake is not complete', async (t) => {
  const { port, server } = await serve(t);
  const silent = plain(t, port).resume();
  await once(silent, 'connect');
  await until(() => server.handshakes === 1);
  const end = closed(silent);
  await server.drain();
  await end;
});
