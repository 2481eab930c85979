// Clients that speak HTTP/2 on a plain connection: a real one of Node's, and bytes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { HttpServer, Ticker } from './index.ts';

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const sentence =
  /^\{"message":"This server speaks HTTP\/1\.1, not HTTP\/2: send the request with HTTP\/1\.1/;

async function listen(t: TestContext, limits = {}): Promise<number> {
  const ticker = new Ticker({ tickMs: 20 });
  const server = new HttpServer({
    ticker,
    limits,
    onRequest: (exchange) => {
      exchange.begin('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', undefined);
      exchange.end();
    },
    refusal: (status, message) =>
      `HTTP/1.1 ${status} Refused\r\nConnection: close\r\n\r\n${JSON.stringify({ message })}`,
  });
  const port = await server.listen('127.0.0.1', 0);
  t.after(() => {
    server.destroy();
    ticker.stop();
  });
  return port;
}

test('a client of HTTP/2 gets status 505 and a sentence, as HTTP/2', async (t) => {
  const port = await listen(t);
  for (const body of [undefined, '{"model":"m"}']) {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    t.after(() => session.destroy());
    const goneAway = once(session, 'goaway');
    const stream = session.request({
      ':path': '/v1/chat/completions',
      ':method': body === undefined ? 'GET' : 'POST',
    });
    stream.end(body);
    const [headers] = await once(stream, 'response');
    assert.equal(headers[':status'], 505);
    assert.equal(headers['content-type'], 'application/json');
    let text = '';
    for await (const part of stream.setEncoding('utf8')) text += part;
    assert.match(text, sentence);
    assert.equal(Number(headers['content-length']), text.length);
    const [code, last, data] = await goneAway;
    assert.deepEqual([code, last], [constants.NGHTTP2_NO_ERROR, 1]);
    assert.match(String(data), sentence);
  }
});

/** What comes back for parts that are written one after the other, until the connection ends or half a second has passed. */
async function answered(port: number, parts: readonly (string | Buffer)[]): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1');
  const received: Buffer[] = [];
  socket.on('data', (bytes) => received.push(bytes));
  socket.on('error', () => {});
  const ended = once(socket, 'close');
  for (const part of parts) {
    socket.write(part, 'latin1');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 500))]);
  socket.destroy();
  return Buffer.concat(received);
}

test('a client that waits for the server’s settings gets them, in whatever parts it begins', async (t) => {
  const port = await listen(t);
  const greeting = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  assert.deepEqual(await answered(port, [preface]), greeting);
  assert.deepEqual(await answered(port, [preface.slice(0, 2), preface.slice(2)]), greeting);
});

test('a client that sends no request until the deadline is sent away in HTTP/2', async (t) => {
  const port = await listen(t, { headTimeoutMs: 40 });
  const text = (await answered(port, [preface])).toString('latin1');
  assert.ok(text.startsWith('\0\0\0\x04\0\0\0\0\0'), text);
  assert.match(text, /This server speaks HTTP\/1\.1/);
  assert.doesNotMatch(text, /HTTP\/1\.1 408/);
});

test('a flood of frames without a request ends, and a mere likeness is HTTP/1.1', async (t) => {
  const port = await listen(t);
  const pings = Buffer.alloc(70_000 - (70_000 % 17));
  for (let at = 0; at < pings.length; at += 17) pings.set([0, 0, 8, 6], at);
  const text = (await answered(port, [preface, pings])).toString('latin1');
  assert.match(text, /This server speaks HTTP\/1\.1/);
  const huge = Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0]);
  assert.match((await answered(port, [preface, huge])).toString('latin1'), /speaks HTTP\/1\.1/);
  assert.match((await answered(port, ['PRI * HTTP/1.1\r\n\r\n'])).toString(), /^HTTP\/1\.1 501 /);
  assert.match(
    (await answered(port, ['PRI', 'NT / HTTP/1.1\r\n\r\n'])).toString(),
    /^HTTP\/1\.1 501 /,
  );
});
