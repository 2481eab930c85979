// What counts as an error in the first event of a stream, however its bytes arrive.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResponseHead } from '../../../io/http/index.ts';
import { errorEventStatus, FirstEvent } from './first-event.ts';

const head = (framing: ResponseHead['framing']) => ({ framing }) as ResponseHead;
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

/** Reads a body in pieces of this many bytes. @returns The number of reads that it took, and what was found. */
function readIn(bytes: number, body: string, framing: ResponseHead['framing'] = 'chunked') {
  const first = new FirstEvent(head(framing));
  for (let at = 0; at < body.length; at += bytes) {
    const ended = at + bytes >= body.length;
    const taken = first.take(Buffer.from(body.slice(at, at + bytes)), ended, 0);
    if (taken !== undefined) {
      assert.equal(taken.toString(), body.slice(0, at + bytes), 'nothing is lost');
      return { status: first.errorStatus, read: at + bytes };
    }
  }
  throw new Error('nothing was taken');
}

const done = chunk('data: [DONE]\n\n');
const failure = 'data: {"error":{"message":"gone","type":"InternalServerError","code":500}}\n\n';

test('an error event stands for the status in it', () => {
  for (const [event, status] of [
    [failure, 500],
    ['data: {"error":{"message":"too long","code":400}}\n\ndata: [DONE]\n\n', 400],
    ['data: { "error" : {"code":"429"}}\n\n', 429],
    ['data: {"error":"scaling"}\n\n', 500],
    ['data: {"error":{"code":7}}\n\n', 500],
    ['data: {"error":{"code":599}}\n\n', 599],
    ['data: {"error":{"code":600}}\n\n', 500],
    ['data: {"error":{"code":399}}\n\n', 500],
    ['data: {"error":null}\n\n', 500],
    ['event: error\n\n', 500],
    ['data: {"error":\n\n', 500],
    ['event: error\ndata: {"type":"error","error":{"type":"internal_error"}}\n\n', 500],
    ['event: error\ndata: {"type":"error","error":{"type":"invalid_request_error"}}\n\n', 400],
    ['data: {"id":"a","error":null}\n\n', undefined],
    ['data: {"choices":[{"text":"data: {\\"error\\":1}"}]}\n\n', undefined],
    ['event: message_start\ndata: {"type":"message_start"}\n\n', undefined],
    [': ping\n\n', undefined],
    ['data: [DONE]\n\n', undefined],
  ] as const) {
    assert.equal(errorEventStatus(event), status, event);
  }
});

test('an error is found however its bytes arrive', () => {
  for (const bytes of [1, 2, 7, 30, 1000]) {
    assert.equal(readIn(bytes, chunk(failure) + done).status, 500, `${bytes} bytes at a time`);
    assert.equal(readIn(bytes, failure, 'until-close').status, 500, `${bytes} bytes at a time`);
    const halves = chunk(failure.slice(0, 20)) + chunk(failure.slice(20)) + done;
    assert.equal(readIn(bytes, halves).status, 500, `${bytes} bytes at a time`);
  }
});

test('other streams are passed on as soon as they are known not to begin with an error', () => {
  const usual = chunk(`data: {"id":"${'a'.repeat(200)}"}\n\n`);
  assert.deepEqual(readIn(1000, usual), { status: undefined, read: 1000 });
  assert.deepEqual(readIn(14, usual), { status: undefined, read: 14 });
  assert.ok(readIn(1, usual).read < 40);
  assert.ok(readIn(1, chunk(': a comment that keeps the connection open\n\n') + usual).read < 40);
  assert.ok(readIn(1, chunk('event: message_start\ndata: {}\n\n')).read < 40);
  assert.equal(readIn(3, chunk('data: [DONE]\n\n')).status, undefined);
});

test('an error event without an end is held up to 64 KiB', () => {
  const first = new FirstEvent(head('until-close'));
  const piece = Buffer.alloc(16_384, 0x20);
  assert.equal(first.take(Buffer.from('data: {"error":{"message":"'), false, 1), undefined);
  for (let i = 0; i < 3; i++) assert.equal(first.take(piece, false, 1), undefined);
  assert.equal(first.take(piece, false, 1)?.length, 4 * 16_384 + 27);
  assert.equal(first.chunks, 5);
});

test('exactly 64 KiB of an error event are held', () => {
  const start = 'data: {"error":{"message":"';
  const first = new FirstEvent(head('until-close'));
  assert.equal(first.take(Buffer.from(start.padEnd(65_536)), false, 1), undefined);
  assert.equal(first.take(Buffer.from(' '), false, 1)?.length, 65_537);
});

test('a start that is no error is held until it has 24 characters, the usual one until it has a key', () => {
  const taken = (text: string) =>
    new FirstEvent(head('until-close')).take(Buffer.from(text), false, 1) !== undefined;
  assert.deepEqual(
    [23, 24].map((length) => taken(': comment'.padEnd(length, '.'))),
    [false, true],
  );
  assert.deepEqual(
    [taken('data: {"'), taken('data: {"i'), taken('data: {"e')],
    [false, true, false],
  );
});
