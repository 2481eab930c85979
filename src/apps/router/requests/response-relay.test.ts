// What a client receives of an engine's response, on a real socket.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Client } from '../../../../test/support/client-in-memory.ts';
import type { Pick } from '../../../core/routing/index.ts';
import {
  Headers,
  HttpServer,
  headerKinds,
  type ResponseHead,
  type ServerExchange,
  Ticker,
} from '../../../io/http/index.ts';
import { ResponseRelay, type ResponseRelayOptions } from './response-relay.ts';

const pick = { reason: 'shortest wait' } as Pick;
const engineLines = 'x-spillway-engine: http://a\r\n';

function headOf(
  framing: ResponseHead['framing'],
  options: { readonly contentLength?: number; readonly contentType?: string } = {},
): ResponseHead {
  const { contentLength = -1, contentType = 'application/json' } = options;
  const headers = new Headers();
  headers.names.push('content-type');
  headers.values.push(contentType);
  headers.kinds.push(headerKinds.endToEnd);
  return {
    ...{ status: 200, reason: 'OK', framing, contentLength, headers },
    ...{ keepAlive: true, headBytes: 0 },
  };
}

/** Responds to one request through a relay; returns the relay and the bytes that the client received. */
async function relayed(
  context: TestContext,
  respond: (relay: ResponseRelay, exchange: ServerExchange) => void,
  options: Partial<ResponseRelayOptions> & { readonly version?: string } = {},
) {
  const { version = '1.1', ...rest } = options;
  const ticker = new Ticker({ tickMs: 20 });
  const served = Promise.withResolvers<ResponseRelay>();
  const server = new HttpServer({
    ticker,
    onRequest: (exchange) => {
      const relay = new ResponseRelay({
        ...{ exchange, requestId: 'id-1', expectsUsage: false, pickHeader: true },
        ...rest,
      });
      respond(relay, exchange);
      served.resolve(relay);
    },
    refusal: () => '',
  });
  const port = await server.listen('127.0.0.1', 0);
  context.after(() => {
    server.destroy();
    ticker.stop();
  });
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  let received = '';
  const closed = new Promise<void>((resolve) => {
    socket.on('data', (text) => {
      received += text;
    });
    socket.on('close', () => resolve());
  });
  socket.write(`GET / HTTP/${version}\r\nHost: h\r\n\r\n`);
  const relay = await served.promise;
  // What was written without a close has been sent by now, or is sent before the end of the server.
  setImmediate(() => server.drain());
  await closed;
  const [head = '', ...body] = received.split('\r\n\r\n');
  return { relay, head: head.split('\r\n'), body: body.join('\r\n\r\n') };
}

test('a response with a length keeps it, and names the request, the engine and the reason of the pick', async (t) => {
  const { head, body } = await relayed(t, (relay, exchange) => {
    const bytes = Buffer.from('{"a":');
    const framed = headOf('length', { contentLength: 7 });
    relay.begin(framed, bytes, false, { pick, headerLines: engineLines });
    relay.write(Buffer.from('1}'), true);
    exchange.end();
  });
  assert.deepEqual(head, [
    ...['HTTP/1.1 200 OK', 'content-type: application/json', 'content-length: 7'],
    ...['x-request-id: id-1', 'x-spillway-engine: http://a', 'x-spillway-pick: shortest wait'],
    'Keep-Alive: timeout=75',
  ]);
  assert.equal(body, '{"a":1}');
});

test('a response without a body keeps the length that it would have', async (t) => {
  const lengthOf = async (contentLength: number) => {
    const { head } = await relayed(t, (relay, exchange) => {
      const framed = headOf('none', { contentLength });
      relay.begin(framed, Buffer.alloc(0), true, { pick, headerLines: '' });
      exchange.end();
    });
    return head.find((line) => line.startsWith('content-length'));
  };
  assert.equal(await lengthOf(0), 'content-length: 0');
  assert.equal(await lengthOf(-1), undefined);
});

