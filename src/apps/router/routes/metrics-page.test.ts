import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
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
  return { headers: response.headers, body };
}

test('a large page arrives whole, in chunks', async (context) => {
  const { registry, port } = await serve(context, 20_000);
  const { headers, body } = await get(port, '/metrics');
  assert.equal(headers['transfer-encoding'], 'chunked');
  assert.match(headers['content-type'] ?? '', /^text\/plain; version=1\.0\.0/);
  assert.equal(body, registry.render());
});

test('a small page has a length', async (context) => {
  const { registry, port } = await serve(context, 3);
  const { headers, body } = await get(port, '/metrics');
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
