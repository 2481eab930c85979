import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { until } from '../../../test/support/until.ts';
import type { Clock } from '../../core/base/index.ts';
import type { TraceRequest } from '../../core/traces/index.ts';
import { readAnswerChunk } from './answer-chunk.ts';
import { loadApis } from './load-api.ts';
import { listedRequests } from './load-source.ts';
import { replay } from './replay.ts';
import type { RequestWriter } from './request-body.ts';
import { SseReader } from './sse-reader.ts';
import { createStreamClient } from './stream-client.ts';
import { findModel } from './target.ts';

const wallClock = { nowSeconds: () => performance.now() / 1000 };

type Script = (response: ServerResponse, request: IncomingMessage) => void;

/** Starts a server that responds as scripted and is closed after the test; returns its base URL. */
async function serve(t: TestContext, script: Script): Promise<URL> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => script(response, request));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
}

interface ClientSettings {
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

function clientOf(t: TestContext, url: URL, settings: ClientSettings = {}) {
  const client = createStreamClient({
    ...{ url, apiKey: 'key', timeoutMs: 30_000, clock: wallClock },
    ...settings,
  });
  t.after(() => client.close());
  return client;
}

const never = new AbortController().signal;
const send = (t: TestContext, url: URL, settings?: ClientSettings) =>
  clientOf(t, url, settings).send({ api: loadApis.completions, body: Buffer.from('{}') }, never);

const event = (json: unknown) => `data: ${JSON.stringify(json)}\n\n`;
const token = (text: string) => event({ choices: [{ index: 0, text, finish_reason: null }] });
const usage = (output: number) =>
  event({
    choices: [],
    usage: {
      prompt_tokens: 7,
      completion_tokens: output,
      prompt_tokens_details: { cached_tokens: 3 },
    },
  });
const streamHead = {
  'content-type': 'text/event-stream',
  'x-spillway-engine': 'http://e1',
  'x-spillway-engine-name': 'a-1',
  'x-spillway-emulated': 'true',
};

test('reads the same events however the stream is split into packets', () => {
  const stream = Buffer.from(
    ': ping\r\n\r\ndata: {"a":1}\r\n\r\nevent: x\ndata:one\ndata: two\n\n\ndata: [DONE]\n\n',
  );
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
      const events: string[] = [];
      const reader = new SseReader((data) => events.push(data));
      const edges = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
      edges.slice(1).forEach((end, i) => {
        reader.push(stream, edges[i], end);
      });
      assert.deepEqual(events, ['{"a":1}', 'one\ntwo', '[DONE]']);
    }),
  );
});

test('refuses an event that never ends', () => {
  const reader = new SseReader(() => {});
  assert.throws(() => {
    for (let i = 0; i < 6; i++) reader.push(Buffer.alloc(1 << 20, 'x'));
  }, RangeError);
});

test('a chunk has tokens unless it only announces the role or carries usage', () => {
  const has = (json: unknown) => readAnswerChunk(JSON.stringify(json)).hasTokens;
  assert.ok(!has({ choices: [{ delta: { role: 'assistant', content: '' } }] }));
  assert.ok(has({ choices: [{ delta: { role: 'assistant', content: 'Hi' } }] }));
  assert.ok(has({ choices: [{ delta: { content: '' } }] }));
  assert.ok(has({ choices: [{ delta: { tool_calls: [{ index: 0 }] } }] }));
  assert.ok(has({ choices: [{ text: '' }] }));
  assert.ok(!has({ choices: [], usage: { prompt_tokens: 1 } }));
  assert.throws(() => readAnswerChunk('[]'), SyntaxError);
});

test('times a stream chunk by chunk, with usage and the engine that responded', async (t) => {
  const hand = handClock();
  const url = await serve(t, async (response, request) => {
    assert.equal(request.url, '/v1/completions');
    assert.equal(request.headers.authorization, 'Bearer key');
    response.writeHead(200, streamHead);
    /** Sends one packet at a time, and waits until the client has read it. */
    const packet = (text: string, seconds: number) => {
      const read = hand.setAndWait(seconds);
      response.write(text);
      return read;
    };
    await packet(token('a'), 1);
    // Two events in one packet arrive at the same time; an event in two packets arrives with the second.
    const [head, tail] = [token('d').slice(0, 9), token('d').slice(9)];
    await packet(token('b') + token('c') + head, 2);
    await packet(tail, 3);
    await packet(usage(4), 4);
    response.end('data: [DONE]\n\n');
  });
  const answer = await send(t, url, { clock: hand });
  assert.equal(answer.error, undefined);
  assert.deepEqual(
    [answer.engine, answer.engineName, answer.isEmulated],
    ['http://e1', 'a-1', true],
  );
  assert.deepEqual(answer.usage, { promptTokens: 7, outputTokens: 4, cachedTokens: 3 });
  assert.deepEqual([answer.sentSeconds, ...answer.chunkSeconds], [0, 1, 2, 2, 3]);
});

