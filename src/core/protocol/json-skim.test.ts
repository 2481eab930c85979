import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JsonSyntaxError, RequestFieldsReader, skimJsonObject } from './index.ts';

const encode = (text: string) => Buffer.from(text);
const keys = ['model', 'stream', 'messages', 'a', ''];

/** The values of the spans, as JSON.parse reads them. */
function valuesOf(text: string): Record<string, unknown> {
  const bytes = encode(text);
  const spans = skimJsonObject(bytes, keys);
  const found: Record<string, unknown> = {};
  keys.forEach((key, i) => {
    const [start = -1, end = -1] = [spans[2 * i], spans[2 * i + 1]];
    if (start >= 0) found[key] = JSON.parse(bytes.toString('utf8', start, end));
  });
  return found;
}

function wanted(object: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([key]) => keys.includes(key)));
}

test('finds what JSON.parse finds, in any object with any white space', () => {
  const value = fc.jsonValue({ depthSize: 'small' });
  const key = fc.oneof(fc.constantFrom(...keys), fc.string({ unit: 'binary' }));
  const object = fc.dictionary(key, value);
  const space = fc.constantFrom('', ' ', '\n', '\t\r\n  ');
  fc.assert(
    fc.property(object, fc.constantFrom(undefined, 1, 4, '\t'), space, (source, indent, pad) => {
      const text = `${pad}${JSON.stringify(source, null, indent)}${pad}`;
      assert.deepEqual(valuesOf(text), wanted(JSON.parse(text)));
    }),
    { numRuns: 150 },
  );
});

test('plain byte arrays, which lack Node’s search, give the same result', () => {
  const text = JSON.stringify({ model: 'x'.repeat(100), a: '\\"'.repeat(50), stream: true });
  const plain = new Uint8Array(Buffer.from(text));
  assert.deepEqual(skimJsonObject(plain, keys), skimJsonObject(Buffer.from(text), keys));
});

test('strings full of quotes and backslashes end where JSON.parse ends them', () => {
  const unit = fc.constantFrom('\\', '"', 'x', '\n', 'é', 'abcdefghijklmnop');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 80 }), fc.string({ unit }), (a, model) => {
      assert.deepEqual(valuesOf(JSON.stringify({ a, model })), { a, model });
    }),
  );
});

test('the last value of a repeated key counts, and an escaped key equals its plain form', () => {
  assert.deepEqual(valuesOf('{"model":"first","model":"last"}'), { model: 'last' });
  assert.deepEqual(valuesOf('{"model":"first","mod\\u0065l":"last"}'), { model: 'last' });
  assert.deepEqual(valuesOf('{"x":{"model":"inner"},"model":1}'), { model: 1 });
});

test('refuses anything but an object', () => {
  const bad = ['', ' ', '[]', '"x"', '{', '{"a"}', '{"a":}', '{"a":1,}', '{"a":1}}', '{"a":[}]}'];
  for (const text of [...bad, '{"a":"x}', '{"a":1 "b":2}', '{a:1}', '{"a":1}x', '{"a":\u0000}']) {
    assert.throws(() => skimJsonObject(encode(text), keys), JsonSyntaxError, text);
  }
});

test('any bytes are either read or refused', () => {
  const unit = fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', ' ', '1', 'a', 'null');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 60 }), (text) => {
      try {
        skimJsonObject(encode(`{${text}`), keys);
      } catch (error) {
        assert.ok(error instanceof JsonSyntaxError);
        assert.throws(() => JSON.parse(`{${text}`), 'valid JSON must not be refused');
      }
    }),
    { numRuns: 1000 },
  );
});

test('the number of top-level keys is limited', () => {
  const body = (keys: number) =>
    Buffer.from(`{${Array.from({ length: keys }, (_, i) => `"k${i}":1`).join(',')}}`);
  assert.equal(skimJsonObject(body(4096), ['k4095'])[0], body(4096).length - 2);
  assert.throws(() => skimJsonObject(body(4097), ['k1']), /more than 4096 top-level keys/);
});

test('nesting is limited', () => {
  const nested = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  skimJsonObject(encode(nested(512)), keys);
  assert.throws(() => skimJsonObject(encode(nested(513)), keys), /deeper than 512/);
});

test('the fields of a chat request are read, its prompt in rendering order', () => {
  const body = encode(
    '{"messages":[{"role":"user"}],"model":"m","stream":true,"max_tokens":7,' +
      '"priority":-3,"tools":[1],"cache_salt":"s","user":"ann","stream_options":{"include_usage":true}}',
  );
  const fields = new RequestFieldsReader({ sessionKey: 'user' }).read(body);
  assert.deepEqual(
    { ...fields, prompt: fields.prompt.map((span) => Buffer.from(span).toString()) },
    {
      model: 'm',
      modelStart: 38,
      modelEnd: 41,
      stream: true,
      outputTokensMax: 7,
      priority: -3,
      session: 'ann',
      hasStreamOptions: true,
      returnsTokenIds: undefined,
      background: false,
      previousResponseId: undefined,
      isUnstored: false,
      cacheSaltStart: 110,
      cacheSaltEnd: 113,
      prompt: ['"s"', '[1]', '[{"role":"user"}]'],
      promptBytes: 23,
    },
  );
});

test('only a reader for requests that create a response looks for the response before and for `store`', () => {
  const body = encode('{"model":"m","previous_response_id":"resp_1","store":false,"user":"ann"}');
  const reader = new RequestFieldsReader({ sessionKey: 'user', createsResponses: true });
  const { previousResponseId, isUnstored, session } = reader.read(body);
  assert.deepEqual([previousResponseId, isUnstored, session], ['resp_1', true, 'ann']);
  const other = new RequestFieldsReader().read(body);
  assert.deepEqual([other.previousResponseId, other.isUnstored], [undefined, false]);
  const without = reader.read(encode('{"model":"m","previous_response_id":null,"store":true}'));
  assert.deepEqual([without.previousResponseId, without.isUnstored], [undefined, false]);
});

test('fields of the wrong type count as absent', () => {
  const body = encode('{"model":5,"stream":"true","max_tokens":"7","user":42}');
  const fields = new RequestFieldsReader({ sessionKey: 'user' }).read(body);
  assert.equal(fields.model, undefined);
  assert.equal(fields.stream, false);
  assert.equal(fields.outputTokensMax, undefined);
  assert.equal(fields.session, '42');
});