test('the reason of a pick quotes no control characters, and is left out if it is not wanted', async (t) => {
  const pickLine = async (reason: string, pickHeader = true) => {
    const quoted = { ...pick, reason };
    const respond = (relay: ResponseRelay, exchange: ServerExchange) => {
      const framed = headOf('length', { contentLength: 0 });
      relay.begin(framed, Buffer.alloc(0), true, { pick: quoted, headerLines: '' });
      exchange.end();
    };
    const { head } = await relayed(t, respond, { pickHeader });
    return head.find((line) => line.startsWith('x-spillway-pick'));
  };
  assert.equal(await pickLine('session ä\r\nx: 1 ~'), 'x-spillway-pick: session ???x: 1 ~');
  assert.equal(await pickLine('any', false), undefined);
});

test('chunks are relayed as they are; a client of HTTP/1.0 gets their content, until the close', async (t) => {
  const respond = (relay: ResponseRelay, exchange: ServerExchange) => {
    const framed = headOf('chunked');
    relay.begin(framed, Buffer.from('3\r\nabc\r'), false, { pick, headerLines: '' });
    relay.write(Buffer.from('\n2\r\nde\r\n0\r\n\r\n'), true);
    exchange.end();
  };
  const chunked = await relayed(t, respond);
  assert.ok(chunked.head.includes('transfer-encoding: chunked'));
  assert.equal(chunked.body, '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n');
  const plain = await relayed(t, respond, { version: '1.0' });
  assert.ok(!plain.head.some((line) => /transfer-encoding|content-length/.test(line)));
  assert.ok(plain.head.includes('Connection: close'));
  assert.equal(plain.body, 'abcde');
});

test('a response that ends with its connection ends the client’s', async (t) => {
  const { head, body } = await relayed(t, (relay, exchange) => {
    relay.begin(headOf('until-close'), Buffer.from('all'), true, { pick, headerLines: '' });
    exchange.end();
  });
  assert.ok(head.includes('Connection: close'));
  assert.equal(body, 'all');
});

test('token counts are read at the end of a response; from other parts only if the client asked for them', async (t) => {
  const usage = Buffer.from('"usage":{"prompt_tokens":5}');
  const rest = Buffer.from('data: [DONE]');
  const countsOf = async (parts: readonly Buffer[], expectsUsage: boolean) => {
    const respond = (relay: ResponseRelay, exchange: ServerExchange) => {
      const [first = rest, ...others] = parts;
      const bytes = parts.reduce((sum, { length }) => sum + length, 0);
      const framed = headOf('length', { contentLength: bytes });
      relay.begin(framed, first, others.length === 0, { pick, headerLines: '' });
      for (const [i, part] of others.entries()) relay.write(part, i === others.length - 1);
      exchange.end();
    };
    const { relay } = await relayed(t, respond, { expectsUsage });
    return relay.usage?.promptTokens;
  };
  assert.equal(await countsOf([usage], false), 5);
  assert.equal(await countsOf([rest, usage], false), 5);
  assert.equal(await countsOf([usage, rest], false), undefined);
  assert.equal(await countsOf([usage, rest], true), 5);
  assert.equal(await countsOf([rest, usage, rest], true), 5);
  assert.equal(await countsOf([rest, rest], true), undefined);
});

test('an error event counts in a stream of events, and not in a read that is longer than an event', async (t) => {
  const event = 'data: {"error":{"message":"no"}}\n\n';
  const hasError = async (text: string, contentType: string) => {
    const { relay } = await relayed(t, (one, exchange) => {
      const framed = headOf('length', { contentLength: text.length, contentType });
      one.begin(framed, Buffer.from(text), true, { pick, headerLines: '' });
      exchange.end();
    });
    assert.equal(relay.isEventStream, contentType.toLowerCase().startsWith('text/event-stream'));
    return relay.hasErrorEvent;
  };
  assert.equal(await hasError(event, 'text/event-stream; charset=utf-8'), true);
  assert.equal(await hasError(event, 'Text/Event-Stream'), true);
  assert.equal(await hasError(event, 'text/plain'), false);
  assert.equal(await hasError('data: {"id":"error"}\n\n', 'text/event-stream'), false);
  assert.equal(await hasError(event.padEnd(4095), 'text/event-stream'), true);
  assert.equal(await hasError(event.padEnd(4096), 'text/event-stream'), false);
});

