import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readAnswerChunk, readMessagesEvent, readResponsesEvent } from './answer-chunk.ts';
import { EventPattern } from './event-pattern.ts';

const completion = (text: string, more: object = {}) =>
  JSON.stringify({ id: 'c', choices: [{ index: 0, text, finish_reason: null, ...more }] });
const chat = (delta: object, more: object = {}) =>
  JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason: null, ...more }] });

/** The text that the second event has by the pattern of the first. */
function recognised(first: string, second: string, read = readAnswerChunk) {
  const pattern = new EventPattern();
  pattern.learn(first, read(first), read);
  const bytes = Buffer.from(`,${second},`);
  const end = pattern.endOf(bytes, 1, bytes.length);
  if (end !== bytes.length - 1) return undefined;
  return bytes.toString('utf8', 1 + pattern.textOffset, end - pattern.bytesAfterText);
}

test('an event that differs in its text alone is recognised, any other is not', () => {
  assert.equal(recognised(completion(' a'), completion(' bc')), ' bc');
  assert.equal(recognised(chat({ content: 'a' }), chat({ content: 'ü' })), 'ü');
  for (const other of [
    completion(''),
    completion('"'),
    completion('\n'),
    completion('b', { finish_reason: 'length' }),
    completion('b', { index: 1 }),
    chat({ content: 'b' }),
    '{"error":{"message":"engine died"}}',
    '{"id":"c","choices":[{"index":0,"text":" b',
  ]) {
    assert.equal(recognised(completion(' a'), other), undefined, other);
  }
  assert.equal(recognised(completion('c'), completion('d')), undefined, 'the id is "c", too');
  const escaped = (id: string) => `{"id":"${id}","choices":[{"text":"\\u0061"}]}`;
  assert.equal(recognised(escaped('a'), escaped('b')), undefined, 'the text is escaped');
  assert.equal(recognised(completion('a', { finish_reason: 'stop' }), completion('b')), undefined);
});

test('a recognised event is what parsing it says', () => {
  const apis = {
    completion: [(text: string) => completion(text), readAnswerChunk],
    chat: [(content: string) => chat({ content }), readAnswerChunk],
    first: [(content: string) => chat({ role: 'assistant', content }), readAnswerChunk],
    tool: [(name: string) => chat({ content: '', tool_calls: [{ name }] }), readAnswerChunk],
    responses: [
      (delta: string) => JSON.stringify({ type: 'response.output_text.delta', delta }),
      readResponsesEvent,
    ],
    messages: [
      (text: string) => JSON.stringify({ type: 'content_block_delta', delta: { text } }),
      readMessagesEvent,
    ],
  } as const;
  const kinds = fc.constantFrom(...Object.values(apis));
  fc.assert(
    fc.property(kinds, fc.string(), kinds, fc.string(), ([a, read], first, [b], second) => {
      const text = recognised(a(first), b(second), read);
      if (text === undefined) return;
      const { text: parsed, hasTokens, isFinished, usage, error } = read(b(second));
      assert.deepEqual(
        [parsed, hasTokens, isFinished, usage, error],
        [text, true, false, undefined, undefined],
      );
    }),
    { numRuns: 2000 },
  );
});