/** A clock that stands still until it is set; a test can wait until it is read. */
function handClock() {
  let now = 0;
  let onLook = () => {};
  return {
    nowSeconds() {
      onLook();
      return now;
    },
    setAndWait(seconds: number): Promise<void> {
      now = seconds;
      return new Promise((resolve) => {
        onLook = resolve;
      });
    },
  };
}

test('reports each kind of failure by name', async (t) => {
  const scripts: readonly (readonly [string, RegExp, Script])[] = [
    [
      'http_429',
      /slow down/,
      (response) => response.writeHead(429).end('{"error":{"message":"slow down"}}'),
    ],
    ['http_500', /oops/, (response) => response.writeHead(500).end('oops')],
    ['http_404', /Not Found/, (response) => response.writeHead(404).end('{"detail":"Not Found"}')],
    [
      'malformed',
      /application\/json, not an event stream/,
      (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
    ],
    [
      'malformed',
      /an event is not JSON/,
      (response) => response.writeHead(200, streamHead).end('data: {"choices"\n\n'),
    ],
    [
      'stream_error',
      /engine died/,
      (response) =>
        response
          .writeHead(200, streamHead)
          .end(token('a') + event({ error: { message: 'engine died' } })),
    ],
    [
      'cut',
      /cut after 1 chunk:/,
      (response) => {
        response.writeHead(200, streamHead).write(token('a'));
        setTimeout(() => response.destroy(), 10);
      },
    ],
    [
      'cut',
      /ended without \[DONE\]/,
      (response) => response.writeHead(200, streamHead).end(token('a')),
    ],
    [
      'empty',
      /no tokens/,
      (response) => response.writeHead(200, streamHead).end(`${usage(0)}data: [DONE]\n\n`),
    ],
    ['connect', /no response/, (response) => response.destroy()],
    ['timeout', /not finished after 0.05 s/, () => {}],
    [
      'timeout',
      /not finished/,
      (response) => response.writeHead(200, streamHead).write(token('a')),
    ],
  ];
  for (const [kind, message, script] of scripts) {
    // Short only in the test of the timeout, because a loaded machine may need more than 50 ms for the others.
    const settings = kind === 'timeout' ? { timeoutMs: 50 } : {};
    const { error } = await send(t, await serve(t, script), settings);
    assert.equal(error?.kind, kind);
    assert.match(error?.message ?? '', message);
  }
});

test('retries on a new connection if the server closed an idle one', async (t) => {
  let count = 0;
  const url = await serve(t, (response, request) => {
    // The server closes the first connection before its second request.
    if (++count === 2) request.socket.destroy();
    else response.writeHead(200, streamHead).end(`${token('a')}data: [DONE]\n\n`);
  });
  const client = clientOf(t, url);
  const first = await client.send({ api: loadApis.completions, body: Buffer.from('{}') }, never);
  await delay(5);
  const second = await client.send({ api: loadApis.completions, body: Buffer.from('{}') }, never);
  assert.deepEqual([first.error, second.error, count], [undefined, undefined, 3]);
});

/** A trace of requests with the given arrivals, each asking for two tokens. */
const arrivals = (...seconds: readonly number[]): TraceRequest[] =>
  seconds.map((arrivalSeconds) => ({
    arrivalSeconds,
    promptTokens: 7,
    outputTokens: 2,
    blockIds: [0],
  }));
const writer: RequestWriter = {
  api: loadApis.completions,
  body: () => Buffer.from('{}'),
  serverTokens: ({ promptTokens }) => promptTokens,
};

/** Responds with two tokens, the second after `ms`. */
const twoTokens =
  (ms: number): Script =>
  async (response) => {
    response.writeHead(200, streamHead).write(token('a'));
    await delay(ms);
    response.end(`${token('b')}${usage(2)}data: [DONE]\n\n`);
  };

test('sends requests when they are due, not when earlier ones have finished', async (t) => {
  // The server responds to none before it has received the last one; a closed loop would wait forever.
  const held: ServerResponse[] = [];
  const url = await serve(t, (response) => {
    held.push(response);
    if (held.length === 4) for (const each of held) twoTokens(1)(each, each.req);
  });
  const requests = arrivals(0, 0, 0.03, 0.06);
  const client = clientOf(t, url);
  const source = listedRequests({ requests, writer });
  const result = await replay({ source, client, clock: wallClock, signal: never });
  assert.equal(result.isPartial, false);
  assert.equal(result.records.length, 4);
  for (const record of result.records) {
    assert.ok(record.sentSeconds >= record.scheduledSeconds);
    assert.deepEqual([record.outputTokens, record.cachedTokens, record.error], [2, 3, undefined]);
  }
  assert.deepEqual([result.promptMismatches, result.outputMismatches], [0, 0]);
});

test('records the delay of a request that waits for the concurrency limit', async (t) => {
  const url = await serve(t, twoTokens(40));
  const result = await replay({
    source: listedRequests({ requests: arrivals(0, 0), writer }),
    client: clientOf(t, url),
    clock: wallClock,
    concurrencyMax: 1,
    signal: never,
  });
  const [first, second] = result.records;
  assert.ok((second?.sentSeconds ?? 0) >= (first?.chunkSeconds[1] ?? 1));
  assert.equal(second?.scheduledSeconds, 0);
});

test('a stop ends the requests in flight and keeps what was measured', async (t) => {
  let [seen, open] = [0, 0];
  const url = await serve(t, (response) => {
    open++;
    response.once('close', () => open--);
    if (++seen === 1) return void twoTokens(0)(response, response.req);
    response.writeHead(200, streamHead).write(token('a'));
    secondCame.resolve();
  });
  const firstIsDone = Promise.withResolvers<void>();
  const secondCame = Promise.withResolvers<void>();
  const stop = new AbortController();
  void Promise.all([firstIsDone.promise, secondCame.promise]).then(() => stop.abort());
  const result = await replay({
    source: listedRequests({ requests: arrivals(0, 0.03, 60), writer }),
    client: clientOf(t, url),
    clock: wallClock,
    signal: stop.signal,
    onProgress: ({ completed }) => {
      if (completed === 1) firstIsDone.resolve();
    },
  });
  assert.deepEqual(
    result.records.map((record) => record.error?.kind),
    [undefined, 'interrupted'],
  );
  assert.equal(result.isPartial, true);
  await until(() => open === 0);
});

test('finds the first model of the server, or the requested one, with its length limit', async (t) => {
  const url = await serve(t, (response) =>
    response.end(JSON.stringify({ data: [{ id: 'a', max_model_len: 4096 }, { id: 'b' }] })),
  );
  const find = (model?: string) => findModel({ url, apiKey: undefined, model, signal: never });
  assert.deepEqual(await find(), { id: 'a', tokensMax: 4096 });
  assert.deepEqual(await find('b'), { id: 'b', tokensMax: undefined });
  await assert.rejects(
    find('c'),
    /^InputError: http.* does not serve the model "c"; it serves a, b/,
  );
});

test('reports a server without an OpenAI API in one sentence', async (t) => {
  const find = (url: URL) => findModel({ url, apiKey: undefined, model: undefined, signal: never });
  const answers = (status: number, body: string) =>
    serve(t, (response) => response.writeHead(status).end(body));
  await assert.rejects(
    find(await answers(404, 'no')),
    /returned status 404; the URL must be the base/,
  );
  await assert.rejects(
    find(await answers(401, 'no')),
    /returned status 401: .*OPENAI_API_KEY.*--api-key-env/,
  );
  await assert.rejects(find(await answers(200, '<html>')), /did not return a list of models/);
  await assert.rejects(find(await answers(200, '{"data":[]}')), /serves no model/);
  await assert.rejects(
    find(new URL('http://127.0.0.1:1/v1')),
    /^NoResponseError: Cannot reach .*ECONNREFUSED/,
  );
});

/** Sends requests without a pause to a client whose responses have these errors; the last one repeats. */
async function replayed(kinds: readonly (string | undefined)[], refusedMax: number | undefined) {
  let sent = 0;
  const requests = Array.from({ length: 50 }, (_, i) => ({
    ...{ arrivalSeconds: 0, promptTokens: 1, outputTokens: 1, blockIds: [i] },
  }));
  const run = await replay({
    source: listedRequests({ requests, writer }),
    client: {
      send: async () => {
        const kind = kinds[Math.min(sent++, kinds.length - 1)];
        return {
          ...{ sentSeconds: 0, endSeconds: 0, chunkSeconds: [0], usage: undefined },
          ...{ engine: undefined, engineName: undefined, engineLagSeconds: undefined },
          ...{ isEmulated: false, text: '' },
          error: kind === undefined ? undefined : { kind, message: kind },
        };
      },
      close: () => {},
    },
    clock: wallClock,
    concurrencyMax: 1,
    refusedMax,
    signal: never,
  });
  return { sent, isServerGone: run.isServerGone };
}

test('a server counts as gone after so many refused connections in a row', async () => {
  assert.deepEqual(await replayed(['refused'], 3), { sent: 3, isServerGone: true });
  assert.deepEqual(await replayed([undefined, 'refused'], 3), { sent: 4, isServerGone: true });
  // A response shows that the server is there, even one with an error; a cut stream does not.
  const comesBack = ['refused', 'refused', 'http_500', 'refused', 'cut', 'refused', 'refused'];
  assert.deepEqual(await replayed(comesBack, 3), { sent: 7, isServerGone: true });
  assert.deepEqual(await replayed(['http_503'], 3), { sent: 50, isServerGone: false });
  assert.deepEqual(await replayed(['refused'], undefined), { sent: 50, isServerGone: false });
});