test('a stream of events that breaks off between chunks ends with an error event and without its last chunk', async (t) => {
  const error = { status: 502, message: 'Engine a: gone.' };
  const breakOff = (isBetween: boolean, contentType: string, version = '1.1') =>
    relayed(
      t,
      (relay) => {
        const framed = headOf('chunked', { contentType });
        relay.begin(framed, Buffer.from('2\r\nab\r\n'), false, { pick, headerLines: '' });
        relay.breakOff(isBetween, error);
      },
      { version },
    );
  const { body } = await breakOff(true, 'text/event-stream');
  const event = /^2\r\nab\r\n([0-9a-f]+)\r\n(\n\ndata: (.*)\n\n)\r\n$/s.exec(body);
  assert.equal(Number.parseInt(event?.[1] ?? '', 16), event?.[2]?.length);
  assert.equal(JSON.parse(event?.[3] ?? '').error.message, error.message);
  const old = await breakOff(true, 'text/event-stream', '1.0');
  assert.match(old.body, /^ab\n\ndata: \{"error":.*\}\n\n$/s);
  for (const [isBetween, type] of [
    [false, 'text/event-stream'],
    [true, 'application/json'],
  ] as const) {
    assert.doesNotMatch((await breakOff(isBetween, type)).body, /error/, type);
  }
});

/** A relay to a client in memory, which has begun to get a response. */
function inMemory(
  framing: ResponseHead['framing'],
  options: {
    readonly minorVersion?: 0 | 1;
    readonly contentType?: string;
    readonly text?: string;
  } = {},
) {
  const { minorVersion = 1, contentType = 'text/event-stream', text = '' } = options;
  const client = new Client({}, { minorVersion });
  const relay = new ResponseRelay({
    ...{ exchange: client.exchange, requestId: 'id-1', expectsUsage: false, pickHeader: false },
  });
  const picked = { pick, headerLines: engineLines };
  relay.begin(headOf(framing, { contentType }), Buffer.from(text), false, picked);
  return { client, relay };
}

test('a read is written as it is, be it a byte, and nothing is not written', () => {
  const { client, relay } = inMemory('until-close');
  client.keepsBytes = true;
  assert.equal(relay.write(Buffer.from('x'), false), true);
  assert.ok(client.received.endsWith('\r\n\r\nx'));
  assert.equal(relay.write(Buffer.alloc(0), true), false);
  assert.equal(client.writes, 1);
});

test('a client of HTTP/1.0 gets the parts of chunks in their order, as a copy, and then a close', () => {
  const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
  const { client, relay } = inMemory('chunked', {
    minorVersion: 0,
    text: chunk('ab') + chunk('cd'),
  });
  assert.ok(client.received.endsWith('\r\n\r\nabcd'));
  assert.ok(client.isLast);
  client.keepsBytes = true;
  assert.equal(relay.write(Buffer.from(chunk('e') + chunk('f')), false), false);
  assert.ok(client.received.endsWith('abcdef'));
});

test('the connection of a stream that breaks off is not used again', () => {
  const { client, relay } = inMemory('chunked');
  assert.ok(!client.isLast);
  relay.breakOff(true, { status: 502, message: 'gone' });
  assert.ok(client.isLast && client.over);
});

test('an error event is the engine’s failure unless its status is that of a client’s mistake', () => {
  const isFailure = (code: number) => {
    const { relay } = inMemory('chunked');
    const event = `data: {"error":{"message":"m","code":${code}}}\n\n`;
    relay.write(Buffer.from(`${event.length.toString(16)}\r\n${event}\r\n`), false);
    return relay.hasErrorEvent;
  };
  assert.deepEqual([400, 428, 429, 430, 499, 500, 503].map(isFailure), [
    ...[false, false, true, false, false, true, true],
  ]);
  const { relay } = inMemory('chunked');
  const known = Buffer.from('data: {"error":{"code":500}}\n\n');
  relay.write(known, false, true);
  assert.ok(!relay.hasErrorEvent, 'bytes that are known are not searched');
  relay.write(Buffer.from('data: {"text":"an \\"error\\" in words"}\n\n'), false);
  relay.write(Buffer.from('data: {"error" is a word}\n\n'), false);
  assert.ok(!relay.hasErrorEvent);
});
