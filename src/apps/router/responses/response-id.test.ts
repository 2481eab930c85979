import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Headers, headerKinds, type ResponseHead } from '../../../io/http/index.ts';
import { ResponseIdReader, stringIn } from './response-id.ts';

function headOf(type: string, framing: ResponseHead['framing']): ResponseHead {
  const headers = new Headers();
  headers.names.push('content-type');
  headers.values.push(type);
  headers.kinds.push(headerKinds.endToEnd);
  return {
    ...{ status: 200, reason: 'OK', framing, contentLength: -1, headers },
    ...{ keepAlive: true, headBytes: 0 },
  };
}

const chunked = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

/** The result after each part. */
function read(type: string, framing: ResponseHead['framing'], parts: readonly string[]) {
  const reader = new ResponseIdReader(headOf(type, framing));
  return parts.map((part) => reader.read(Buffer.from(part)));
}

test('the id of a whole response is that of the object, wherever it stands, and not one inside', () => {
  const json = 'application/json';
  assert.deepEqual(read(json, 'length', ['{"id":"resp_1","x":1}']), ['resp_1']);
  assert.deepEqual(
    read(json, 'length', [
      '{"output":[{"id":"msg_1"}],"a":{"id":"no"},"t":"\\"id\\":\\"n',
      '","id" : "r2"}',
    ]),
    [undefined, 'r2'],
  );
  assert.deepEqual(read(json, 'length', ['{"output":[{"id":"msg_1"}]}']), [null]);
  assert.deepEqual(read(json, 'length', ['{"id":7}']), [null]);
  assert.deepEqual(read(json, 'chunked', [chunked('{"id":"re'), chunked('sp_3"')]), [
    undefined,
    'resp_3',
  ]);
});

test('the id of a stream is that of the response in its first event, after comments', () => {
  const type = 'text/event-stream; charset=utf-8';
  const created = (id: string) =>
    `event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"object":"response","id":"${id}","output":[]}}\n\n`;
  assert.deepEqual(read(type, 'chunked', [chunked(': keep-alive\n\n'), chunked(created('r1'))]), [
    undefined,
    'r1',
  ]);
  const text = created('r2');
  assert.deepEqual(read(type, 'until-close', [text.slice(0, 60), text.slice(60)]), [
    undefined,
    'r2',
  ]);
});

test('a body without an id is not searched for ever', () => {
  const reader = new ResponseIdReader(headOf('application/json', 'until-close'));
  assert.equal(reader.read(Buffer.from(`{"text":"${'x'.repeat(60_000)}`)), undefined);
  assert.equal(reader.read(Buffer.from('x'.repeat(60_000))), null);
});

test('any object is read as JSON.parse reads it, cut anywhere', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.string(),
      fc.nat(),
      (others, id, cut) => {
        const object = { ...others, response: { nested: others, id } };
        const text = JSON.stringify(object);
        assert.equal(stringIn(text, 0, ['response', 'id']), id);
        const part = stringIn(text.slice(0, cut % text.length), 0, ['response', 'id']);
        assert.ok(part === undefined || part === id);
      },
    ),
  );
});
