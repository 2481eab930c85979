// Compressed bodies: requests are decoded, engines are asked for plain responses, and the router writes nothing of its own
// into a response that is compressed all the same.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import {
  brotliCompressSync,
  constants,
  createGzip,
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import type { RunningRouter } from '../../src/apps/router/index.ts';
import { exchangeBytes, stack } from '../support/router-stack.ts';
import type { ReceivedRequest, Script } from '../support/scripted-engine.ts';

const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Grüße' }] });

function postEncoded(
  router: RunningRouter,
  encoding: string,
  bytes: Buffer,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(`${router.url}/v1/chat/completions`, {
    method: 'POST',
    body: new Uint8Array(bytes),
    headers: { 'content-type': 'application/json', 'content-encoding': encoding, ...headers },
  });
}

const long = body.replace('Grüße', 'x'.repeat(3_000_000));

for (const [encoding, bytes, sent = body] of [
  ['gzip', gzipSync(body)],
  ['X-GZIP', gzipSync(body)],
  ['deflate', deflateSync(body)],
  ['deflate', deflateRawSync(body)],
  ['br', brotliCompressSync(body)],
  ['zstd', zstdCompressSync(body)],
  ['zstd', Buffer.concat([body.slice(0, 9), body.slice(9)].map((part) => zstdCompressSync(part)))],
  ['gzip, br', brotliCompressSync(gzipSync(body))],
  ['identity', Buffer.from(body)],
  ['identity, gzip', gzipSync(body)],
  ['zstd', zstdCompressSync(long), long],
] as const) {
  test(`a request body in ${encoding} (${bytes.length} bytes) reaches the engine as JSON`, async (t) => {
    const { router, engines } = await stack(t, [{}]);
    const response = await postEncoded(router, encoding, bytes);
    assert.equal(response.status, 200, await response.text());
    const request = engines[0]?.received[0] as ReceivedRequest;
    assert.ok(request.body === sent, 'the body is as it was before it was compressed');
    assert.equal(request.headers.get('content-length'), String(Buffer.byteLength(sent)));
    assert.equal(request.headers.get('content-encoding'), undefined);
  });
}

test('a compressed body may come in chunks, after a wait for 100 Continue', async (t) => {
  const { router, engines } = await stack(t, [{}]);
  const socket = connect(router.port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nHost: r\r\nContent-Encoding: gzip\r\n' +
      'Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n',
  );
  assert.match(String(await once(socket, 'data')), /^HTTP\/1\.1 100 /);
  const bytes = gzipSync(body);
  for (const part of [bytes.subarray(0, 11), bytes.subarray(11)]) {
    socket.write(`${part.length.toString(16)}\r\n`);
    socket.write(part);
    socket.write('\r\n');
  }
  socket.write('0\r\n\r\n');
  assert.match(String(await once(socket, 'data')), /^HTTP\/1\.1 200 /);
  assert.equal(engines[0]?.received[0]?.body, body);
});

