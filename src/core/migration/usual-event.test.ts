import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { TokenStreamKind } from './stream-event.ts';
import {
  doneEventEnd,
  markOffset,
  readToken,
  textEventEnd,
  textShapeOf,
  usualToken,
} from './usual-event.ts';

/** One chunk with these events, somewhere in a buffer. */
function chunk(events: string): { bytes: Buffer; view: DataView; at: number; limit: number } {
  const size = Buffer.byteLength(events).toString(16);
  const bytes = Buffer.from(`before${size}\r\n${events}\r\n`);
  return { bytes, view: new DataView(bytes.buffer), at: bytes.byteOffset + 6, limit: 0 };
}

function token(events: string, kind: TokenStreamKind, markAt: number, hidesIds = true) {
  const { bytes, view, at } = chunk(events);
  const end = bytes.byteOffset + bytes.length;
  const found = readToken(view, at, end, kind, markAt, hidesIds);
  if (found === 0) {
    assert.equal(bytes.toString(), chunk(events).bytes.toString());
    return undefined;
  }
  assert.equal(found, end);
  return { ...usualToken, passed: bytes.toString().split('\r\n')[1] };
}

function hasShape(events: string, shape: NonNullable<ReturnType<typeof textShapeOf>>): boolean {
  const { bytes, view, at } = chunk(events);
  const end = bytes.byteOffset + bytes.length;
  const found = textEventEnd(view, at, end, shape);
  assert.ok(found === 0 || found === end);
  return found > 0;
}

const chat = (delta: object, more: object) =>
  `data: ${JSON.stringify({
    ...{ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm' },
    choices: [{ index: 0, delta, logprobs: null, finish_reason: null, ...more }],
  })}\n\n`;
const word = chat({ content: ' word' }, { token_ids: [1234] });
const markAt = markOffset(word, 'chat');

test('the token of a usual event is read, and its id is overwritten by null', () => {
  assert.deepEqual(token(word, 'chat', markAt), {
    ...{ id: 1234, textBytes: 5, isThought: false },
    passed: word.replace('[1234]', 'null  '),
  });
  assert.equal(token(word, 'chat', markAt, false)?.passed, word);
  const thought = chat({ reasoning: 'Hm' }, { token_ids: [51] });
  assert.equal(token(thought, 'chat', markAt)?.isThought, true);
  const nothing = chat({ content: '' }, { token_ids: [51] });
  assert.equal(token(nothing, 'chat', markAt)?.textBytes, 0);
  assert.equal(token(chat({ content: '":' }, { token_ids: [51] }), 'chat', markAt)?.textBytes, 3);
  const both = chat({ reasoning: 'a', content: 'b' }, { token_ids: [51] });
  assert.equal(token(both, 'chat', markAt), undefined);
});

test('other events are not', () => {
  for (const event of [
    word + word,
    chat({ content: 'a' }, {}) + word,
    chat({ role: 'assistant', content: 'a' }, { token_ids: [51] }),
    chat({ refusal: 'no' }, { token_ids: [51] }),
    chat({ content: 'a', tool_calls: [{ index: 0 }] }, { token_ids: [51] }),
    chat({}, { token_ids: [51] }),
    chat({ content: 'a' }, { token_ids: [51, 52] }),
    chat({ content: 'a' }, { token_ids: [] }),
    chat({ content: 'a' }, { token_ids: [5] }),
    chat({ content: 'a' }, { token_ids: null }),
    chat({ content: 'a' }, { finish_reason: 'stop', token_ids: [51] }),
    chat({ content: 'a' }, { index: 1, token_ids: [51] }),
    chat({ content: 'a' }, { token_ids: [1_234_567_890] }),
    'data: [DONE]\n\n',
  ]) {
    assert.equal(token(event, 'chat', markAt), undefined, event);
  }
});

