// When silent streams get comments, and on which responses comments can be sent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headersOf } from '../../../../test/support/client-in-memory.ts';
import type { ResponseHead, Ticker } from '../../../io/http/index.ts';
import { keepAliveChunk, SseKeepAlive, takesComments } from './sse-keep-alive.ts';

test('a silent stream hears of each interval until it is removed', (t) => {
  const state = { nowMs: 50_000 };
  t.mock.method(performance, 'now', () => state.nowMs);
  const members: { onTick(): void }[] = [];
  const ticker = { add: (member: { onTick(): void }) => members.push(member) };
  const keepAlive = new SseKeepAlive(ticker as unknown as Ticker, 2);
  const heard: string[] = [];
  const stream = (name: string) => ({ onSilence: () => heard.push(name) });
  const heardAfter = (ms: number) => {
    state.nowMs += ms;
    for (const member of members) member.onTick();
    return heard.splice(0);
  };
  const [first, second] = [stream('first'), stream('second')];
  keepAlive.add(first);
  assert.deepEqual(heardAfter(1_000), []);
  keepAlive.add(second);
  keepAlive.add(first);
  assert.deepEqual(heardAfter(999), []);
  assert.deepEqual(heardAfter(1), ['first'], 'adding it again does not begin another interval');
  assert.deepEqual(heardAfter(1_000), ['second']);
  assert.deepEqual(heardAfter(1_000), ['first']);
  keepAlive.remove(first);
  assert.deepEqual(heardAfter(1_000), ['second']);
  assert.deepEqual(heardAfter(10_000), ['second'], 'a pause of the router is one interval');
});

test('a comment is one chunk of a body', () => {
  assert.equal(String(keepAliveChunk), 'e\r\n: keep-alive\n\n\r\n');
});

test('only a successful stream of events in chunks takes comments', () => {
  const takes = (parts: Partial<ResponseHead>, type?: string) =>
    takesComments({
      ...{ status: 200, reason: 'OK', framing: 'chunked', contentLength: -1, keepAlive: true },
      ...{ headBytes: 0, headers: headersOf(type === undefined ? {} : { 'content-type': type }) },
      ...parts,
    });
  assert.equal(takes({}, 'Text/Event-Stream; charset=utf-8'), true);
  assert.equal(takes({ status: 201 }, 'text/event-stream'), false);
  assert.equal(takes({ framing: 'length' }, 'text/event-stream'), false);
  assert.equal(takes({}, 'application/json'), false);
  assert.equal(takes({}), false);
});
