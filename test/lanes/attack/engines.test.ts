// Engines whose responses are no responses: too long, without an end, in single bytes, with heads in floods, with lengths that are not true.
// The router's other engine serves clients meanwhile, and no client gets a part of another response.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { startBystander, startTarget, until } from './target.ts';

const growthMiBMax = 192;
const pauseMsMax = 250;
/** For how long an attack without an end goes on. */
const attackMs = 1_500;

const stream =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

type Attack = (socket: Socket) => void | Promise<void>;

/** Writes the same piece as fast as it is read, for a while or so many times. */
async function pourOut(socket: Socket, piece: string, times = Number.POSITIVE_INFINITY) {
  const bytes = Buffer.from(piece, 'latin1');
  const endMs = performance.now() + attackMs;
  for (let i = 0; i < times && !socket.destroyed && performance.now() < endMs; i++) {
    if (socket.write(bytes)) continue;
    await new Promise<void>((resolve) => socket.once('drain', resolve).once('close', resolve));
  }
}

/** The same, and then the end of the connection. */
const pourOnly = (socket: Socket, piece: string) =>
  pourOut(socket, piece).then(() => void socket.destroy());

async function byBytes(socket: Socket, text: string) {
  for (const byte of Buffer.from(text, 'latin1')) {
    if (socket.destroyed) return;
    socket.write(Buffer.of(byte));
    await new Promise(setImmediate);
  }
}

