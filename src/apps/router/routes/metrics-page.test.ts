import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Client } from '../../../../test/support/client-in-memory.ts';
import { MetricsRegistry } from '../../../core/metrics/index.ts';
import { HttpServer, Ticker } from '../../../io/http/index.ts';
import { answer } from '../requests/answer.ts';
import { answerMetrics } from './metrics-page.ts';

/** A server whose page has one series per row. `rendered` counts the rows that were read. */
async function serve(context: TestContext, rows: number) {
  const registry = new MetricsRegistry();
  const state = { rendered: 0 };
  registry.rowGauge({
    ...{ name: 'depth', help: 'Größe of the queue.' },
    rows: () => Array.from({ length: rows }, (_, row) => row),
    labels: (row) => ({ server: `http://engine-${row}`, note: 'x'.repeat(100) }),
    value: (row) => {
      state.rendered++;
      return row;
    },
  });
  const ticker = new Ticker({ tickMs: 10 });
  const server = new HttpServer({
    ticker,
    onRequest: (exchange) =>
      exchange.target === '/metrics'
        ? answerMetrics(exchange, registry)
        : answer(exchange, 200, 'text/plain', 'up'),
    refusal: () => '',
  });
  const port = await server.listen('127.0.0.1', 0);
  context.after(() => {
    server.destroy();
    ticker.stop();
  });
  return { registry, state, port };
}

/** The response to a GET, read to its end. */
async function get(port: number, path: string) {
  const sent = request({ host: '127.0.0.1', port, path, agent: false }).end();
  const [response] = await once(sent, 'response');
  let body = '';
  for await (const part of response.setEncoding('utf8')) body += part;
  return { status: response.statusCode, headers: response.headers, body };
}

test('a large page arrives whole, in chunks', async (context) => {
  const { registry, port } = await serve(context, 20_000);
  const { status, headers, body } = await get(port, '/metrics');
  assert.equal(status, 200);
  assert.equal(headers['transfer-encoding'], 'chunked');
  assert.match(headers['content-type'] ?? '', /^text\/plain; version=1\.0\.0/);
  assert.equal(body, registry.render());
});

test('a small page has a length', async (context) => {
  const { registry, port } = await serve(context, 3);
  const { status, headers, body } = await get(port, '/metrics');
  assert.equal(status, 200);
  assert.equal(headers['content-length'], String(Buffer.byteLength(body)));
  assert.equal(body, registry.render());
});

test('other requests are served while a large page is rendered', async (context) => {
  const { state, port } = await serve(context, 50_000);
  const page = get(port, '/metrics');
  while (state.rendered === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await get(port, '/health')).body, 'up');
  assert.ok(state.rendered < 50_000, 'the whole page was rendered first');
  await page;
  assert.equal(state.rendered, 50_000);
});

test('a page is rendered only as far as its client reads', async (context) => {
  const rows = 200_000;
  const { state, port } = await serve(context, rows);
  const socket = connect(port, '127.0.0.1').pause();
  context.after(() => socket.destroy());
  socket.write('GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n');
  // Until nothing more is rendered in many turns.
  for (let [before, same] = [-1, 0]; same < 200; ) {
    await new Promise((resolve) => setImmediate(resolve));
    same = state.rendered === before && before > 0 ? same + 1 : 0;
    before = state.rendered;
  }
  assert.ok(state.rendered < rows, `${state.rendered} rows were rendered`);
  socket.resume();
  let received = '';
  for await (const bytes of socket) {
    received = received.slice(-16) + bytes;
    if (received.endsWith('\r\n0\r\n\r\n')) break;
  }
  assert.equal(state.rendered, rows);
});

test('for HTTP/1.0 the connection ends with the page', async (context) => {
  const { registry, port } = await serve(context, 5_000);
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /metrics HTTP/1.0\r\n\r\n');
  let received = '';
  for await (const bytes of socket.setEncoding('utf8')) received += bytes;
  const [head = '', body] = received.split('\r\n\r\n');
  assert.doesNotMatch(head, /chunked|content-length/i);
  assert.equal(body, registry.render());
});

/** A client that does not read until `read`, and a page of one series per row. */
function inMemory(rows: number, minorVersion: 0 | 1 = 1) {
  const registry = new MetricsRegistry();
  registry.rowGauge({
    ...{ name: 'depth', help: 'Depth.' },
    rows: () => Array.from({ length: rows }, (_, row) => row),
    labels: (row) => ({ server: `http://engine-${row}`, note: 'x'.repeat(100) }),
    value: (row) => row,
  });
  const client = new Client({}, { method: 'GET', minorVersion });
  answerMetrics(client.exchange, registry);
  return client;
}

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

test('a client that stops reading gets nothing more until it reads again, each part once', async () => {
  const client = inMemory(20_000);
  client.congested = true;
  // One part may have been due already.
  await turns(5);
  const { writes } = client;
  await turns(20);
  assert.equal(client.writes, writes);
  client.listener?.onDrain?.();
  await turns(5);
  assert.equal(client.writes, writes, 'it is congested again');
  client.congested = false;
  client.listener?.onDrain?.();
  // A second call while it goes on must not send two parts per turn.
  client.listener?.onDrain?.();
  while (!client.over) await turns(1);
  assert.match(client.received, /server="http:\/\/engine-19999"\} 19999.*\r\n0\r\n\r\n$/s);
  assert.equal(client.received.match(/engine-12345"/g)?.length, 1);
  assert.ok(!client.isLast, 'the connection may be used again');
});

test('the connection of a client of HTTP/1.0 is not used again after a page in parts', async () => {
  const client = inMemory(20_000, 0);
  assert.ok(client.isLast);
  while (!client.over) await turns(1);
});

test('a router without a series has an empty page', () => {
  const client = new Client({}, { method: 'GET' });
  answerMetrics(client.exchange, new MetricsRegistry());
  assert.equal(client.status, 200);
  assert.doesNotMatch(client.text, /undefined/);
});

test('HEAD gets the head of the page alone', () => {
  const client = new Client({}, { method: 'HEAD' });
  const registry = new MetricsRegistry();
  registry.counter({ name: 'a', help: 'A.' }).with().inc();
  answerMetrics(client.exchange, registry);
  assert.deepEqual([client.status, client.text, client.over], [200, '', true]);
});