test('a usual event with any other byte is another text, another token, or no usual event', () => {
  const bytes = Buffer.from(word);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0x20, max: 0x7e }), (at, byte) => {
      const other = Buffer.from(bytes);
      other[at] = byte;
      const found = token(other.toString(), 'chat', markAt);
      if (found === undefined || at < markAt) return;
      const text = word.indexOf(' word');
      const id = word.indexOf('1234');
      const isKept = byte === bytes[at];
      assert.ok(isKept || (at >= text && at < text + 5) || (at >= id && at < id + 4), `${found}`);
    }),
  );
});

test('a text without ids has the shape of one before it, whatever it says', () => {
  const shape = textShapeOf(chat({ content: 'Hello' }, {}), 'chat', undefined);
  assert.ok(shape !== undefined);
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (content) => {
      assert.ok(hasShape(chat({ content }, {}), shape));
    }),
  );
  assert.equal(textShapeOf(chat({ content: '"' }, {}), 'chat', shape), shape);
  for (const event of [
    chat({ content: '' }, {}),
    chat({ reasoning: 'a' }, {}),
    chat({ content: 'a' }, { finish_reason: 'stop' }),
    chat({ content: 'a' }, { token_ids: [5] }),
    chat({ content: 'a' }, { index: 1 }),
    chat({ content: 'a' }, {}).repeat(2),
    'data: {"error":{"message":"dead","code":500}}\n\n',
    'data: [DONE]\n\n',
  ]) {
    assert.equal(hasShape(event, shape), false, event);
  }
});

test('an event that ends a response, counts tokens or tells ids has no shape', () => {
  for (const event of [
    chat({ content: 'a' }, { finish_reason: 'stop' }),
    chat({ content: 'a' }, { token_ids: [5] }),
    chat({ content: 'a' }, {}).replace('}]}', '}],"usage":{"completion_tokens":1}}'),
    chat({ tool_calls: [{ index: 0, function: { arguments: '{' } }] }, {}),
    chat({ content: 'a' }, {}).replace('"m"', '"ü"'),
    chat({ content: 'a' }, { index: 1 }),
  ]) {
    assert.equal(textShapeOf(event, 'chat', undefined), undefined, event);
  }
});

test('the last event is known by its bytes', () => {
  const { bytes, view, at } = chunk('data: [DONE]\n\n');
  const end = bytes.byteOffset + bytes.length;
  assert.equal(doneEventEnd(view, at, end), end);
  assert.equal(doneEventEnd(view, at, end - 1), 0);
  const other = chunk('data: [DONE!\n\n');
  assert.equal(doneEventEnd(other.view, other.at, other.bytes.byteOffset + other.bytes.length), 0);
});

const recordings = gunzipSync(
  readFileSync(new URL('fixtures/continued-0.32.0.jsonl.gz', import.meta.url)),
)
  .toString()
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { name: string; path: string; first: string; plain: string })
  // These count the tokens in each event.
  .filter(({ first }) => (first.match(/"usage":{/g) ?? []).length <= 1);

for (const { name, path, first, plain } of recordings) {
  const kind = path.includes('chat') ? 'chat' : 'completion';
  const middle = (stream: string) => stream.split(/(?<=\n\n)/).slice(2, -4);

  test(`real vLLM, ${name}: its events are usual ones`, () => {
    // A delta without text comes with a part of a character.
    const events = middle(first).filter((event) => !event.includes('"delta":{}'));
    assert.ok(events.length > 5);
    const at = markOffset(events[0] as string, kind);
    for (const event of events) {
      const [{ token_ids: ids }] = JSON.parse(event.slice(6)).choices;
      assert.equal(token(event, kind, at, false)?.id, ids[0]);
    }
    const shape = textShapeOf(plain.split(/(?<=\n\n)/)[2] as string, kind, undefined);
    const texts = middle(plain).filter((event) => !/(content|text|reasoning)":""/.test(event));
    const usual = texts.filter((event) => shape !== undefined && hasShape(event, shape));
    assert.ok(usual.length > texts.length / 2);
  });
}
