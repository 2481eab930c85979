import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HeaderKind, Headers, headerKinds } from '../../../io/http/index.ts';
import { downstreamHeadText, upstreamHeadText } from './proxy-heads.ts';

type Parts = Parameters<typeof upstreamHeadText>[1];
type Field = readonly [name: string, value: string, kind?: keyof typeof headerKinds];

/** Headers as they are parsed; end to end unless a field says otherwise. */
function headersOf(fields: readonly Field[]): Headers {
  const headers = new Headers();
  for (const [name, value, kind = 'endToEnd'] of fields) {
    headers.names.push(name);
    headers.values.push(value);
    headers.kinds.push(headerKinds[kind] satisfies HeaderKind);
  }
  return headers;
}

/** The head towards an engine, as lines without the blank one at its end. */
function upstream(fields: readonly Field[], parts: Partial<Parts> = {}, method = 'POST'): string[] {
  const head = {
    ...({ method, target: '/v1/x?y=1', minorVersion: 1, contentLength: 0 } as const),
    ...{ expectsContinue: false, keepAlive: true, headBytes: 0, headers: headersOf(fields) },
  };
  const text = upstreamHeadText(head, {
    ...{ host: 'engine:8000', basePath: '', target: '/v1/x?y=1', bodyBytes: 0 },
    ...{ requestId: 'id-1', authorization: 'client' },
    ...parts,
  });
  assert.ok(text.endsWith('\r\n\r\n'));
  return text.slice(0, -4).split('\r\n');
}

const usual: readonly Field[] = [
  ['host', 'router', 'host'],
  ['x-own', 'kept'],
  ['content-length', '5', 'contentLength'],
  ['x-request-id', 'theirs', 'requestId'],
];

test('an engine gets the client’s headers with our host, id and length', () => {
  assert.deepEqual(upstream(usual, { bodyBytes: 5 }), [
    'POST /v1/x?y=1 HTTP/1.1',
    'host: engine:8000',
    'accept-encoding: identity',
    'x-own: kept',
    'x-request-id: id-1',
    'content-length: 5',
  ]);
  assert.equal(upstream(usual, { basePath: '/base' })[0], 'POST /base/v1/x?y=1 HTTP/1.1');
});

test('the first header is forwarded like any other, and so is what Connection lists there dropped', () => {
  assert.equal(upstream([['x-first', '1']])[3], 'x-first: 1');
  const lines = upstream([
    ['connection', 'x-hop', 'connection'],
    ['x-hop', '1'],
  ]);
  assert.ok(!lines.some((line) => line.startsWith('x-hop')));
});

test('a POST always has a content length, a GET only with a body', () => {
  assert.equal(upstream([]).at(-1), 'content-length: 0');
  assert.equal(upstream([], {}, 'GET').at(-1), 'x-request-id: id-1');
  assert.equal(upstream([], { bodyBytes: 1 }, 'GET').at(-1), 'content-length: 1');
});

test('hop-by-hop headers are not forwarded, including those that Connection lists', () => {
  const fields: readonly Field[] = [
    ...usual,
    ['connection', 'Keep-Alive, X-Hop', 'connection'],
    ['x-hop', '1'],
    ['te', 'trailers', 'hopByHop'],
    ['x-end', '2'],
  ];
  assert.deepEqual(upstream(fields).slice(3, 5), ['x-own: kept', 'x-end: 2']);
  for (const value of ['keep-alive', 'Close']) {
    const plain: readonly Field[] = [...usual, ['connection', value, 'connection'], ['close', '1']];
    assert.deepEqual(upstream(plain).slice(3, 5), ['x-own: kept', 'close: 1']);
  }
});

test('the client’s authorization is forwarded, removed, or replaced', () => {
  const fields: readonly Field[] = [...usual, ['authorization', 'Bearer client', 'authorization']];
  const authorizationOf = (authorization: Parts['authorization']) =>
    upstream(fields, { authorization }).filter((line) => line.startsWith('authorization'));
  assert.deepEqual(authorizationOf('client'), ['authorization: Bearer client']);
  assert.deepEqual(authorizationOf(undefined), []);
  assert.deepEqual(authorizationOf({ value: 'Bearer ours' }), ['authorization: Bearer ours']);
});

test('a client gets the engine’s headers with our framing, and no hop-by-hop ones', () => {
  const headers = headersOf([
    ['content-type', 'text/plain'],
    ['server', 'uvicorn', 'server'],
    ['content-length', '7', 'contentLength'],
    ['connection', 'X-Hop', 'connection'],
    ['x-hop', '1'],
    ['x-spillway-engine', 'theirs', 'spillway'],
    ['set-cookie', 'session=theirs', 'spillway'],
    ['x-own', 'kept'],
  ]);
  const head = {
    ...({ status: 201, reason: 'Made', framing: 'length', contentLength: 7 } as const),
    ...{ keepAlive: true, headBytes: 0, headers },
  };
  assert.deepEqual(
    downstreamHeadText(head, 'content-length: 7\r\n', 'x-ours: 1\r\n').split('\r\n'),
    [
      ...['HTTP/1.1 201 Made', 'content-type: text/plain', 'server: uvicorn', 'x-own: kept'],
      ...['content-length: 7', 'x-ours: 1', '', ''],
    ],
  );
});