for (const [what, encoding, bytes, status, message] of [
  [
    'another coding',
    'compress',
    Buffer.from(body),
    415,
    /"compress": send gzip, deflate, br, zstd/,
  ],
  ['three codings', 'br, br, br', Buffer.from(body), 415, /or two of them/],
  ['plain JSON', 'gzip', Buffer.from(body), 400, /^The request body is not valid gzip data: /],
  ['plain JSON', 'br', Buffer.from(body), 400, /^The request body is not valid br data: /],
  ['half of it', 'gzip', gzipSync(body).subarray(0, 20), 400, /not valid gzip data: unexp/],
  ['half of it', 'deflate', deflateSync(body).subarray(0, 20), 400, /valid deflate data: unexp/],
  ['half of it', 'br', brotliCompressSync(body).subarray(0, 20), 400, /not valid br data: unexp/],
  ['half of it', 'zstd', zstdCompressSync(body).subarray(0, 20), 400, /not valid zstd data: unexp/],
  ['all but a byte', 'zstd', zstdCompressSync(body).subarray(0, -1), 400, /zstd data: unexp/],
  [
    'a frame and half of one',
    'zstd',
    Buffer.concat([zstdCompressSync('{}'), zstdCompressSync(body).subarray(0, 20)]),
    400,
    /not valid zstd data: unexp/,
  ],
  ['more bytes', 'br', Buffer.concat([brotliCompressSync(body), Buffer.from('x')]), 400, /follow/],
  ['a window of 128 MiB', 'zstd', wideZstd(), 400, /not valid zstd data: .*[Ww]indow|[Ff]rame/],
  ['a bomb', 'gzip', gzipSync(Buffer.alloc(8_000_000)), 413, /larger than 1000000 bytes/],
  ['a bomb', 'zstd', zstdCompressSync(Buffer.alloc(8_000_000)), 413, /larger than 1000000 bytes/],
  [
    'a bomb in a bomb',
    'gzip, br',
    brotliCompressSync(gzipSync(Buffer.alloc(100_000_000))),
    413,
    /./,
  ],
] as const) {
  test(`a body with the coding ${encoding} that is ${what} is refused in one sentence`, async (t) => {
    const { router, engines } = await stack(t, [{}], { server: { requestBytesMax: 1_000_000 } });
    const response = await postEncoded(router, encoding, bytes);
    const { error } = (await response.json()) as { error: { message: string; code: number } };
    assert.deepEqual([response.status, error.code], [status, status]);
    assert.match(error.message, message);
    const accepted = status === 415 ? 'gzip, deflate, br, zstd' : null;
    assert.equal(response.headers.get('accept-encoding'), accepted);
    assert.equal(engines[0]?.received.length, 0);
    assert.equal((await postEncoded(router, 'gzip', gzipSync(body))).status, 200, 'and goes on');
  });
}

test('a body that grows out of all proportion is refused, whatever its size', async (t) => {
  const { router } = await stack(t, [{}]);
  const bomb = brotliCompressSync(Buffer.alloc(60_000_000, 'a'));
  const response = await postEncoded(router, 'br', bomb);
  assert.equal(response.status, 413);
  assert.match(await response.text(), /more than 256 times .* without Content-Encoding/);
  const text = `Tell me about bridge ${'and dam '.repeat(100)}`.repeat(1000);
  const usual = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: text }] });
  assert.equal((await postEncoded(router, 'gzip', gzipSync(usual))).status, 200);
});

test('what a body is decoded to counts in the memory for bodies', async (t) => {
  const { router } = await stack(t, [{}], { server: { bufferedRequestBytesMax: 200_000 } });
  const response = await postEncoded(router, 'gzip', gzipSync(Buffer.alloc(1_000_000)));
  assert.equal(response.status, 503);
  assert.match(await response.text(), /memory reserved for request bodies/);
  assert.equal((await postEncoded(router, 'gzip', gzipSync(body))).status, 200);
});

test('many bodies that are decoded at once are all served, though some clients leave', async (t) => {
  const { router, engines } = await stack(t, [{}]);
  const bytes = brotliCompressSync(long, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });
  const statuses = Array.from({ length: 24 }, (_, i) => {
    const leaves = i % 3 === 0;
    const init = leaves ? { signal: AbortSignal.timeout(5 + i) } : {};
    return fetch(`${router.url}/v1/chat/completions`, {
      ...{ method: 'POST', body: new Uint8Array(bytes), headers: { 'content-encoding': 'br' } },
      ...init,
    }).then(
      ({ status }) => status,
      () => (leaves ? 200 : 0),
    );
  });
  assert.deepEqual([...new Set(await Promise.all(statuses))], [200]);
  assert.ok((engines[0]?.received.length ?? 0) >= 16);
});

test('an engine is asked for a plain response, whatever the client accepts', async (t) => {
  const { router, engines } = await stack(t, [{}]);
  await postEncoded(router, 'identity', Buffer.from(body), { 'accept-encoding': 'gzip, br' });
  assert.equal(engines[0]?.received[0]?.headers.get('accept-encoding'), 'identity');
});

const event =
  'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"},"token_ids":[1]}]}\n\n';
const gzipHead =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n' +
  'Transfer-Encoding: chunked\r\n\r\n';

/** Sends an event in gzip some time after the head, then breaks off. */
function breaking(pauseMs: number): Script {
  return {
    onRequest: ({ socket }) => {
      socket.write(gzipHead);
      const gzip = createGzip();
      gzip.on('data', (bytes: Buffer) => {
        socket.write(`${bytes.length.toString(16)}\r\n`);
        socket.write(bytes);
        socket.write('\r\n');
      });
      setTimeout(() => {
        gzip.write(event);
        gzip.flush(() => setTimeout(() => socket.destroy(), 50));
      }, pauseMs);
    },
  };
}