const attacks: Readonly<Record<string, Attack>> = {
  'an event without an end': async (socket) => {
    socket.write(`${stream}${chunk('data: {"a":"')}`);
    await pourOut(socket, chunk('x'.repeat(65_536)));
    socket.destroy();
  },
  'an error event without an end': async (socket) => {
    socket.write(`${stream}${chunk('data: {"error":{"message":"')}`);
    await pourOut(socket, chunk('x'));
    socket.destroy();
  },
  'as many tiny events as it can': async (socket) => {
    socket.write(stream);
    await pourOut(socket, chunk('data: {}\n\n').repeat(10_000));
    socket.end('0\r\n\r\n');
  },
  'chunks of one byte': async (socket) => {
    socket.write(stream);
    await pourOut(socket, '1\r\nx\r\n'.repeat(10_000));
    socket.end('0\r\n\r\n');
  },
  'a head of 10,000 lines': (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(10_000)}Content-Length: 2\r\n\r\n{}`);
  },
  'a head by single bytes': (socket) =>
    byBytes(socket, ok.replace('\r\n', `\r\nX: ${'y'.repeat(2_000)}\r\n`)),
  'heads of 100 Continue': (socket) =>
    pourOnly(socket, 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(1_000)),
  'heads of other 1xx': (socket) =>
    pourOnly(socket, 'HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n'.repeat(1_000)),
  'a body after 204': (socket) => {
    socket.write('HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison');
  },
  'a body after 304': (socket) => {
    socket.write('HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison');
  },
  'two responses to one request': (socket) => {
    socket.write(ok + ok.replace('{}', '[]').replace('200 OK', '200 poison'));
  },
  'a length that is too short': (socket) => {
    socket.write(ok.replace('{}', '{}poison'));
  },
  'a length that is too long': (socket) => {
    socket.end(ok.replace('Length: 2', 'Length: 2000'));
  },
  'the end after one byte': (socket) => {
    socket.end('H');
  },
  'a length below zero': (socket) => {
    socket.write(ok.replace('Length: 2', 'Length: -2'));
  },
  'a length and chunks': (socket) => {
    socket.write(stream.replace('\r\n\r\n', '\r\nContent-Length: 3\r\n\r\n'));
  },
};

for (const [what, attack] of Object.entries(attacks)) {
  test(`an engine that sends ${what}`, async (t) => {
    const { url, attacked } = await startHostile(t, attack);
    const good = await startTarget(t);
    const router = await startTarget(t, ['--routing-logic', 'roundrobin'], [good.engine.url, url]);
    const before = await router.measure();
    const asked = async () => {
      const response = await fetch(`${router.url}/v1/completions`, {
        method: 'POST',
        signal: AbortSignal.timeout(20_000),
        body: '{"model":"m","prompt":"x"}',
      });
      const decoder = new TextDecoder();
      let text = '';
      for await (const bytes of response.body ?? [])
        if (text.length < 100) text += decoder.decode(bytes);
      return text;
    };
    const texts = await Promise.all(
      Array.from({ length: 6 }, () => asked().catch((error: Error) => error.message)),
    );
    assert.ok(attacked() > 0, 'it had a request');
    assert.doesNotMatch(texts.join('\n'), /poison|\[\]/);
    assert.equal((await fetch(`${router.adminUrl}/health`)).status, 200);
    const after = await router.measure();
    t.diagnostic(
      `${after.longestPauseMs.toFixed(0)} ms, ${(after.peakRssMiB - before.rssMiB).toFixed(0)} MiB, ${attacked()} requests`,
    );
    assert.ok(after.longestPauseMs < pauseMsMax, `a pause of ${after.longestPauseMs} ms`);
    assert.ok(
      after.peakRssMiB - before.rssMiB < growthMiBMax,
      `${after.peakRssMiB - before.rssMiB} MiB`,
    );
  });
}

const lines = (count: number, line: string) => line.repeat(count);
const pages: Readonly<Record<string, Attack>> = {
  'without an end': (socket) =>
    pourOut(socket, `HTTP/1.1 200 OK\r\n\r\n${lines(1_000, 'vllm:num_requests_running 1\n')}`),
  'a byte at a time': (socket) =>
    byBytes(socket, `HTTP/1.1 200 OK\r\n\r\n${lines(10_000, 'a 1\n')}`),
  'of 400,000 series': (socket) => {
    const page = lines(200_000, 'vllm:num_requests_running{a="b"} 1\n').slice(0, 7_900_000);
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${page.length}\r\n\r\n${page}`);
  },
  'with negative and infinite values': (socket) => {
    const page =
      'vllm:num_requests_running -5\nvllm:num_requests_waiting NaN\nvllm:kv_cache_usage_perc -3\n' +
      'vllm:prompt_tokens_total 1e308\nvllm:generation_tokens_total -1e308\nvllm:prefix_cache_hits_total -7\n' +
      'vllm:prefix_cache_queries_total +Inf\nprocess_start_time_seconds -1\n';
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${page.length}\r\n\r\n${page}`);
  },
};

test('an engine whose metrics have no end, come slowly, are very many, or are no counts', async (t) => {
  for (const [what, page] of Object.entries(pages)) {
    const { url, scraped } = await startHostile(t, (socket) => void socket.write(ok), page);
    const router = await startTarget(t, ['--engine-stats-interval', '1'], [url]);
    const before = await router.measure();
    const bystander = startBystander(router);
    await until(() => scraped() >= 2);
    const { failures, served } = await bystander.stop();
    assert.deepEqual(failures, [], what);
    assert.ok(served > 0, what);
    const after = await router.measure();
    t.diagnostic(
      `${after.longestPauseMs.toFixed(0)} ms, ${(after.peakRssMiB - before.rssMiB).toFixed(0)} MiB: ${what}`,
    );
    assert.ok(after.longestPauseMs < pauseMsMax, `${what}: ${after.longestPauseMs} ms`);
    assert.ok(after.peakRssMiB - before.rssMiB < growthMiBMax, what);
    const metrics = await (await fetch(`${router.adminUrl}/metrics`)).text();
    assert.deepEqual(metrics.match(/^(?!#|vllm:avg_).* (-\d|NaN).*$/gm) ?? [], [], what);
  }
});

/** An engine that is healthy, and attacks whoever asks it for more. */
async function startHostile(t: TestContext, attack: Attack, page?: Attack) {
  let attacked = 0;
  let scraped = 0;
  const sockets = new Set<Socket>();
  const json = (socket: Socket, body: string) =>
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setMaxListeners(0);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.on('data', (bytes) => {
      const [, path = ''] = /^[A-Z]+ (\S+) HTTP/.exec(bytes.toString('latin1')) ?? [];
      if (path === '/v1/models') {
        json(socket, '{"object":"list","data":[{"id":"m","object":"model","owned_by":"vllm"}]}');
      } else if (path.startsWith('/metrics')) {
        scraped++;
        if (page === undefined) json(socket, '');
        else void page(socket);
      } else if (path === '/health' || path === '/kv_event_sources') json(socket, '{}');
      else if (path !== '') {
        attacked++;
        void attack(socket);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, attacked: () => attacked, scraped: () => scraped };
}
