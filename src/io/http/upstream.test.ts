import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { until } from '../../../test/support/until.ts';
import {
  ChunkedReader,
  fetchBytes,
  Ticker,
  type UpstreamFailure,
  type UpstreamLimits,
  UpstreamPool,
} from './index.ts';

/** An engine that runs a script for each connection, and a pool of connections to it. */
async function engine(
  context: TestContext,
  onConnection: (socket: Socket, count: number) => void,
  limits: Partial<UpstreamLimits> = {},
) {
  let count = 0;
  const sockets = new Set<Socket>();
  const server = createTcpServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket, ++count);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const ticker = new Ticker({ tickMs: 10 });
  const { port } = server.address() as AddressInfo;
  const pool = new UpstreamPool({ url: `http://127.0.0.1:${port}`, ticker, limits });
  context.after(() => {
    pool.close();
    ticker.stop();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { pool, port, sockets, connections: () => count };
}

type Received = { status: number; raw: string; body: string } | UpstreamFailure;

/** Sends a request and collects the response, raw and decoded. */
function send(pool: UpstreamPool, method = 'POST'): Promise<Received> {
  return new Promise((resolve) => {
    let status = 0;
    let raw = '';
    let body = '';
    let reader: ChunkedReader | undefined;
    const take = (bytes: Buffer, ended: boolean) => {
      raw += bytes.toString('latin1');
      if (reader === undefined) body += bytes.toString('latin1');
      else {
        reader.read(bytes, 0, bytes.length, (from, start, end) => {
          body += from.toString('latin1', start, end);
        });
      }
      if (ended) resolve({ status, raw, body });
      return false;
    };
    pool.send(
      {
        head: `${method} / HTTP/1.1\r\nHost: h\r\n\r\n`,
        body: undefined,
        toHead: method === 'HEAD',
      },
      {
        onHead(head, bytes, ended) {
          status = head.status;
          if (head.framing === 'chunked') reader = new ChunkedReader();
          return take(bytes, ended);
        },
        onBytes: take,
        onFailure: resolve,
      },
    );
  });
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

test('reuses an idle connection, and silently replaces one that the engine closed', async (context) => {
  const { pool, connections } = await engine(context, (socket) => {
    let served = 0;
    socket.on('data', () => {
      // The second request on a connection fails, as after vLLM's keep-alive timeout of 5 s.
      if (++served === 2) socket.resetAndDestroy();
      else socket.write(ok);
    });
  });
  for (let i = 0; i < 3; i++)
    assert.deepEqual(await send(pool), { status: 200, raw: 'ok', body: 'ok' });
  assert.equal(connections(), 3);
});

test('does not retry a fresh connection that breaks before the first byte', async (context) => {
  const { pool, connections } = await engine(context, (socket) => {
    socket.on('data', () => socket.resetAndDestroy());
  });
  const failure = (await send(pool)) as UpstreamFailure;
  assert.equal(failure.kind, 'reset');
  assert.equal(failure.answered, false);
  assert.equal(connections(), 1);
});

test('reports a refused connection as a failure to connect', async (context) => {
  const { pool, port } = await engine(context, () => {});
  const ticker = new Ticker({ tickMs: 10 });
  const closed = new UpstreamPool({ url: 'http://127.0.0.1:1', ticker });
  context.after(() => {
    closed.close();
    ticker.stop();
  });
  assert.ok(port > 0 && pool.connections === 0);
  assert.equal(((await send(closed)) as UpstreamFailure).kind, 'connect');
});

test('fails requests in flight and later ones after close, and leaves no connection', async (context) => {
  const { pool, sockets } = await engine(context, () => {});
  const inFlight = send(pool);
  await until(() => sockets.size === 1);
  pool.close();
  assert.equal(((await inFlight) as UpstreamFailure).kind, 'reset');
  assert.equal(((await send(pool)) as UpstreamFailure).kind, 'reset');
  await until(() => pool.connections === 0);
});

test('reports each kind of broken response by name', async (context) => {
  const scripts: [string, string, boolean][] = [
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab', 'truncated', true],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', 'truncated', true],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz', 'syntax', true],
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n', 'syntax', true],
    ['HTTP/1.1 200 OK\nContent-Length: 0\n\n', 'syntax', true],
    ['SSH-2.0-OpenSSH_9.2\r\nanything', 'syntax', true],
    ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n', 'syntax', true],
    ['HTTP/1.1 2', 'reset', true],
  ];
  for (const [bytes, kind, answered] of scripts) {
    const { pool } = await engine(context, (socket) => {
      socket.on('data', () => socket.end(bytes));
    });
    const failure = (await send(pool)) as UpstreamFailure;
    assert.deepEqual([failure.kind, failure.answered], [kind, answered], bytes);
  }
});

test('times out without a first byte, and on a response that stops', async (context) => {
  const silent = await engine(context, () => {}, { firstByteTimeoutMs: 30 });
  const failure = (await send(silent.pool)) as UpstreamFailure;
  assert.deepEqual([failure.kind, failure.message], ['timeout', 'no response within 0.03 s']);
  const stopping = await engine(
    context,
    (socket) => {
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab'));
    },
    { streamIdleTimeoutMs: 30 },
  );
  const stopped = (await send(stopping.pool)) as UpstreamFailure;
  assert.deepEqual([stopped.kind, stopped.message], ['timeout', 'no data for 0.03 s']);
});

test('idle connections are closed before the engine would close them, and their number is limited', async (context) => {
  const { pool } = await engine(
    context,
    (socket) => {
      socket.on('data', () => setTimeout(() => socket.write(ok), 20));
    },
    { idleTimeoutMs: 500, idleConnectionsMax: 2 },
  );
  await Promise.all(Array.from({ length: 5 }, () => send(pool)));
  while (pool.connections > 2) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(pool.connections, 2);
  await until(() => pool.connections === 0);
});

test('informational responses are skipped, and a response to HEAD has no body', async (context) => {
  const { pool } = await engine(context, (socket) => {
    socket.on('data', (bytes) => {
      const head = bytes.toString().startsWith('HEAD');
      socket.write(`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n`);
      socket.write(head ? 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n' : ok);
    });
  });
  assert.deepEqual(await send(pool), { status: 200, raw: 'ok', body: 'ok' });
  assert.deepEqual(await send(pool, 'HEAD'), { status: 200, raw: '', body: '' });
  assert.deepEqual(await send(pool), { status: 200, raw: 'ok', body: 'ok' });
});

test('bytes after a response, or without a request, end the connection', async (context) => {
  const { pool, connections } = await engine(context, (socket) => {
    socket.on('data', () => socket.write(`${ok}HTTP/1.1 200 OK\r\n`));
  });
  for (let i = 0; i < 2; i++)
    assert.deepEqual(await send(pool), { status: 200, raw: 'ok', body: 'ok' });
  assert.equal(connections(), 2);
});

test('a fetched response is decoded, limited in size and has a timeout', async (context) => {
  const chunked =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n';
  const { pool } = await engine(context, (socket, count) => {
    if (count > 2) return;
    socket.on('data', () => socket.write(chunked));
  });
  const options = { target: '/', timeoutMs: 500, bytesMax: 6 };
  assert.equal((await fetchBytes(pool, options)).body.toString(), 'hello!');
  await assert.rejects(fetchBytes(pool, { ...options, bytesMax: 5 }), /larger than 5 bytes/);
  await Promise.all([
    assert.rejects(
      Promise.all(Array.from({ length: 3 }, () => fetchBytes(pool, { ...options, timeoutMs: 30 }))),
      /no complete response within 0.03 s/,
    ),
  ]);
});

test('any response that Node accepts is read to the same bytes, however it is split', async (context) => {
  let bytes = Buffer.alloc(0);
  let cuts: number[] = [];
  const server = createServer();
  server.on('connection', (socket: Socket) => {
    socket.removeAllListeners('data');
    socket.on('data', async () => {
      // After this response the connection may carry the next case, which is ignored here.
      const answer = bytes;
      const edges = [...cuts.map((cut) => cut % (answer.length + 1)), answer.length];
      let at = 0;
      for (const edge of edges.sort((a, b) => a - b)) {
        if (edge > at) socket.write(answer.subarray(at, edge));
        at = edge;
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (answer.includes('Connection: close')) socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const ticker = new Ticker({ tickMs: 1000 });
  const pool = new UpstreamPool({ url: `http://127.0.0.1:${port}`, ticker });
  context.after(() => {
    pool.close();
    ticker.stop();
    server.close();
  });
  const status = fc.constantFrom('200 OK', '201 Created', '404', '500 ', '503 Service Unavailable');
  const framed = fc.oneof(
    fc.string({ maxLength: 50 }).map((b) => `Content-Length: ${Buffer.byteLength(b)}\r\n\r\n${b}`),
    fc.array(fc.string({ minLength: 1, maxLength: 20 }), { maxLength: 3 }).map((parts) => {
      const chunks = parts.map((p) => `${Buffer.byteLength(p).toString(16)}\r\n${p}\r\n`).join('');
      return `Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
    }),
    fc.string({ maxLength: 50 }).map((b) => `Connection: close\r\n\r\n${b}`),
  );
  await fc.assert(
    fc.asyncProperty(
      status,
      framed,
      fc.array(fc.nat(), { maxLength: 6 }),
      async (line, rest, at) => {
        bytes = Buffer.from(`HTTP/1.1 ${line}\r\nX-A: b\r\n${rest}`);
        cuts = at;
        const [ours, theirs] = await Promise.all([send(pool), nodeGet(port)]);
        assert.deepEqual(ours === undefined ? {} : { ...ours, raw: undefined }, {
          ...theirs,
          raw: undefined,
        });
      },
    ),
    { numRuns: 40 },
  );
});

function nodeGet(port: number): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ port, host: '127.0.0.1', agent: false }, (response) => {
      let body = '';
      response.setEncoding('latin1');
      response.on('data', (text) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.on('error', reject);
    call.end();
  });
}

test('a pause of this process is no timeout of the engine', async (context) => {
  const { pool } = await engine(context, (socket) =>
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')),
  );
  const response = fetchBytes(pool, { target: '/', timeoutMs: 50, bytesMax: 10 });
  // The loop stands still for four times the deadline.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  assert.equal((await response).status, 200);
});

test('bytes that a receiver keeps stay as they are, whatever other connections read meanwhile', async (context) => {
  // Each response is a letter of its own, in pieces that arrive one by one between those of the others.
  const bytes = 3_000;
  const pieces = 6;
  const { pool } = await engine(context, (socket, count) => {
    socket.on('data', async () => {
      const piece = String.fromCharCode(96 + count).repeat(bytes);
      const head = `HTTP/1.1 200 OK\r\nContent-Length: ${bytes * pieces}\r\n\r\n`;
      await sleep(count);
      // One after the other: timers of different lengths may run in another order if they are late.
      for (let i = 0; i < pieces; i++) {
        socket.write(i === 0 ? head + piece : piece);
        await sleep(5);
      }
    });
  });
  const kept = await Promise.all(
    Array.from({ length: 12 }, (_, index) => {
      const parts: Buffer[] = [];
      return new Promise<readonly Buffer[]>((resolve, reject) => {
        let calls = 0;
        const take = (part: Buffer, ended: boolean) => {
          // Some are copied, some are kept.
          const keeps = (calls++ + index) % 2 === 0;
          parts.push(keeps ? part : Buffer.from(part));
          if (ended) resolve(parts);
          return keeps;
        };
        pool.send(
          { head: 'GET / HTTP/1.1\r\nHost: h\r\n\r\n', body: undefined, toHead: false },
          {
            onHead: (_, part, ended) => take(part, ended),
            onBytes: take,
            onFailure: ({ message }) => reject(new Error(message)),
          },
        );
      });
    }),
  );
  // Further responses use the buffers again.
  await Promise.all(Array.from({ length: 12 }, () => send(pool)));
  const texts = kept.map((parts) => Buffer.concat(parts).toString());
  for (const text of texts) assert.match(text, /^(.)\1*$/);
  assert.equal(new Set(texts).size, 12);
  assert.ok(texts.every((text) => text.length === bytes * pieces));
});