const streamed = JSON.stringify({ ...JSON.parse(body), stream: true });
const ask = (version: string) =>
  `POST /v1/chat/completions HTTP/${version}\r\nHost: r\r\nAccept-Encoding: gzip\r\n` +
  `Content-Length: ${Buffer.byteLength(streamed)}\r\nConnection: close\r\n\r\n${Buffer.from(streamed).toString('latin1')}`;

for (const [version, engines] of [
  ['1.1', 1],
  ['1.1', 2],
  ['1.0', 1],
] as const) {
  test(`a compressed stream that breaks is cut, without an error event and without another engine’s events (HTTP/${version}, ${engines} engines)`, async (t) => {
    const scripts = Array.from({ length: engines }, () => breaking(0));
    const { router } = await stack(t, scripts, { deadlines: { engineWaitSeconds: 0 } });
    const received = await exchangeBytes(router, ask(version));
    assert.match(received, /content-encoding: gzip\r\n/);
    assert.doesNotMatch(received, /"error"|keep-alive\n|\r\n0\r\n/);
    const [, rest = ''] = received.split('\r\n\r\n');
    const chunks = version === '1.0' ? rest : withoutFraming(received);
    const plain = gunzipSync(Buffer.from(chunks, 'latin1'), {
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    assert.equal(String(plain), event);
  });
}

test('a compressed stream that is silent gets no comments', async (t) => {
  const { router } = await stack(t, [breaking(300)], {
    ...{ sseKeepAliveSeconds: 0.05, deadlines: { engineWaitSeconds: 0 } },
  });
  const received = await exchangeBytes(router, ask('1.1'));
  assert.match(received, /content-encoding: gzip\r\n/);
  assert.ok(!received.includes('keep-alive\n'), 'no comment');
});

test('a compressed JSON response is passed on as it is', async (t) => {
  const packed = gzipSync('{"usage":{"prompt_tokens":7,"completion_tokens":3}}', { level: 0 });
  const engine: Script = {
    onRequest: ({ socket }) => {
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n' +
          `Content-Length: ${packed.length}\r\n\r\n`,
      );
      socket.write(packed);
    },
  };
  const { router } = await stack(t, [engine]);
  const response = await postEncoded(router, 'identity', Buffer.from(body));
  assert.equal(response.headers.get('content-encoding'), 'gzip');
  assert.deepEqual(await response.json(), { usage: { prompt_tokens: 7, completion_tokens: 3 } });
});

test('where the response of a prefill is compressed, the other engine computes the prompt', async (t) => {
  const packed = gzipSync('{"kv_transfer_params":{"remote_host":"x"}}');
  const prefill: Script = {
    onRequest: ({ socket }) => {
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n' +
          `Content-Length: ${packed.length}\r\n\r\n`,
      );
      socket.write(packed);
    },
  };
  const { router, engines } = await stack(
    t,
    [prefill, {}],
    {
      policy: 'disaggregated_prefill_orchestrated',
      disaggregation: {
        ...{ prefillLabels: ['prefill'], decodeLabels: ['decode'] },
        ...{ prefillPolicy: 'roundrobin', decodePolicy: 'roundrobin' },
        remotePrefillTokensMin: 0,
      },
    },
    ['prefill', 'decode'],
  );
  const response = await postEncoded(router, 'identity', Buffer.from(body));
  assert.deepEqual([response.status, await response.text()], [200, '{"ok":true}']);
  assert.equal(engines[1]?.received[0]?.body, body);
});

/** A frame whose header asks for a window of 128 MiB. */
function wideZstd(): Buffer {
  const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
  return Buffer.concat([magic, Buffer.from([0x00, 17 << 3, 0x01, 0x00, 0x00])]);
}

/** The bytes of all chunks. @param text A response, in Latin-1. */
function withoutFraming(text: string): string {
  let rest = text.slice(text.indexOf('\r\n\r\n') + 4);
  let bytes = '';
  while (rest !== '') {
    const size = Number.parseInt(rest, 16);
    const start = rest.indexOf('\r\n') + 2;
    bytes += rest.slice(start, start + size);
    rest = rest.slice(start + size + 2);
  }
  return bytes;
}
