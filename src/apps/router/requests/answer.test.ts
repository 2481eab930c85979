// The responses that the router itself sends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '../../../../test/support/client-in-memory.ts';
import { answer, answerError, refusalText } from './answer.ts';

test('a response has a date, its type, its length in bytes and its own lines; HEAD gets no body', () => {
  const client = new Client();
  answer(client.exchange, 200, 'text/plain', 'Größe', ['X-Own: 1']);
  assert.match(
    client.received,
    /^HTTP\/1\.1 200 OK\r\nDate: .* GMT\r\nContent-Type: text\/plain\r\nContent-Length: 7\r\nX-Own: 1\r\n\r\nGröße$/,
  );
  assert.ok(client.over);
  const head = new Client({}, { method: 'HEAD' });
  answer(head.exchange, 200, 'text/plain', 'Größe');
  assert.match(head.received, /\r\nContent-Length: 7\r\n\r\n$/);
});

test('an error has the id of its request, and with 503 the time to try again', () => {
  const received = (status: number, id?: string) => {
    const client = new Client();
    answerError(client.exchange, { status, message: 'why' }, id);
    return client.received;
  };
  assert.match(received(503, 'r'), /\r\nX-Request-Id: r\r\nRetry-After: 1\r\n/);
  for (const status of [502, 504])
    assert.doesNotMatch(received(status), /Retry-After|X-Request-Id/);
  assert.match(received(599), /^HTTP\/1\.1 599 \r\n/, 'a status without a name');
});

test('what is too malformed for an exchange gets a whole response, and no other one follows', () => {
  assert.match(
    refusalText(503, 'Zu spät'),
    /^HTTP\/1\.1 503 Service Unavailable\r\n.*\r\nContent-Length: 89\r\nRetry-After: 1\r\nConnection: close\r\n\r\n\{"error".*Zu spät/s,
  );
  for (const status of [400, 502, 504])
    assert.doesNotMatch(refusalText(status, 'x'), /Retry-After/);
});
