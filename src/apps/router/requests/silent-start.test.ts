// Whether a silent stream is opened for its client, and what it gets until there is data.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, headersOf } from '../../../../test/support/client-in-memory.ts';
import type { ResponseHead } from '../../../io/http/index.ts';
import { SilentStart } from './silent-start.ts';
import { keepAliveChunk, type SilentStream, type SseKeepAlive } from './sse-keep-alive.ts';

function headOf(type: string): ResponseHead {
  return {
    ...{ status: 200, reason: 'OK', framing: 'chunked', contentLength: -1, keepAlive: true },
    ...{ headBytes: 0, headers: headersOf({ 'content-type': type }) },
  };
}
const stream = headOf('text/event-stream');

/** A start whose heads and comments are written as text to its client. */
function start(minorVersion: 0 | 1 = 1) {
  const client = new Client({}, { minorVersion });
  const watched = new Set<SilentStream>();
  const keepAlive = {
    add: (one: SilentStream) => watched.add(one),
    remove: (one: SilentStream) => watched.delete(one),
  };
  const silent = new SilentStart(
    keepAlive as unknown as SseKeepAlive,
    client.exchange,
    (head, comment) => client.begin(`${head.status}\n`, comment),
  );
  return { client, silent, watched };
}

test('a silent stream is opened with the first comment, and gets another one in each interval', () => {
  const { client, silent, watched } = start();
  silent.hold(stream);
  assert.deepEqual([...watched], [silent]);
  assert.deepEqual([client.begun, silent.isOnlyOpen], [false, false]);
  silent.onSilence();
  assert.equal(client.received, `200\n${keepAliveChunk}`);
  assert.equal(silent.isOnlyOpen, true);
  silent.onSilence();
  assert.equal(client.received, `200\n${keepAliveChunk}${keepAliveChunk}`);
});

test('a client that does not read gets no further comments', () => {
  const { client, silent } = start();
  silent.hold(stream);
  silent.onSilence();
  const had = client.received;
  client.congested = true;
  silent.onSilence();
  assert.equal(client.received, had);
});

test('the response ends the silence, and learns whether the client has a head', () => {
  const opened = start();
  opened.silent.hold(stream);
  opened.silent.onSilence();
  assert.equal(opened.silent.begun(), true);
  assert.equal(opened.watched.size, 0);
  assert.equal(opened.silent.begun(), false, 'the next engine continues a response');
  const quick = start();
  quick.silent.hold(stream);
  assert.equal(quick.silent.begun(), false);
  assert.equal(quick.watched.size, 0);
});

test('a head of an engine that was left opens nothing, until the next one has sent its own', () => {
  const { client, silent } = start();
  silent.hold(stream);
  silent.dropHead();
  silent.onSilence();
  assert.equal(client.begun, false);
  silent.hold(stream);
  silent.onSilence();
  assert.equal(client.begun, true);
});

test('a stream that is only open stays so when its request ends, so that an error fits into it', () => {
  const { silent, watched } = start();
  silent.hold(stream);
  silent.onSilence();
  silent.stop();
  assert.deepEqual([watched.size, silent.isOnlyOpen], [0, true]);
});

test('nothing is held that cannot take comments: no stream, HTTP/1.0, a response that has begun', () => {
  const json = start();
  json.silent.hold(headOf('application/json'));
  assert.equal(json.watched.size, 0);
  const old = start(0);
  old.silent.hold(stream);
  assert.equal(old.watched.size, 0);
  const begun = start();
  begun.client.begun = true;
  begun.silent.hold(stream);
  assert.equal(begun.watched.size, 0);
});
